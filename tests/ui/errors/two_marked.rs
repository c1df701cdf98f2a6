use resilient_sea_orm::prelude::*;

#[derive(RepositoryError)]
pub enum AccountError {
    #[resilient(source)]
    Database(Error),
    #[resilient(source)]
    Other(Error),
}

fn main() {}
