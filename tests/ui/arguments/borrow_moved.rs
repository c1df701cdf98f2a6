use resilient_sea_orm::prelude::*;

struct Repo {
    db: ResilientConnection,
}

#[resilient]
impl Repo {
    #[resilient(borrow = [order])]
    pub async fn read(&self, order: String) -> Result<String> {
        let moved: String = order;
        Ok(moved)
    }
}

fn main() {}
