use resilient_sea_orm::prelude::*;

struct Repo {
    db: ResilientConnection,
}

#[resilient(admission = "adaptiv")]
impl Repo {
    pub async fn read(&self) -> Result<u32> {
        Ok(1)
    }
}

fn main() {
    let _ = Repo::read;
}
