use resilient_sea_orm::prelude::*;

struct Repo {
    db: ResilientConnection,
}

impl Repo {
    #[resilient(retries = 1)]
    #[resilient(read_only)]
    pub async fn read(&self) -> Result<u32> {
        Ok(1)
    }
}

fn main() {}
