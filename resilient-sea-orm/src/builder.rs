//! [`Builder`]: how a connection behaves.

use std::{sync::Arc, time::Duration};

use resilient_core::{
    Config,
    admission::Admission,
    commit::VerifySettings,
    driver::{Context, Locking, WireLimits},
    health::{
        HealthSettings, VitalsConfig,
        alerts::{Alert, AlertCallback, AlertConfig, Change},
        breaker::BreakerConfig,
        performance::PerformanceConfig,
    },
    policy::{Budget, BudgetConfig, RetryPolicy},
    time::{Clock, Random, ThreadRandom, TokioClock},
};
use sea_orm::{ConnectOptions, DatabaseConnection, DatabaseConnectionType};

use crate::{
    ResilientConnection, Result,
    commit::MarkerTable,
    configured::{self, Hooks},
    connection::{default_isolation, system},
    health::PoolHealth,
};

/// Everything that can be chosen for a [`ResilientConnection`].
///
/// ```
/// use std::time::Duration;
/// use resilient_sea_orm::{ResilientConnection, policy::RetryPolicy};
/// # async fn example() -> resilient_sea_orm::Result<()> {
/// let db = ResilientConnection::builder("sqlite::memory:")
///     .name("ledger")
///     .policy(RetryPolicy::new().retries(5).deadline(Duration::from_secs(10)))
///     .connect()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Builder {
    pub(crate) target: Option<Target>,
    name: Option<String>,
    pub(crate) policy: RetryPolicy,
    budget: BudgetConfig,
    pub(crate) limits: WireLimits,
    /// Whether the limit for statements is the configuration's.
    pub(crate) limit_configured: bool,
    pub(crate) config: Option<Arc<Config>>,
    locking: Locking,
    admission: Admission,
    pub(crate) verify: VerifySettings,
    pub(crate) markers: MarkerTable,
    clock: Option<Arc<dyn Clock>>,
    random: Option<Arc<dyn Random>>,
    pub(crate) health: HealthSettings,
    hooks: Option<bool>,
    vitals: VitalsConfig,
    #[cfg(feature = "testing")]
    pub(crate) faults: Option<crate::testing::FaultPlan>,
}

/// What a [`Builder`] connects to: a URL, SeaORM's [`ConnectOptions`], or an existing connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Target {
    /// A pool that is opened on this database.
    Url(String),
    /// A pool that is opened with these options.
    Open(Box<ConnectOptions>),
    /// A pool that is there already, or a mock.
    Existing(DatabaseConnection),
}

impl From<ConnectOptions> for Target {
    fn from(options: ConnectOptions) -> Self {
        Self::Open(Box::new(options))
    }
}

impl From<&str> for Target {
    fn from(url: &str) -> Self {
        Self::Url(url.to_owned())
    }
}

impl From<String> for Target {
    fn from(url: String) -> Self {
        Self::Url(url)
    }
}

impl From<&String> for Target {
    fn from(url: &String) -> Self {
        url.as_str().into()
    }
}

impl From<DatabaseConnection> for Target {
    fn from(connection: DatabaseConnection) -> Self {
        Self::Existing(connection)
    }
}

impl Builder {
    /// Sets what to connect to, as [`ResilientConnection::builder`] does. A default builder has
    /// no target yet, so that one set of choices can serve several databases.
    #[must_use]
    pub fn to(mut self, target: impl Into<Target>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// The name in metrics and messages; the database system's name (`postgresql`, `mysql`,
    /// `sqlite`) by default. Connections of one name are counted together.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// What methods do that do not say otherwise; 3 retries of what is transient by default.
    #[must_use]
    pub fn policy(mut self, policy: RetryPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// How much load retries may add; 20 % of the calls and a reserve of 100 by default.
    #[must_use]
    pub fn retry_budget(mut self, budget: BudgetConfig) -> Self {
        self.budget = budget;
        self
    }

    /// How long a statement may stay unanswered before the connection counts as lost; 300 s by
    /// default. The server's own `statement_timeout` should be shorter.
    #[must_use]
    pub fn statement_limit(mut self, limit: Duration) -> Self {
        self.limits.statement = limit;
        self.limit_configured = false;
        self
    }

    /// The same for BEGIN, COMMIT, ROLLBACK and savepoints; 30 s by default.
    #[must_use]
    pub fn control_limit(mut self, limit: Duration) -> Self {
        self.limits.control = limit;
        self
    }

    /// When transactions take SQLite's write lock; at BEGIN by default. Other engines ignore it.
    #[must_use]
    pub fn locking(mut self, locking: Locking) -> Self {
        self.locking = locking;
        self
    }

    /// Whether calls that are in each other's way take turns, unless they ask otherwise; off by
    /// default.
    #[must_use]
    pub fn admission(mut self, admission: Admission) -> Self {
        self.admission = admission;
        self
    }

    /// From how long on a statement is slow, and how many slow ones are kept; 100 ms and 50 by
    /// default.
    #[must_use]
    pub fn performance(mut self, performance: PerformanceConfig) -> Self {
        self.vitals.performance = performance;
        self
    }

    /// When alerts are raised and cleared; see [`AlertConfig`] for the defaults.
    #[must_use]
    pub fn alerts(mut self, alerts: AlertConfig) -> Self {
        self.vitals.alerts = alerts;
        self
    }

    /// Calls this with each change of an alert, by whoever caused it, so it should be quick.
    /// Alerts are also logged and sent to
    /// [`ResilientConnection::health_events`].
    #[must_use]
    pub fn on_alert(mut self, callback: impl Fn(Change, &Alert) + Send + Sync + 'static) -> Self {
        self.vitals.callbacks.push(AlertCallback::new(callback));
        self
    }

    /// Fails fast while the server is away; off by default. See
    /// [`breaker`](resilient_core::health::breaker) for what it counts and what a rejected call
    /// gets.
    #[must_use]
    pub fn circuit_breaker(mut self, breaker: BreakerConfig) -> Self {
        self.vitals.breaker = Some(breaker);
        self
    }

    /// The clock of delays and deadlines; tokio's by default.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// The source of jitter.
    #[must_use]
    pub fn random(mut self, random: impl Random) -> Self {
        self.random = Some(Arc::new(random));
        self
    }

    /// What checks, connections and the pool are judged by; see [`HealthSettings`] for the
    /// defaults.
    #[must_use]
    pub fn health(mut self, settings: HealthSettings) -> Self {
        self.health = settings;
        self
    }

    /// Whether the pool's `before_acquire` hook is ours, so that connections are judged also
    /// when they are taken past the framework. It is by default for a URL, and not for
    /// `ConnectOptions`, as those may hold a hook of that kind already, of which a pool has only
    /// one. Without it, connections are judged when the framework takes and returns them.
    ///
    /// Where it is ours, a connection may go from one caller to the next without a way through the
    /// full pool, and so past the pool's `after_release` hook too.
    #[must_use]
    pub fn lifecycle_hooks(mut self, on: bool) -> Self {
        self.hooks = Some(on);
        self
    }

    /// Opens the pool, or takes over the existing one. With a configuration whose
    /// `background_monitoring` is on it is monitored from then on, as by
    /// [`ResilientConnection::start_monitoring`].
    ///
    /// # Errors
    /// When the URL is not understood, its engine's feature is off, the server refuses, the
    /// configuration cannot be used, or no target was given.
    pub async fn connect(mut self) -> Result<ResilientConnection> {
        #[cfg(feature = "testing")]
        let faults = self.faults.take();
        let (mut options, hooks) = match self.target.take() {
            Some(Target::Url(url)) => (ConnectOptions::new(url), Hooks::Free),
            Some(Target::Open(options)) => (*options, Hooks::Taken),
            Some(Target::Existing(connection)) => {
                if let Some(config) = &self.config {
                    config.validate()?;
                }
                let watched = self.watched();
                let db = self.wrap(connection);
                #[cfg(feature = "testing")]
                let db = crate::testing::with_plan(db, faults)?;
                if watched {
                    db.monitor_in_background();
                }
                return Ok(db);
            }
            None => {
                return Err(resilient_core::Failure::misuse(
                    "the builder has no target: give it a URL, ConnectOptions or a \
                     DatabaseConnection with to(..), or make it with from_env() and set \
                     DATABASE_URL",
                )
                .into());
            }
        };
        let ours = self.hooks.unwrap_or(hooks == Hooks::Free) && self.health.enabled;
        let health = self.pool_health(ours);
        health.prepare(&mut options);
        let connection = match &self.config {
            None => configured::connect(options).await?,
            Some(config) => {
                let (connection, limit) = configured::open(config, options, hooks).await?;
                if self.limit_configured {
                    self.limits.statement = limit;
                }
                connection
            }
        };
        let watched = self.watched();
        let db = self.build(connection, health);
        #[cfg(feature = "testing")]
        let db = crate::testing::with_plan(db, faults)?;
        if watched {
            db.monitor_in_background();
        }
        Ok(db)
    }

    /// Whether the configuration, if there is one, wants a monitor.
    fn watched(&self) -> bool {
        let wanted = |config: &Arc<Config>| config.health.background_monitoring;
        self.health.enabled && self.config.as_ref().is_some_and(wanted)
    }

    pub(crate) fn wrap(self, connection: DatabaseConnection) -> ResilientConnection {
        let health = self.pool_health(false);
        self.build(connection, health)
    }

    fn pool_health(&self, hooks: bool) -> PoolHealth {
        let clock = self.clock.clone();
        let random = self.random.clone();
        PoolHealth::new(
            self.health.clone(),
            clock.unwrap_or_else(|| Arc::new(TokioClock)),
            random.unwrap_or_else(|| Arc::new(ThreadRandom)),
            hooks,
        )
    }

    fn build(mut self, connection: DatabaseConnection, health: PoolHealth) -> ResilientConnection {
        health.adopt(&connection);
        let name = self.name.unwrap_or_else(|| system(&connection).to_owned());
        let mut context = Context::new(name, default_isolation(&connection))
            .with_system(system(&connection))
            .with_policy(self.policy)
            .with_budget(Budget::new(self.budget))
            .with_limits(self.limits)
            .with_locking(self.locking)
            .with_admission(self.admission)
            .with_verify(self.verify);
        if let Some(identity) = identity(&connection) {
            context = context.with_identity(identity);
        }
        #[cfg(feature = "sqlx-sqlite")]
        if let Some(file) = crate::file::of(&connection) {
            context = context.with_one_writer(&file);
        }
        if let Some(config) = self.config {
            configured::alerts(&config, &mut self.vitals.alerts);
            context = context.with_config(config);
        }
        if let Some(clock) = self.clock {
            context = context.with_clock(clock);
        }
        if let Some(random) = self.random {
            context = context.with_random(random);
        }
        context = context.with_vitals(self.vitals);
        ResilientConnection::from_parts(connection, context, Arc::new(health), self.markers)
    }
}

/// What all connections to one pool have in common: where it keeps its options.
pub(crate) fn identity(connection: &DatabaseConnection) -> Option<u64> {
    #[cfg(feature = "sqlx-dep")]
    fn address<DB: sqlx::Database>(pool: &sqlx::Pool<DB>) -> Option<u64> {
        u64::try_from(std::ptr::from_ref(pool.options()).addr()).ok()
    }
    match &connection.inner {
        #[cfg(feature = "sqlx-postgres")]
        DatabaseConnectionType::SqlxPostgresPoolConnection(_) => {
            address(connection.get_postgres_connection_pool())
        }
        #[cfg(feature = "sqlx-mysql")]
        DatabaseConnectionType::SqlxMySqlPoolConnection(_) => {
            address(connection.get_mysql_connection_pool())
        }
        #[cfg(feature = "sqlx-sqlite")]
        DatabaseConnectionType::SqlxSqlitePoolConnection(_) => {
            address(connection.get_sqlite_connection_pool())
        }
        _ => None,
    }
}
