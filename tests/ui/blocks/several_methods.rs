use resilient_sea_orm::prelude::*;

struct Repo {
    db: ResilientConnection,
}

#[resilient]
impl Repo {
    #[resilient(retrys = 1)]
    pub async fn one(&self) -> Result<u32> {
        Ok(1)
    }

    #[resilient]
    pub fn two(&self) -> Result<u32> {
        Ok(2)
    }

    pub async fn three(&mut self) -> Result<u32> {
        Ok(3)
    }
}

fn main() {
    let _ = (Repo::one, Repo::two, Repo::three);
}
