//! Checks of the database.

use std::{future::Future, time::Duration};

use resilient_core::{
    DriverError, FaultKind,
    driver::{Disposal, Session as _},
    health::{CheckOptions, CheckReport, CheckStrategy, Finding},
};
use sea_orm::{DbBackend, DbErr, Statement};

use super::{integrity, write};
use crate::{
    Error, ResilientConnection, advice, keywords,
    pool::{Pool, driver_error},
    session::{Request, Session},
};

/// Who holds the connection of a check, in the list of connections.
pub(super) const CHECK: &str = "health check";

impl ResilientConnection {
    /// Checks the database, or says what a check of the last 5 s (`cache_duration`) came to. Those
    /// who ask at the same time share one check.
    ///
    /// A check takes a connection of its own, also inside a transaction, and ends within its
    /// timeout: 1 s, a minute for integrity. It never fails; what is wrong is in the report.
    ///
    /// ```
    /// # use resilient_sea_orm::{CheckStrategy, ResilientConnection};
    /// # async fn example(db: ResilientConnection) {
    /// let report = db.check_health(CheckStrategy::Write).await;
    /// if !report.is_usable() {
    ///     eprintln!("nothing can be stored: {}", report.reason.unwrap_or_default());
    /// }
    /// # }
    /// ```
    pub async fn check_health(&self, strategy: CheckStrategy) -> CheckReport {
        self.check_health_with(strategy, CheckOptions::default())
            .await
    }

    /// The same with a timeout or threshold of its own, or without a look at the cache.
    pub async fn check_health_with(
        &self,
        strategy: CheckStrategy,
        options: CheckOptions,
    ) -> CheckReport {
        let check = async || {
            let limit = options.limit(self, &strategy);
            let shares = Shares {
                limit,
                options: &options,
            };
            on_own_connection(&self.pool, &strategy, &shares).await
        };
        self.checked(&strategy, &options, check).await
    }

    /// A check of the user's own: `check` says what is wrong, if anything. It is cached under
    /// its name like the others.
    pub async fn check_health_custom<F, E>(
        &self,
        name: &str,
        options: CheckOptions,
        check: impl FnOnce() -> F,
    ) -> CheckReport
    where
        F: Future<Output = Result<(), E>>,
        E: std::fmt::Display,
    {
        let strategy = CheckStrategy::Custom(name.to_owned());
        let check = async || match check().await {
            Ok(()) => Finding::good(),
            Err(error) => Finding::bad(error.to_string(), None),
        };
        self.checked(&strategy, &options, check).await
    }

    /// The latest report of each check that was made.
    pub fn latest_checks(&self) -> Vec<CheckReport> {
        self.pool.health.checks.latest()
    }

    async fn checked<F: Future<Output = Finding>>(
        &self,
        strategy: &CheckStrategy,
        options: &CheckOptions,
        check: impl FnOnce() -> F,
    ) -> CheckReport {
        let health = &self.pool.health;
        let (clock, settings) = (health.connections.clock(), health.connections.settings());
        let slow_above = options.slow_above.unwrap_or(settings.slow_above);
        let limit = options.limit(self, strategy);
        let made = async || {
            let begun = clock.now();
            let finding = tokio::time::timeout(limit, check()).await;
            let finding = finding.unwrap_or_else(|_| {
                let text = format!("no answer within {limit:.1?}");
                Finding::bad(text, FaultKind::ServerUnavailable)
            });
            let took = clock.now().saturating_duration_since(begun);
            finding.grade(strategy.clone(), took, slow_above)
        };
        let asked = health.checks.get(
            clock,
            strategy,
            settings.cache_duration,
            options.force,
            made,
        );
        // Somebody else's check may have a longer limit. What is made here ends before.
        let patience = limit.saturating_add(Duration::from_millis(50));
        let report = tokio::time::timeout(patience, asked).await;
        report.unwrap_or_else(|_| {
            let text = format!("another check of this kind had no answer within {limit:.1?}");
            let finding = Finding::bad(text, FaultKind::ServerUnavailable);
            finding.grade(strategy.clone(), limit, slow_above)
        })
    }
}

trait Limit {
    fn limit(&self, db: &ResilientConnection, strategy: &CheckStrategy) -> Duration;
}

impl Limit for CheckOptions {
    fn limit(&self, db: &ResilientConnection, strategy: &CheckStrategy) -> Duration {
        let configured = db.pool.health.connections.settings().timeout;
        let default = || strategy.default_timeout(configured);
        self.timeout.unwrap_or_else(default)
    }
}

/// What a check goes by.
struct Shares<'a> {
    limit: Duration,
    options: &'a CheckOptions,
}

/// Part of the time is kept for saying what it was spent on.
fn inner(limit: Duration) -> Duration {
    limit.mul_f64(0.95)
}

async fn on_own_connection(pool: &Pool, strategy: &CheckStrategy, shares: &Shares<'_>) -> Finding {
    let end = tokio::time::Instant::now() + inner(shares.limit);
    let full = || advice::gauge(pool).filter(resilient_core::health::PoolGauge::exhausted);
    let full_before = full().is_some();
    let session = match tokio::time::timeout_at(end, pool.acquire_for(Some(CHECK))).await {
        Ok(Ok(session)) => session,
        Ok(Err(error)) => return failed(error),
        Err(_) => {
            // What waits here may itself have taken the last connection, to test it.
            if !full_before || full().is_none() {
                let text = format!("no connection within {:.1?}", shares.limit);
                return Finding::bad(text, FaultKind::ServerUnavailable);
            }
            let text = format!("pool exhausted: {}", advice::pool_exhausted(pool));
            return Finding::bad(text, FaultKind::PoolTimeout);
        }
    };
    let mut own = Own(Some(session));
    let finding = match &mut own.0 {
        Some(session) => tokio::time::timeout_at(end, run(pool, session, strategy, shares)).await,
        None => return Finding::good(),
    };
    let Ok((finding, how)) = finding else {
        let text = format!("no answer within {:.1?}", shares.limit);
        return Finding::bad(text, FaultKind::ServerUnavailable);
    };
    if let Some(session) = own.0.take() {
        session.dispose(how);
    }
    finding
}

/// A check's connection. Dropped in the middle of it, nobody knows what is open on it.
pub(crate) struct Own(pub(crate) Option<Session>);

impl Drop for Own {
    fn drop(&mut self) {
        if let Some(session) = self.0.take() {
            session.dispose(Disposal::Discard);
        }
    }
}

/// What was found, and the state the connection is left in.
async fn run(
    pool: &Pool,
    session: &mut Session,
    strategy: &CheckStrategy,
    shares: &Shares<'_>,
) -> (Finding, Disposal) {
    let settings = pool.health.connections.settings();
    let backend = session.backend();
    let finding = match strategy {
        CheckStrategy::Quick => answers(session, &settings.query).await,
        CheckStrategy::Table(name) => {
            let sql = format!("SELECT 1 FROM {} LIMIT 1", quoted(name, backend));
            answers(session, &sql).await
        }
        CheckStrategy::Query(sql) => match keywords::refusal(sql, backend) {
            Some(refusal) => return (Finding::bad(refusal, None), Disposal::Clean),
            None => answers(session, sql).await,
        },
        CheckStrategy::Write => write::check(session).await,
        CheckStrategy::Integrity { full } => {
            integrity::check(session, *full, &shares.options.tables).await
        }
        other => Ok(Finding::bad(format!("{other} is not a known check"), None)),
    };
    match finding {
        Ok(finding) => (finding, Disposal::Clean),
        Err(error) => {
            let error = driver_error(&error);
            let how = match strategy {
                // It failed inside its transaction.
                CheckStrategy::Write => Disposal::RollBack,
                _ => Disposal::Clean,
            };
            (failed(error), how)
        }
    }
}

/// Sends a statement whose answer does not matter.
pub(crate) async fn answers(session: &mut Session, sql: &str) -> Result<Finding, DbErr> {
    let statement = Statement::from_string(session.backend(), sql);
    session.send(Request::One(&statement)).await?;
    Ok(Finding::good())
}

/// A driver's error as a finding.
pub(super) fn failed(error: DriverError) -> Finding {
    let kind = error.fault.kind();
    let text = Error::new(resilient_core::Failure::database(error)).to_string();
    let prefix = match kind {
        FaultKind::PoolTimeout => "pool exhausted: ",
        _ => "",
    };
    Finding::bad(format!("{prefix}{text}"), kind)
}

/// The name of a table, each part of it quoted.
pub(super) fn quoted(name: &str, backend: DbBackend) -> String {
    let quote = if backend == DbBackend::MySql {
        '`'
    } else {
        '"'
    };
    let parts = name.split('.').map(|part| {
        let doubled = part.replace(quote, &format!("{quote}{quote}"));
        format!("{quote}{doubled}{quote}")
    });
    parts.collect::<Vec<_>>().join(".")
}

/// The rows of a query.
pub(super) async fn rows(
    session: &mut Session,
    sql: &str,
) -> Result<Vec<sea_orm::QueryResult>, DbErr> {
    let statement = Statement::from_string(session.backend(), sql);
    session.send(Request::All(&statement)).await?.all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_part_by_part() {
        assert_eq!(quoted("a.b\"c", DbBackend::Postgres), "\"a\".\"b\"\"c\"");
        assert_eq!(quoted("a`b", DbBackend::MySql), "`a``b`");
    }
}
