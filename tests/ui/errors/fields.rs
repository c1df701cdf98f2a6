use resilient_sea_orm::prelude::*;

#[derive(RepositoryError)]
pub enum Without {
    #[resilient(source)]
    Database,
}

#[derive(RepositoryError)]
pub enum Two {
    #[resilient(source)]
    Database { error: Error, method: String },
}

fn main() {}
