use resilient_sea_orm::prelude::*;

#[resilient(crate = ::resilient_sea_orm)]
#[derive(RepositoryError)]
pub enum AccountError {
    #[resilient(source)]
    Database(Error),
}

fn main() {}
