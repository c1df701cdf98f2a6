use resilient_sea_orm::prelude::*;

#[derive(RepositoryError)]
pub enum AccountError {
    NotFound(i64),
    Database(Error),
}

fn main() {}
