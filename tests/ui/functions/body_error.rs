use resilient_sea_orm::prelude::*;

struct Repo {
    db: ResilientConnection,
}

#[resilient]
impl Repo {
    pub async fn read(&self) -> Result<u32> {
        let text: String = 1;
        Ok(text.len()).map(|_| "one")
    }
}

fn main() {}
