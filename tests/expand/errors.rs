#[resilient(retrys = 1, timeout = "0s")]
impl Accounts {
    #[resilient(isolation = "some")]
    pub fn read(&self) -> u32 {
        1
    }

    #[resilient(skip)]
    pub async fn other(&self) -> Result<u32> {
        Ok(1)
    }
}
