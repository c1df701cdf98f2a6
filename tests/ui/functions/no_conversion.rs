use resilient_sea_orm::prelude::*;

#[derive(Debug)]
pub struct MyError;

struct Repo {
    db: ResilientConnection,
}

#[resilient]
impl Repo {
    pub async fn read(&self) -> Result<u32, MyError> {
        Ok(1)
    }
}

fn main() {}
