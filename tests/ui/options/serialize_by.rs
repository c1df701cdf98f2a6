use resilient_sea_orm::prelude::*;

struct Repo {
    db: ResilientConnection,
}

#[resilient(serialize_by = [id])]
impl Repo {
    pub async fn read(&self) -> Result<u32> {
        Ok(1)
    }
}

fn main() {
    let _ = Repo::read;
}
