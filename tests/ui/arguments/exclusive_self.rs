use resilient_sea_orm::prelude::*;

struct Repo {
    db: ResilientConnection,
}

#[resilient]
impl Repo {
    pub async fn read(&mut self) -> Result<u32> {
        Ok(1)
    }
}

fn main() {}
