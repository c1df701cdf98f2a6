use resilient_sea_orm::prelude::*;

struct Repo {
    db: ResilientConnection,
}

#[resilient]
impl Repo {
    async fn private(&self) -> Result<u32> {
        Ok(1)
    }

    pub fn plain(&self) -> u32 {
        1
    }
}

fn main() {}
