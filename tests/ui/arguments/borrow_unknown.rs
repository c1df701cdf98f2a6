use resilient_sea_orm::prelude::*;

struct Repo {
    db: ResilientConnection,
}

#[resilient]
impl Repo {
    #[resilient(borrow = [oder])]
    pub async fn read(&self, order: String) -> Result<usize> {
        Ok(order.len())
    }
}

fn main() {}
