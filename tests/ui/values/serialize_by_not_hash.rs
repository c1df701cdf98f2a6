use resilient_sea_orm::prelude::*;

struct Repo {
    db: ResilientConnection,
}

struct Account;

#[resilient]
impl Repo {
    #[resilient(serialize_by = (from, weight))]
    pub async fn transfer(&self, from: i64, weight: f64) -> Result<i64> {
        let _ = weight;
        Ok(from)
    }

    #[resilient(serialize_by = &account)]
    pub async fn close(&self, account: &Account) -> Result<()> {
        let _ = account;
        Ok(())
    }
}

fn main() {
    let _ = Repo::transfer;
    let _ = Repo::close;
}
