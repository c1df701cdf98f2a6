use resilient_sea_orm::prelude::*;

struct Repo {
    db: ResilientConnection,
}

#[resilient]
impl Repo {
    #[resilient(name = read)]
    pub async fn read(&self) -> Result<u32> {
        Ok(1)
    }
}

fn main() {}
