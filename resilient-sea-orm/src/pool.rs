//! The database behind a [`ResilientConnection`](crate::ResilientConnection): SeaORM's
//! connection, reached through its sqlx pool.

use std::sync::Arc;

use resilient_core::{
    DriverError, Effect, Failure, Fault, FaultKind,
    driver::{BeginOptions, Context, Database},
};
use sea_orm::{DatabaseConnection, DatabaseConnectionType, DbErr};

use crate::{
    Error, advice,
    constraints::Schema,
    extract,
    session::{Session, Wire},
};

/// What clones of a connection share.
#[derive(Debug)]
pub struct Pool {
    pub(crate) connection: DatabaseConnection,
    pub(crate) context: Context,
    pub(crate) schema: Arc<Schema>,
}

impl Database for Pool {
    type Session = Session;
    type Error = Error;

    fn check_own_wait(&self, options: &BeginOptions) -> Result<(), Failure> {
        advice::check_room(self)?;
        advice::check_write_lock(self, options.takes_write_lock())
    }

    async fn acquire(&self) -> Result<Session, DriverError> {
        let wire = match &self.connection.inner {
            #[cfg(feature = "sqlx-postgres")]
            DatabaseConnectionType::SqlxPostgresPoolConnection(_) => {
                let pool = self.connection.get_postgres_connection_pool();
                Wire::Postgres(pool.acquire().await.map_err(|e| self.acquire_error(e))?)
            }
            #[cfg(feature = "sqlx-mysql")]
            DatabaseConnectionType::SqlxMySqlPoolConnection(_) => {
                let pool = self.connection.get_mysql_connection_pool();
                Wire::MySql(pool.acquire().await.map_err(|e| self.acquire_error(e))?)
            }
            #[cfg(feature = "sqlx-sqlite")]
            DatabaseConnectionType::SqlxSqlitePoolConnection(_) => {
                let pool = self.connection.get_sqlite_connection_pool();
                Wire::Sqlite(pool.acquire().await.map_err(|e| self.acquire_error(e))?)
            }
            DatabaseConnectionType::Disconnected => {
                return Err(driver_error(&DbErr::Conn(sea_orm::RuntimeErr::Internal(
                    "Disconnected".to_owned(),
                ))));
            }
            // Nothing is left for it where neither mocks nor proxies are compiled.
            #[allow(unreachable_patterns)]
            _ => Wire::SeaOrm {
                db: self.connection.clone(),
                transaction: None,
            },
        };
        Ok(Session::new(wire, &self.schema))
    }

    fn context(&self) -> &Context {
        &self.context
    }
}

impl Pool {
    #[cfg(feature = "sqlx-dep")]
    fn acquire_error(&self, error: sqlx::Error) -> DriverError {
        use sea_orm::{ConnAcquireErr, RuntimeErr};
        let error = match error {
            sqlx::Error::PoolTimedOut => DbErr::ConnectionAcquire(ConnAcquireErr::Timeout),
            sqlx::Error::PoolClosed => DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed),
            other => DbErr::Conn(RuntimeErr::SqlxError(std::sync::Arc::new(other))),
        };
        let fault = extract::fault_at_connect(&error).unwrap_or_else(unknown);
        if fault.kind() != FaultKind::PoolTimeout {
            return DriverError::new(fault, error);
        }
        // sqlx says "pool timed out" also when it tried to connect all the time.
        match advice::unreachable(self) {
            Some(advice) => {
                let down = Fault::new(FaultKind::ServerUnavailable, Effect::Connection);
                DriverError::new(down, error).with_advice(advice)
            }
            None => DriverError::new(fault, error).with_advice(advice::pool_exhausted(self)),
        }
    }
}

fn unknown() -> Fault {
    Fault::new(FaultKind::Other, Effect::Unknown)
}

/// A driver error from one of SeaORM's.
pub(crate) fn driver_error(error: &DbErr) -> DriverError {
    or_unknown(extract::fault(error), error)
}

/// The same with a verdict, where there is one.
pub(crate) fn or_unknown(fault: Option<Fault>, error: &DbErr) -> DriverError {
    DriverError::new(fault.unwrap_or_else(unknown), error.clone())
}
