use resilient_sea_orm::prelude::*;

struct Repo {
    db: ResilientConnection,
}

#[resilient]
impl Repo {
    #[cfg_attr(all(), resilient(retries = 1))]
    pub async fn read(&self) -> Result<u32> {
        Ok(1)
    }
}

fn main() {}
