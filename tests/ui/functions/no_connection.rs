use resilient_sea_orm::prelude::*;

#[resilient]
pub async fn read() -> Result<u32> {
    Ok(1)
}

fn main() {}
