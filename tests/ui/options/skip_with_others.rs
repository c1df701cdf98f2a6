use resilient_sea_orm::prelude::*;

struct Repo {
    db: ResilientConnection,
}

#[resilient]
impl Repo {
    #[resilient(skip, retries = 3)]
    pub async fn read(&self) -> Result<u32> {
        Ok(1)
    }

    pub async fn other(&self) -> Result<u32> {
        Ok(2)
    }
}

fn main() {}
