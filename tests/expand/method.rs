impl Unrelated {}

#[resilient(retries = 3, on = [contention, pool_timeout], isolation = "serializable", read_only)]
impl Accounts {
    /// Moves money.
    #[must_use]
    pub async fn transfer(&self, from: i32, (to, _): (i32, u8), mut note: String, memo: &str) -> Result<Receipt> {
        note.push_str(memo);
        debit(&self.db, from, &note).await?;
        credit(&self.db, to).await
    }

    async fn helper(&self) -> Result<()> {
        Ok(())
    }
}
