#[resilient(isolation = "repeatable_read", timeout = "500ms", deadline = "2s", policy = policies::PATIENT)]
pub async fn r#type(self) -> Result<u32> {
    let this = self;
    this.count().await
}
