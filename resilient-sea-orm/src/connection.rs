//! [`ResilientConnection`]: a `DatabaseConnection` that knows which transaction it is in.

use std::sync::Arc;

use resilient_core::{Config, IsolationLevel as Level, driver::Context};
use sea_orm::{
    ConnectOptions, DatabaseConnection, DatabaseConnectionType, DbBackend, IsolationLevel,
};

use crate::{
    Builder, Result, Target,
    commit::MarkerTable,
    constraints::Schema,
    health::{PoolHealth, WatchSlot},
    observed::observe,
    pool::Pool,
};

/// A database connection whose statements find their transaction by themselves.
///
/// It is used wherever a [`DatabaseConnection`] is. Inside a resilient method its statements run
/// in that method's transaction; elsewhere they run on the pool, as SeaORM's own would. Clones
/// share everything and cost a reference count.
///
/// A task started with `tokio::spawn` is outside of its parent's transaction, as it may outlive
/// it: give it what it needs and await it, or mark what must not run without a transaction with
/// `propagation = "mandatory"`, which is an error there.
///
/// ```
/// use resilient_sea_orm::prelude::*;
///
/// # async fn example() -> Result<()> {
/// let db = ResilientConnection::connect("sqlite::memory:").await?;
/// let total = db
///     .transact(TransactOptions::new().retries(5), || async {
///         // plain SeaORM calls on `db`, all in one transaction
///         Ok::<_, Error>(42)
///     })
///     .await?;
/// # assert_eq!(total, 42);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ResilientConnection {
    pub(crate) pool: Arc<Pool>,
}

impl ResilientConnection {
    /// Opens a pool, with the defaults of [`Builder`].
    ///
    /// # Errors
    /// When the URL is not understood, its engine's feature is off, or the server refuses.
    pub async fn connect(options: impl Into<ConnectOptions>) -> Result<Self> {
        Self::builder(options.into()).connect().await
    }

    /// Starts with everything at its default: policy, budget, time limits, name. The target is a
    /// URL, `ConnectOptions`, or an existing `DatabaseConnection`.
    pub fn builder(target: impl Into<Target>) -> Builder {
        Builder::default().to(target)
    }

    pub(crate) fn from_parts(
        connection: DatabaseConnection,
        context: Context,
        health: Arc<PoolHealth>,
        markers: MarkerTable,
    ) -> Self {
        health
            .connections
            .tell(context.name(), context.vitals().events().clone());
        let context = Arc::new(context);
        Self {
            pool: Arc::new(Pool {
                schema: Arc::new(Schema::new(&context, connection.clone())),
                _observed: observe(&connection, &context, &health),
                connection,
                context: context.into(),
                health,
                markers: Arc::new(markers),
                handover: Arc::default(),
                watch: WatchSlot::default(),
                #[cfg(feature = "testing")]
                faults: Arc::default(),
                #[cfg(feature = "testing")]
                lasting: std::sync::OnceLock::new(),
            }),
        }
    }

    /// SeaORM's connection underneath. What is sent through it runs on the pool, outside of any
    /// transaction of the framework.
    pub fn as_sea_orm(&self) -> &DatabaseConnection {
        &self.pool.connection
    }

    /// The name in metrics and messages.
    pub fn name(&self) -> &str {
        self.pool.context.name()
    }

    /// What was configured; the defaults unless [`Builder::config`] or the environment said
    /// otherwise.
    pub fn config(&self) -> &Config {
        self.pool.context.config()
    }

    /// Retries that the budget still allows.
    pub fn retry_budget(&self) -> u64 {
        self.pool.context.budget().available()
    }
}

impl From<DatabaseConnection> for ResilientConnection {
    /// Takes over an existing pool. It gets the same guarantees as one opened by
    /// [`ResilientConnection::connect`].
    fn from(connection: DatabaseConnection) -> Self {
        Builder::default().wrap(connection)
    }
}

/// The weakest level that transactions have by default. MySQL's is stronger as shipped, but
/// often set to this one.
pub(crate) fn default_isolation(connection: &DatabaseConnection) -> Level {
    match backend(connection) {
        Some(DbBackend::Sqlite) => Level::Serializable,
        _ => Level::ReadCommitted,
    }
}

/// The system's name in OpenTelemetry's registry.
pub(crate) fn system(connection: &DatabaseConnection) -> &'static str {
    match backend(connection) {
        Some(DbBackend::Postgres) => "postgresql",
        Some(DbBackend::MySql) => "mysql",
        Some(DbBackend::Sqlite) => "sqlite",
        _ => "disconnected",
    }
}

fn backend(connection: &DatabaseConnection) -> Option<DbBackend> {
    // It panics where there is none.
    let connected = !matches!(connection.inner, DatabaseConnectionType::Disconnected);
    connected.then(|| connection.get_database_backend())
}

pub(crate) fn core_isolation(level: IsolationLevel) -> Level {
    match level {
        IsolationLevel::ReadUncommitted => Level::ReadUncommitted,
        IsolationLevel::ReadCommitted => Level::ReadCommitted,
        IsolationLevel::RepeatableRead => Level::RepeatableRead,
        IsolationLevel::Serializable => Level::Serializable,
    }
}

pub(crate) fn sea_orm_isolation(level: Level) -> IsolationLevel {
    match level {
        Level::ReadUncommitted => IsolationLevel::ReadUncommitted,
        Level::ReadCommitted => IsolationLevel::ReadCommitted,
        Level::RepeatableRead => IsolationLevel::RepeatableRead,
        Level::Serializable => IsolationLevel::Serializable,
    }
}
