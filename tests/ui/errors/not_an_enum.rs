use resilient_sea_orm::prelude::*;

#[derive(RepositoryError)]
pub struct AccountError {
    pub error: Error,
}

#[derive(RepositoryError)]
pub union Either {
    pub left: u8,
    pub right: i8,
}

fn main() {}
