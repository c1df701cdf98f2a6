use resilient_sea_orm::prelude::*;

pub trait Repo {
    #[resilient]
    async fn read(&self) -> Result<u32>;
}

fn main() {}
