#[derive(RepositoryError)]
pub enum Tuple {
    NotFound(i64),
    #[resilient(source)]
    Database(resilient_sea_orm::Error),
}

#[derive(RepositoryError)]
#[resilient(crate = robust)]
pub enum Named<T: Clone> where T: Send {
    Other(T),
    #[resilient(source)]
    Database { source: Arc<robust::Error> },
}

#[derive(RepositoryError)]
pub enum FromError {
    #[resilient(source)]
    Database(#[from] Error),
}

#[derive(RepositoryError)]
pub enum FromDbErr {
    #[resilient(source)]
    Database(#[from] sea_orm::DbErr),
}

#[derive(RepositoryError)]
pub enum FromBox {
    #[resilient(source)]
    Database(#[from] Box<Error>),
}
