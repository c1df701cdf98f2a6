use resilient_sea_orm::prelude::*;

#[resilient]
pub trait Repo {
    fn read(&self);
}

fn main() {}
