use resilient_sea_orm::prelude::*;

pub struct Own;

#[derive(RepositoryError)]
pub enum AccountError {
    #[resilient(source)]
    Database(Own),
}

fn main() {}
