#[resilient(borrow = [token], db = self.pool, name = "tokens")]
async fn spend<T: Clone>(self: Arc<Self>, token: Token, note: T) -> Result<impl Iterator<Item = T>, MyError> {
    token.spend(&self.pool, &note).await?;
    Ok(iter::once(note))
}
