use resilient_sea_orm::prelude::*;

struct Repo {
    db: ResilientConnection,
}

#[resilient]
impl Repo {
    #[resilient()]
    pub async fn read(&self) {
        
    }
}

fn main() {}
