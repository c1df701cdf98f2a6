#[resilient]
impl Accounts {
    #[cfg(feature = "audit")]
    pub(crate) async fn write(
        &self,
        #[cfg(feature = "audit")] id: u64,
        #[expect(unused_variables)] memo: String,
        Pair { left, .. }: Pair,
        mut text: &str,
        _: Token,
    ) -> Result<u64> {
        text = text.trim();
        Ok(id + left + text.len() as u64)
    }
}
