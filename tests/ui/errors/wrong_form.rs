use resilient_sea_orm::prelude::*;

#[derive(RepositoryError)]
#[resilient(crate = "robust", crate = robust)]
pub enum AccountError {
    #[resilient(source = true, source)]
    Database(Error),
    #[resilient()]
    Other,
    #[resilient]
    Another,
}

fn main() {}
