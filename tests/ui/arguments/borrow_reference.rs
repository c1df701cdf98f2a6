use resilient_sea_orm::prelude::*;

struct Repo {
    db: ResilientConnection,
}

#[resilient]
impl Repo {
    #[resilient(borrow = [order])]
    pub async fn read(&self, order: &str) -> Result<usize> {
        Ok(order.len())
    }
}

fn main() {}
