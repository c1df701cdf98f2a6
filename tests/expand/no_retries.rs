#[resilient(retries = 0, db = pool, crate = crate::runtime)]
pub async fn import(pool: &ResilientConnection, mut token: Token, out: &mut Vec<u8>) -> Result<()> {
    out.push(token.next());
    Ok(())
}
