use resilient_sea_orm::prelude::*;

#[derive(RepositoryError)]
#[resilient(krate = robust)]
pub enum AccountError {
    #[resilient(sorce)]
    Database(Error),
    #[resilient(retries = 3)]
    Other(Error),
}

fn main() {}
