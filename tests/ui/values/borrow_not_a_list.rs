use resilient_sea_orm::prelude::*;

struct Repo {
    db: ResilientConnection,
}

#[resilient]
impl Repo {
    #[resilient(borrow = id)]
    pub async fn read(&self, id: String) -> Result<usize> {
        Ok(id.len())
    }
}

fn main() {}
