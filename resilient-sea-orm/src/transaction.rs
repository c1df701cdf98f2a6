//! Transactions that a handle owns: SeaORM's `begin()` and `transaction()`.

use std::{fmt, future::Future, pin::Pin};

use resilient_core::{
    driver::{BeginOptions, Locking},
    scope::{Place, Scope, current, within},
};
use sea_orm::{
    AccessMode, DbErr, IsolationLevel, SqliteTransactionMode, TransactionError, TransactionOptions,
    TransactionSession, TransactionTrait,
};

use crate::{Error, ResilientConnection, connection::core_isolation, pool::Pool};

/// An open transaction or savepoint. Dropping it rolls it back.
///
/// Its own connection if it was begun outside of any scope; a savepoint of the surrounding
/// transaction if inside one. It does not retry: that is what resilient methods and
/// [`transact`](ResilientConnection::transact) are for.
pub struct ResilientTransaction {
    pub(crate) scope: Scope<Pool>,
    open: bool,
}

impl ResilientTransaction {
    pub(crate) fn new(scope: Scope<Pool>) -> Self {
        Self { scope, open: true }
    }

    /// Commits. A savepoint's work then belongs to the transaction around it.
    ///
    /// # Errors
    /// When the work is lost, or nobody knows: [`Error::from`] it and ask
    /// [`outcome`](Error::outcome).
    ///
    /// # Cancel safety
    /// Dropping the future rolls back, unless COMMIT was already sent.
    pub async fn commit(mut self) -> Result<(), DbErr> {
        let result = self.scope.commit().await;
        self.open = false;
        result.map_err(|failure| Error::from(failure).into())
    }

    /// Rolls back.
    ///
    /// # Errors
    /// When the server did not answer; the session was given up then, and the work with it.
    pub async fn rollback(mut self) -> Result<(), DbErr> {
        let result = self.scope.roll_back().await;
        self.open = false;
        result.map_err(|error| Error::from(resilient_core::Failure::database(error)).into())
    }

    /// Runs a closure in a savepoint; see [`ResilientConnection::transaction_async`].
    ///
    /// # Errors
    /// As there.
    pub async fn transaction_async<F, T, E>(&self, callback: F) -> Result<T, TransactionError<E>>
    where
        F: for<'c> AsyncFnOnce(&'c Self) -> Result<T, E> + Send,
        T: Send,
        E: fmt::Display + fmt::Debug + Send,
    {
        let inner = self.begin().await.map_err(TransactionError::Connection)?;
        let result = within(&inner.scope, callback(&inner)).await;
        finish(inner, result).await
    }

    fn nested(&self, options: TransactionOptions) -> Result<Self, DbErr> {
        let isolation = options.isolation_level.map(core_isolation);
        let scope = self.scope.handle(isolation).map_err(Error::from)?;
        Ok(Self::new(scope))
    }
}

impl Drop for ResilientTransaction {
    fn drop(&mut self) {
        if self.open {
            self.scope.abandon();
        }
    }
}

impl fmt::Debug for ResilientTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResilientTransaction")
            .finish_non_exhaustive()
    }
}

impl ResilientConnection {
    fn open(&self, options: TransactionOptions) -> Result<ResilientTransaction, DbErr> {
        let isolation = options.isolation_level.map(core_isolation);
        let scope = match current(&self.pool) {
            Place::Scope(scope) => scope.handle(isolation).map_err(Error::from)?,
            Place::Detached(_) | Place::Outside => Scope::root(
                &self.pool,
                BeginOptions {
                    isolation,
                    read_only: options.access_mode == Some(AccessMode::ReadOnly),
                    locking: match options.sqlite_transaction_mode {
                        None => self.pool.context.locking(),
                        Some(SqliteTransactionMode::Deferred) => Locking::Deferred,
                        Some(SqliteTransactionMode::Immediate) => Locking::Immediate,
                        Some(SqliteTransactionMode::Exclusive) => Locking::Exclusive,
                    },
                    time_left: None,
                    lock_timeout: None,
                },
            ),
        };
        Ok(ResilientTransaction::new(scope))
    }

    /// Runs a closure in a transaction, once: commits on `Ok`, rolls back on `Err`. Inside a
    /// scope it is a savepoint. Statements on this connection inside the closure run in it too.
    ///
    /// # Errors
    /// The closure's, or the connection's.
    pub async fn transaction_async<F, T, E>(&self, callback: F) -> Result<T, TransactionError<E>>
    where
        F: for<'c> AsyncFnOnce(&'c ResilientTransaction) -> Result<T, E> + Send,
        T: Send,
        E: fmt::Display + fmt::Debug + Send,
    {
        self.transaction_with_config_async(callback, None, None)
            .await
    }

    /// The same with an isolation level and access mode.
    ///
    /// # Errors
    /// As there.
    pub async fn transaction_with_config_async<F, T, E>(
        &self,
        callback: F,
        isolation_level: Option<IsolationLevel>,
        access_mode: Option<AccessMode>,
    ) -> Result<T, TransactionError<E>>
    where
        F: for<'c> AsyncFnOnce(&'c ResilientTransaction) -> Result<T, E> + Send,
        T: Send,
        E: fmt::Display + fmt::Debug + Send,
    {
        let transaction = self
            .open(config(isolation_level, access_mode))
            .map_err(TransactionError::Connection)?;
        let result = within(&transaction.scope, callback(&transaction)).await;
        finish(transaction, result).await
    }
}

fn config(
    isolation_level: Option<IsolationLevel>,
    access_mode: Option<AccessMode>,
) -> TransactionOptions {
    TransactionOptions {
        isolation_level,
        access_mode,
        sqlite_transaction_mode: None,
    }
}

/// Commits or rolls back by the closure's result. The closure's error is what the caller needs,
/// so a rollback that failed as well does not take its place.
async fn finish<T, E>(
    transaction: ResilientTransaction,
    result: Result<T, E>,
) -> Result<T, TransactionError<E>>
where
    E: fmt::Display + fmt::Debug,
{
    match result {
        Ok(value) => {
            transaction
                .commit()
                .await
                .map_err(TransactionError::Connection)?;
            Ok(value)
        }
        Err(error) => {
            if let Err(rollback) = transaction.rollback().await {
                // Not its text, which can quote users' data.
                let rollback = Error::from(rollback);
                tracing::warn!(target: "resilient", %rollback, "rollback failed; session given up");
            }
            Err(TransactionError::Transaction(error))
        }
    }
}

macro_rules! transaction_trait {
    ($type:ty, $self:ident, $options:ident => $open:expr) => {
        #[async_trait::async_trait]
        impl TransactionTrait for $type {
            type Transaction = ResilientTransaction;

            async fn begin(&self) -> Result<ResilientTransaction, DbErr> {
                self.begin_with_options(TransactionOptions::default()).await
            }

            async fn begin_with_config(
                &self,
                isolation_level: Option<IsolationLevel>,
                access_mode: Option<AccessMode>,
            ) -> Result<ResilientTransaction, DbErr> {
                self.begin_with_options(config(isolation_level, access_mode)).await
            }

            async fn begin_with_options(
                &$self,
                $options: TransactionOptions,
            ) -> Result<ResilientTransaction, DbErr> {
                $open
            }

            async fn transaction<F, T, E>(&self, callback: F) -> Result<T, TransactionError<E>>
            where
                F: for<'c> FnOnce(
                        &'c ResilientTransaction,
                    )
                        -> Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'c>>
                    + Send,
                T: Send,
                E: fmt::Display + fmt::Debug + Send,
            {
                self.transaction_with_config(callback, None, None).await
            }

            async fn transaction_with_config<F, T, E>(
                &self,
                callback: F,
                isolation_level: Option<IsolationLevel>,
                access_mode: Option<AccessMode>,
            ) -> Result<T, TransactionError<E>>
            where
                F: for<'c> FnOnce(
                        &'c ResilientTransaction,
                    )
                        -> Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'c>>
                    + Send,
                T: Send,
                E: fmt::Display + fmt::Debug + Send,
            {
                let transaction = self
                    .begin_with_config(isolation_level, access_mode)
                    .await
                    .map_err(TransactionError::Connection)?;
                let result = within(&transaction.scope, callback(&transaction)).await;
                finish(transaction, result).await
            }
        }
    };
}

transaction_trait!(ResilientConnection, self, options => self.open(options));
transaction_trait!(ResilientTransaction, self, options => self.nested(options));

#[async_trait::async_trait]
impl TransactionSession for ResilientTransaction {
    async fn commit(self) -> Result<(), DbErr> {
        Self::commit(self).await
    }

    async fn rollback(self) -> Result<(), DbErr> {
        Self::rollback(self).await
    }
}
