#[resilient]
#[async_trait]
impl<T> Store for &'_ Repo<T> {
    async fn save(&self, text: String) -> Result<usize> {
        self.keep(text).await
    }

    #[resilient(skip)]
    async fn other(&self) -> Result<usize> {
        Ok(1)
    }
}
