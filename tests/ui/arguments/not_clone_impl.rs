use resilient_sea_orm::prelude::*;

struct Repo {
    db: ResilientConnection,
}

#[resilient]
impl Repo {
    pub async fn read(&self, token: impl AsRef<str>) -> Result<usize> {
        Ok(token.as_ref().len())
    }
}

fn main() {}
