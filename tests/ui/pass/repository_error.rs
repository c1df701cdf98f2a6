//! Errors of the user's, with and without thiserror.
#![deny(warnings)]

use std::sync::Arc;

use resilient_sea_orm::prelude::*;
use sea_orm::{ConnectionTrait, DbErr};

#[derive(Debug, thiserror::Error, RepositoryError)]
pub enum AccountError {
    #[error("there is no account {0}")]
    NotFound(i64),
    #[error(transparent)]
    #[resilient(source)]
    Database(Error),
}

pub struct Accounts {
    db: ResilientConnection,
}

#[resilient]
impl Accounts {
    pub async fn read(&self, id: i64) -> Result<u64, AccountError> {
        // A `DbErr`, and an `Error`.
        let done = self.db.execute_unprepared("SELECT 1").await?;
        self.inner().await?;
        if done.rows_affected() == 0 {
            return Err(AccountError::NotFound(id));
        }
        Ok(1)
    }

    pub async fn inner(&self) -> Result<()> {
        Ok(())
    }
}

#[derive(Debug, thiserror::Error, RepositoryError)]
pub enum FromOurs {
    #[error("the database")]
    #[resilient(source)]
    Database(#[from] Error),
}

#[derive(Debug, thiserror::Error, RepositoryError)]
pub enum FromTheirs {
    #[error("the database")]
    #[resilient(source)]
    Database {
        #[from]
        source: DbErr,
    },
}

#[derive(Debug, thiserror::Error, RepositoryError)]
pub enum FromBox {
    #[error("the database")]
    #[resilient(source)]
    Database(#[from] Box<Error>),
}

#[derive(Debug, RepositoryError)]
#[resilient(crate = ::resilient_sea_orm)]
pub enum Shared<'a, T: Clone, const N: usize>
where
    T: Send,
{
    Other(&'a [T; N]),
    #[resilient(source)]
    Database { error: Arc<Error> },
}

#[derive(Debug, RepositoryError)]
pub enum Theirs {
    #[resilient(source)]
    Database(DbErr),
}

fn both<E: From<Error> + From<DbErr>>() {}

fn main() {
    both::<AccountError>();
    both::<FromOurs>();
    both::<FromTheirs>();
    both::<FromBox>();
    both::<Shared<'static, u8, 3>>();
    both::<Theirs>();
    let _ = |error: AccountError| match error {
        AccountError::NotFound(_) | AccountError::Database(_) => {}
    };
}
