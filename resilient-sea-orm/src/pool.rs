//! The database behind a [`ResilientConnection`](crate::ResilientConnection): SeaORM's
//! connection, reached through its sqlx pool.

use std::{sync::Arc, time::Duration};

use resilient_core::{
    CommitStatus, CommitToken, DriverError, Effect, Failure, Fault, FaultKind,
    driver::{BeginOptions, Database, SharedContext},
    health::{Lease, performance::Dialect},
    metrics::Observation,
    scope::holder,
};
use sea_orm::{DatabaseConnection, DatabaseConnectionType, DbErr};

use crate::{
    Error, advice,
    commit::MarkerTable,
    constraints::Schema,
    extract,
    handover::{Came, Handover},
    health::{PoolHealth, WatchSlot},
    session::{Session, Wire},
};

/// What clones of a connection share.
#[derive(Debug)]
pub struct Pool {
    pub(crate) connection: DatabaseConnection,
    pub(crate) context: SharedContext,
    pub(crate) schema: Arc<Schema>,
    pub(crate) health: Arc<PoolHealth>,
    pub(crate) markers: Arc<MarkerTable>,
    pub(crate) handover: Arc<Handover>,
    /// The monitor, which ends with this.
    pub(crate) watch: WatchSlot,
    /// What shows it to the metrics registry.
    pub(crate) _observed: Observation,
    #[cfg(feature = "testing")]
    pub(crate) faults: Arc<crate::testing::Slot>,
    /// The plan that lasts as long as this.
    #[cfg(feature = "testing")]
    pub(crate) lasting: std::sync::OnceLock<crate::testing::Injection>,
}

impl Database for Pool {
    type Session = Session;
    type Error = Error;

    fn check_own_wait(&self, options: &BeginOptions) -> Result<(), Failure> {
        advice::check_room(self)?;
        advice::check_write_lock(self, options.takes_write_lock())
    }

    /// As long as for a connection.
    fn patience(&self) -> Duration {
        advice::gauge(self).map_or(self.context.limits().statement, |gauge| {
            gauge.acquire_timeout
        })
    }

    fn limits_lock_waits(&self) -> bool {
        crate::vitals::dialect(self) != Dialect::Sqlite
    }

    async fn acquire(&self) -> Result<Session, DriverError> {
        #[cfg(feature = "testing")]
        if let Some(strike) = self.faults.at(crate::testing::Point::Acquire, "acquire") {
            Box::pin(self.disturb_acquire(strike)).await?;
        }
        #[cfg(feature = "testing")]
        {
            // Boxed, as this feature must not make the futures of callers deeper.
            let session = Box::pin(self.acquire_for(holder(self))).await;
            session.map(|session| session.with_faults(&self.faults))
        }
        #[cfg(not(feature = "testing"))]
        self.acquire_for(holder(self)).await
    }

    #[cfg(feature = "sqlx-dep")]
    async fn fence(&self, token: CommitToken) -> Result<CommitStatus, DriverError> {
        crate::commit::fence(self, token).await
    }

    #[cfg(feature = "sqlx-dep")]
    fn tidy(self: &Arc<Self>) {
        crate::commit::tidy(self);
    }

    fn context(&self) -> &SharedContext {
        &self.context
    }
}

impl Pool {
    /// Takes a connection, which `method` is said to hold.
    pub(crate) async fn acquire_for(
        &self,
        method: Option<&'static str>,
    ) -> Result<Session, DriverError> {
        let clock = self.health.connections.clock();
        let waiting = self.health.connections.meter().wait(clock.now());
        let wire = std::pin::pin!(self.wire(method));
        match self
            .handover
            .or(wire, || self.hands_over() && self.is_full())
            .await
        {
            Came::Pool(Ok((wire, lease))) => {
                waiting.got(clock.now());
                let mut session = Session::new(wire, lease, &self.schema, &self.markers);
                session.handover = self.hands_over().then(|| Arc::clone(&self.handover));
                Ok(session)
            }
            Came::Handed(session) => {
                waiting.got(clock.now());
                Ok(session.taken_over(method))
            }
            Came::Pool(Err(error)) => {
                waiting.failed();
                Err(error)
            }
        }
    }

    /// Whether connections may go from caller to caller: a hook of the user's that a pool runs
    /// between them would be passed by.
    fn hands_over(&self) -> bool {
        self.health.hooks
    }

    /// Whether a connection can only be had from others.
    fn is_full(&self) -> bool {
        #[cfg(feature = "sqlx-dep")]
        fn full<DB: sqlx::Database>(pool: &sqlx::Pool<DB>) -> bool {
            pool.num_idle() == 0 && pool.size() >= pool.options().get_max_connections()
        }
        match &self.connection.inner {
            #[cfg(feature = "sqlx-postgres")]
            DatabaseConnectionType::SqlxPostgresPoolConnection(_) => {
                full(self.connection.get_postgres_connection_pool())
            }
            #[cfg(feature = "sqlx-mysql")]
            DatabaseConnectionType::SqlxMySqlPoolConnection(_) => {
                full(self.connection.get_mysql_connection_pool())
            }
            #[cfg(feature = "sqlx-sqlite")]
            DatabaseConnectionType::SqlxSqlitePoolConnection(_) => {
                full(self.connection.get_sqlite_connection_pool())
            }
            _ => false,
        }
    }

    /// A connection that is idle now, without waiting for one.
    #[cfg(feature = "sqlx-dep")]
    pub(crate) fn idle_session(&self) -> Option<Session> {
        let wire = match &self.connection.inner {
            #[cfg(feature = "sqlx-postgres")]
            DatabaseConnectionType::SqlxPostgresPoolConnection(_) => Wire::Postgres(
                self.connection
                    .get_postgres_connection_pool()
                    .try_acquire()?,
            ),
            #[cfg(feature = "sqlx-mysql")]
            DatabaseConnectionType::SqlxMySqlPoolConnection(_) => {
                Wire::MySql(self.connection.get_mysql_connection_pool().try_acquire()?)
            }
            #[cfg(feature = "sqlx-sqlite")]
            DatabaseConnectionType::SqlxSqlitePoolConnection(_) => {
                Wire::Sqlite(self.connection.get_sqlite_connection_pool().try_acquire()?)
            }
            _ => return None,
        };
        Some(Session::new(wire, None, &self.schema, &self.markers))
    }

    #[cfg_attr(not(feature = "sqlx-dep"), allow(clippy::unused_async))]
    async fn wire(
        &self,
        method: Option<&'static str>,
    ) -> Result<(Wire, Option<Lease>), DriverError> {
        #[cfg(feature = "sqlx-dep")]
        macro_rules! take {
            ($wire:ident, $pool:expr) => {{
                // A circuit breaker is to hear of each failure.
                let waits = self.context.vitals().breaker().is_none();
                let taken = crate::health::take($pool, &self.health, method, waits).await;
                let (conn, lease) = taken.map_err(|e| self.acquire_error(e))?;
                Ok((Wire::$wire(conn), lease))
            }};
        }
        match &self.connection.inner {
            #[cfg(feature = "sqlx-postgres")]
            DatabaseConnectionType::SqlxPostgresPoolConnection(_) => {
                take!(Postgres, self.connection.get_postgres_connection_pool())
            }
            #[cfg(feature = "sqlx-mysql")]
            DatabaseConnectionType::SqlxMySqlPoolConnection(_) => {
                take!(MySql, self.connection.get_mysql_connection_pool())
            }
            #[cfg(feature = "sqlx-sqlite")]
            DatabaseConnectionType::SqlxSqlitePoolConnection(_) => {
                take!(Sqlite, self.connection.get_sqlite_connection_pool())
            }
            DatabaseConnectionType::Disconnected => Err(driver_error(&DbErr::Conn(
                sea_orm::RuntimeErr::Internal("Disconnected".to_owned()),
            ))),
            // Nothing is left for it where neither mocks nor proxies are compiled.
            #[allow(unreachable_patterns)]
            _ => {
                let wire = Wire::SeaOrm {
                    db: self.connection.clone(),
                    transaction: None,
                };
                Ok((wire, None))
            }
        }
    }

    #[cfg(feature = "testing")]
    async fn disturb_acquire(&self, strike: crate::testing::Strike) -> Result<(), DriverError> {
        let backend = self.connection.get_database_backend();
        if let Some(error) = crate::testing::unavailable(&strike, backend) {
            return Err(self.acquire_error(error));
        }
        strike.wait().await;
        Ok(())
    }

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
