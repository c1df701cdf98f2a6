use resilient_sea_orm::prelude::*;

struct Repo {
    db: ResilientConnection,
}

#[resilient(retries = 3, retries = 4)]
impl Repo {
    pub async fn read(&self) -> Result<u32> {
        Ok(1)
    }
}

fn main() {
    let _ = Repo::read;
}
