use resilient_sea_orm::prelude::*;

struct Repo {
    db: ResilientConnection,
}

#[resilient]
impl Repo {
    pub async fn read(&self, out: &mut Vec<u32>) -> Result<u32> {
        out.push(1);
        Ok(1)
    }
}

fn main() {}
