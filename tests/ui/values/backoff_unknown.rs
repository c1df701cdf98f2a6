use resilient_sea_orm::prelude::*;

struct Repo {
    db: ResilientConnection,
}

#[resilient(backoff = expontial(base = "1ms"))]
impl Repo {
    pub async fn read(&self) -> Result<u32> {
        Ok(1)
    }
}

fn main() {
    let _ = Repo::read;
}
