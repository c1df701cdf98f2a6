use resilient_sea_orm::prelude::*;

struct Repo {
    db: ResilientConnection,
}

#[resilient]
impl Repo {
    #[resilient(serialize_by = (from, too))]
    pub async fn transfer(&self, from: i64, to: i64) -> Result<i64> {
        Ok(from + to)
    }
}

fn main() {
    let _ = Repo::transfer;
}
