use resilient_sea_orm::prelude::*;

#[resilient]
pub enum Repo {
    One,
}

fn main() {}
