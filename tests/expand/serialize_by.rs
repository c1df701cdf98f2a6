#[resilient(retries = 3, serialize_by = (order.from, self.tenant))]
impl Accounts {
    pub async fn transfer(&self, order: Order) -> Result<Receipt> {
        debit(&self.db, order.from).await
    }

    #[resilient(retries = 0, serialize_by = id)]
    pub async fn close(&self, id: i64) -> Result<()> {
        credit(&self.db, id).await
    }
}
