use resilient_sea_orm::prelude::*;

struct Repo {
    db: ResilientConnection,
}

#[resilient(propagation = "never")]
impl Repo {
    #[resilient(serialize_by = id)]
    pub async fn read(&self, id: i64) -> Result<i64> {
        Ok(id)
    }

    #[resilient(serialize_by = id, propagation = "supports")]
    pub async fn again(&self, id: i64) -> Result<i64> {
        Ok(id)
    }

    #[resilient(serialize_by = id, propagation = "mandatory")]
    pub async fn inside(&self, id: i64) -> Result<i64> {
        Ok(id)
    }
}

fn main() {
    let _ = (Repo::read, Repo::again, Repo::inside);
}
