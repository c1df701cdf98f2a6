use resilient_sea_orm::prelude::*;

#[derive(RepositoryError)]
#[resilient(source)]
pub enum AccountError {
    #[resilient(crate = robust)]
    NotFound,
    Database(#[resilient(source)] Error),
}

fn main() {}
