use resilient_sea_orm::prelude::*;

#[derive(RepositoryError)]
pub enum AccountError {
    #[resilient(source)]
    Database(u32),
}

fn main() {}
