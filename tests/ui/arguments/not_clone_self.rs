use resilient_sea_orm::prelude::*;

struct Repo {
    token: std::sync::Mutex<u8>,
    db: ResilientConnection,
}

#[resilient]
impl Repo {
    pub async fn read(self) -> Result<u32> {
        Ok(1)
    }
}

fn main() {}
