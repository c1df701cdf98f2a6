use resilient_sea_orm::prelude::*;

struct Repo {
    db: ResilientConnection,
}

#[resilient]
impl Repo {
    #[resilient]
    pub async fn open() -> Result<Self> {
        Err(Error::custom("never runs"))
    }
}

fn main() {}
