use resilient_sea_orm::prelude::*;

#[resilient]
const REPO: u32 = 1;

fn main() {}
