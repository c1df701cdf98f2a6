use resilient_sea_orm::prelude::*;

struct Repo {
    db: ResilientConnection,
}

#[resilient(isolation = "serializable")]
impl Repo {
    #[resilient(propagation = "supports")]
    pub async fn read(&self) -> Result<u32> {
        Ok(1)
    }
}

fn main() {}
