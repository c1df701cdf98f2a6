use resilient_sea_orm::prelude::*;

#[resilient]
mod repo {}

fn main() {}
