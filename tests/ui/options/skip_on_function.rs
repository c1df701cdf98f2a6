use resilient_sea_orm::prelude::*;

#[resilient(skip)]
pub async fn read(db: &ResilientConnection) -> Result<u32> {
    let _ = db;
    Ok(1)
}

fn main() {}
