use resilient_sea_orm::prelude::*;

#[resilient]
pub struct Repo;

fn main() {}
