//! A [`Config`] on its way into a [`Builder`], SeaORM's options and sqlx's pool.

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt;
use resilient_core::{
    Config, DriverError, Effect, Failure, Fault, FaultKind, Outcome,
    config::{ConfigError, Environment},
    health::{
        HealthSettings,
        alerts::{AlertConfig, AlertKind},
    },
};
use sea_orm::{ConnAcquireErr, ConnectOptions, Database, DatabaseConnection, DbErr};

use crate::{Builder, Error, Result};

/// How much longer than the server's own limit an answer may take before the connection is given
/// up, so that the server's error is the one that is seen.
const GRACE: Duration = Duration::from_secs(5);

impl Builder {
    /// Sets pool, limits and retries by a configuration, and keeps it for health checks,
    /// sessions and alerts; see `docs/configuration.md` for what becomes of each setting.
    ///
    /// What is set after this has the last word, and so has what a `ConnectOptions` sets. Of an
    /// existing pool nothing is changed.
    ///
    /// ```
    /// use resilient_sea_orm::{Config, ResilientConnection, config::PoolConfig};
    /// # async fn example() -> resilient_sea_orm::Result<()> {
    /// let config = Config::local().with_pool(PoolConfig::local().with_size(3));
    /// let db = ResilientConnection::builder("sqlite:app.db?mode=rwc")
    ///     .config(&config)
    ///     .connect()
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn config(mut self, config: &Config) -> Self {
        self.policy = config.retry.over(self.policy);
        self.limits.statement = config.pool.statement_timeout;
        self.limit_configured = true;
        self.health = HealthSettings::of(config);
        self.config = Some(Arc::new(config.clone()));
        self
    }

    /// A builder with the configuration of the process's environment, and the database of
    /// `DATABASE_URL` if that is set.
    ///
    /// ```no_run
    /// # async fn example() -> resilient_sea_orm::Result<()> {
    /// let db = resilient_sea_orm::Builder::from_env()?.connect().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Every variable whose value cannot be used.
    pub fn from_env() -> Result<Self> {
        Self::from_environment(&Environment::of_process())
    }

    /// The same with a prefix before each variable, `DATABASE_URL` included: `APP_DB_POOL_SIZE`
    /// and `APP_DATABASE_URL` for `"APP_"`.
    ///
    /// # Errors
    /// Every variable whose value cannot be used.
    pub fn from_env_with_prefix(prefix: impl Into<String>) -> Result<Self> {
        Self::from_environment(&Environment::of_process().prefix(prefix))
    }

    /// The same from given variables.
    ///
    /// # Errors
    /// Every variable whose value cannot be used.
    pub fn from_environment(environment: &Environment) -> Result<Self> {
        let config = Config::default().overlaid(environment)?;
        let builder = Self::default().config(&config);
        Ok(match environment.get("DATABASE_URL") {
            Some(url) => builder.to(url),
            None => builder,
        })
    }
}

/// Fills in when deleted rows raise an alert, unless that has a rule of its own.
pub(crate) fn alerts(config: &Config, alerts: &mut AlertConfig) {
    let kind = AlertKind::DeletionRatio;
    if alerts.rules.contains_key(&kind) {
        return;
    }
    let soft_delete = &config.soft_delete;
    let filled = std::mem::take(alerts);
    *alerts = if soft_delete.alert_on_high_deletion_ratio {
        filled.threshold(kind, soft_delete.deletion_ratio_alert_threshold)
    } else {
        filled.without(kind)
    };
}

/// Which pool hooks are free to be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hooks {
    /// All: there was only a URL.
    Free,
    /// None: the options may have some that are the user's.
    Taken,
}

/// Opens a pool as a configuration says. Answers too how long a statement may stay unanswered.
pub(crate) async fn open(
    config: &Config,
    mut options: ConnectOptions,
    hooks: Hooks,
) -> Result<(DatabaseConnection, Duration)> {
    config.validate()?;
    let limit = apply(config, &mut options, hooks);
    let patience = config.pool.connect_timeout;
    match tokio::time::timeout(patience, connect(options)).await {
        Ok(connected) => Ok((connected?, limit)),
        Err(_) => Err(let_nobody_in(patience)),
    }
}

/// Opens a pool.
///
/// # Errors
/// As SeaORM's, but for those that repeat the address, which may hold a password.
///
/// Not an `async fn`, which would hold the options twice.
pub(crate) fn connect(
    options: ConnectOptions,
) -> impl Future<Output = Result<DatabaseConnection>> + Send {
    let url = options.get_url().to_owned();
    Database::connect(options).map(move |connected| {
        connected.map_err(|error| {
            if error.to_string().contains(&url) || format!("{error:?}").contains(&url) {
                return not_understood().into();
            }
            error.into()
        })
    })
}

fn not_understood() -> Failure {
    Failure::misuse(
        "the database's address is not understood: it begins with postgres://, mysql:// or sqlite:, \
         of an engine whose feature is on, and in a password #, /, ?, @ and % are written as \
         %23, %2F, %3F, %40 and %25; it is not shown, as it may hold one",
    )
}

/// Fills in what the options leave open.
fn apply(config: &Config, options: &mut ConnectOptions, hooks: Hooks) -> Duration {
    let pool = &config.pool;
    if options.get_acquire_timeout().is_none() && options.get_connect_timeout().is_none() {
        options.acquire_timeout(pool.acquire_timeout);
    }
    if !in_memory(options.get_url()) {
        size_and_age(config, options);
    }
    let server = limit_on_server(pool.statement_timeout, options, hooks);
    match server {
        Some(server) => server.saturating_add(GRACE),
        None => pool.statement_timeout,
    }
}

fn size_and_age(config: &Config, options: &mut ConnectOptions) {
    let (pool, health) = (&config.pool, &config.health);
    if options.get_max_connections().is_none() {
        options.max_connections(pool.max_connections());
    }
    let most = options.get_max_connections().unwrap_or(pool.size);
    if options.get_min_connections().is_none() && health.enabled {
        // sqlx 0.9 opens lost ones again in the background and takes their places meanwhile, for
        // up to a minute between two attempts (`min_connections_maintenance`): one place is left
        // to those who ask for a connection when the server is back.
        let some = pool.size.min(most).saturating_sub(1);
        let floor = health.min_healthy_connections.min(some);
        options.min_connections(floor);
    }
    if options.get_idle_timeout().is_none() {
        options.idle_timeout(health.max_idle_time);
    }
    if options.get_max_lifetime().is_none() {
        options.max_lifetime(pool.recycle.min(health.max_age));
    }
}

/// Such a database is gone with its last connection.
fn in_memory(url: &str) -> bool {
    url.starts_with("sqlite") && (url.contains(":memory:") || url.contains("mode=memory"))
}

/// Has the server end statements that take too long, where it can, and answers after how long.
fn limit_on_server(
    limit: Duration,
    options: &mut ConnectOptions,
    hooks: Hooks,
) -> Option<Duration> {
    let url = options.get_url();
    if url.starts_with("postgres") {
        if options.get_statement_timeout().is_none() {
            options.statement_timeout(limit);
        }
        return options.get_statement_timeout();
    }
    #[cfg(feature = "sqlx-mysql")]
    if hooks == Hooks::Free && (url.starts_with("mysql") || url.starts_with("mariadb")) {
        options.map_sqlx_mysql_pool_opts(move |pool| {
            pool.after_connect(move |connection, _| {
                let sql = mysql_limit(limit);
                Box::pin(async move {
                    let set = sqlx::raw_sql(sqlx::AssertSqlSafe(sql));
                    set.execute(connection).await.map(drop)
                })
            })
        });
        return Some(limit);
    }
    let _ = hooks;
    None
}

/// MariaDB's limit is in a comment that only MariaDB runs, MySQL's in one that MariaDB leaves
/// out.
#[cfg(feature = "sqlx-mysql")]
fn mysql_limit(limit: Duration) -> String {
    format!(
        "SET @resilient_done=0/*M!100100 ,@@session.max_statement_time={:.3}*/\
         /*!50708 ,@@session.max_execution_time={}*/",
        limit.as_secs_f64().max(0.001),
        limit.as_millis().max(1)
    )
}

fn let_nobody_in(patience: Duration) -> Error {
    let down = Fault::new(FaultKind::ServerUnavailable, Effect::Connection);
    let cause = DbErr::ConnectionAcquire(ConnAcquireErr::Timeout);
    let advice = format!(
        "no connection was let in within {:.1} s, which is pool.connect_timeout \
         (DB_CONNECT_TIMEOUT)",
        patience.as_secs_f64()
    );
    let error = DriverError::new(down, cause).with_advice(advice);
    Error::new(Failure::database(error).with_outcome(Outcome::NotSent))
}

impl From<ConfigError> for Error {
    /// The same words; nothing was sent.
    fn from(error: ConfigError) -> Self {
        let text = error.to_string();
        let failure = Failure::application(text, Some(Arc::new(error)));
        Self::new(failure.with_outcome(Outcome::NotSent))
    }
}

#[cfg(test)]
mod tests {
    use resilient_core::config::{HealthConfig, PoolConfig};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn config() -> Config {
        Config::default()
            .with_pool(PoolConfig::default().with_statement_timeout(SECOND))
            .with_health(HealthConfig::default().with_max_age(SECOND))
    }

    fn applied(options: impl Into<ConnectOptions>, hooks: Hooks) -> (ConnectOptions, Duration) {
        let mut options = options.into();
        let limit = apply(&config(), &mut options, hooks);
        (options, limit)
    }

    #[test]
    fn a_url_gets_everything() {
        let (options, limit) = applied("postgres://localhost/app", Hooks::Free);
        assert_eq!(options.get_max_connections(), Some(50));
        assert_eq!(options.get_min_connections(), Some(2));
        assert_eq!(options.get_acquire_timeout(), Some(30 * SECOND));
        assert_eq!(options.get_idle_timeout(), Some(Some(300 * SECOND)));
        assert_eq!(
            options.get_max_lifetime(),
            Some(Some(SECOND)),
            "the shorter"
        );
        assert_eq!(options.get_statement_timeout(), Some(SECOND));
        assert_eq!(limit, 6 * SECOND);
    }

    #[test]
    fn what_the_options_set_stays() {
        let mut own = ConnectOptions::new("postgres://localhost/app");
        own.max_connections(1)
            .acquire_timeout(2 * SECOND)
            .idle_timeout(None)
            .max_lifetime(None)
            .statement_timeout(9 * SECOND);
        let (options, limit) = applied(own, Hooks::Taken);
        assert_eq!(options.get_max_connections(), Some(1));
        assert_eq!(options.get_min_connections(), Some(0), "its place is free");
        assert_eq!(options.get_acquire_timeout(), Some(2 * SECOND));
        assert_eq!(options.get_idle_timeout(), Some(None));
        assert_eq!(options.get_max_lifetime(), Some(None));
        assert_eq!(limit, 14 * SECOND);
    }

    #[test]
    fn a_database_in_memory_keeps_its_connection() {
        for url in ["sqlite::memory:", "sqlite:file:a?mode=memory&cache=shared"] {
            let (options, limit) = applied(url, Hooks::Free);
            assert_eq!(options.get_max_connections(), None);
            assert_eq!(options.get_max_lifetime(), None);
            assert_eq!(limit, SECOND, "no server to have a limit");
        }
    }

    #[cfg(feature = "sqlx-mysql")]
    #[test]
    fn hooks_that_may_be_the_users_are_left_alone() {
        assert_eq!(applied("mysql://localhost/app", Hooks::Free).1, 6 * SECOND);
        assert_eq!(applied("mysql://localhost/app", Hooks::Taken).1, SECOND);
    }

    #[test]
    fn a_builder_takes_url_and_numbers_from_the_environment() {
        let environment = Environment::of([
            ("A_DATABASE_URL", "sqlite::memory:"),
            ("A_DB_COMMAND_TIMEOUT", "7"),
        ]);
        let builder = Builder::from_environment(&environment.clone().prefix("A_")).unwrap();
        assert_eq!(builder.limits.statement, 7 * SECOND);
        assert!(builder.target.is_some());
        assert!(
            Builder::from_environment(&environment)
                .unwrap()
                .target
                .is_none()
        );

        let bad = Environment::of([("DB_POOL_SIZE", "none")]);
        let error = Builder::from_environment(&bad).unwrap_err();
        assert_eq!(error.outcome(), Outcome::NotSent);
        assert!(error.to_string().contains("DB_POOL_SIZE"), "{error}");
    }
}
