//! The report that holds all the others.

use std::time::Duration;

use resilient_core::{
    health::{
        CheckOptions, CheckReport, CheckStrategy, PoolReport,
        performance::normalise,
        report::{
            ConnectionHealth, HealthReport, HealthSummary, Observed, Reliability, ReliabilityFacts,
            SummaryFacts, TablesHealth,
        },
    },
    metrics,
};
use tokio::time::Instant;

use super::options::HealthReportOptions;
use crate::{ResilientConnection, advice, vitals::dialect};

impl ResilientConnection {
    /// How this database does: a check, the pool, times, errors, deadlocks, open transactions,
    /// declared tables and alerts, and what to do about all of it.
    ///
    /// It always comes, also when the database is down or the pool exhausted: then within the
    /// check's timeout (1 s), and it says so. It takes connections of its own, so inside a
    /// transaction it reads nothing of that, and cannot spoil it.
    ///
    /// Nothing in it comes from rows, values of statements, or connection strings.
    ///
    /// ```
    /// # async fn example() -> resilient_sea_orm::Result<()> {
    /// # let db = resilient_sea_orm::ResilientConnection::connect("sqlite::memory:").await?;
    /// let report = db.health_report().await;
    /// println!("{report}");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    ///
    /// # Cancel safety
    /// It only reads, and can be dropped.
    pub async fn health_report(&self) -> HealthReport {
        self.health_report_with(HealthReportOptions::default())
            .await
    }

    /// The same with some sections, another check, or another time limit.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn health_report_with(&self, options: HealthReportOptions) -> HealthReport {
        let end = Instant::now() + options.limit;
        let begun = Instant::now();
        // Before this takes connections itself.
        let pool = self.pool_status();
        let check = self.check_for_report(&options).await;
        let tables = if options.tables {
            Some(self.tables_for_report(&check, &options, end).await)
        } else {
            None
        };
        self.compose(pool, check, tables, &options, begun)
    }

    /// The whole in a few numbers, for who asks often: the quick check of the last 5 s
    /// (`cache_duration`), or else one `SELECT 1`; nothing else is sent. Comes within the check's
    /// timeout (1 s), also when the database is down.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn health_summary(&self) -> HealthSummary {
        let pool = self.pool_status();
        let check = self.check_health(CheckStrategy::Quick).await;
        HealthSummary::of(SummaryFacts {
            check: &check,
            pool: &pool,
            alerts: &self.alerts(),
            breaker: self.circuit_breaker().as_ref(),
            open_sessions: self.sessions().len(),
        })
    }

    /// The last report of this form, if it is less than `max_age` old, or else a new
    /// [`health_report`](Self::health_report). Those who ask at the same time share one, also
    /// with a `max_age` of zero.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    ///
    /// # Cancel safety
    /// If the one who makes the report is dropped, the next in line makes it.
    pub async fn latest_health_report(&self, max_age: Duration) -> HealthReport {
        let health = &self.pool.health;
        let make = || self.health_report();
        let asked = health.report.get(health.connections.clock(), max_age, make);
        let (mut report, known) = asked.await;
        report.from_cache = known;
        report
    }

    async fn check_for_report(&self, options: &HealthReportOptions) -> CheckReport {
        let configured = self.pool.health.connections.settings().timeout;
        let check = CheckOptions {
            force: options.force,
            timeout: Some(options.check.default_timeout(configured).min(options.limit)),
            ..CheckOptions::default()
        };
        let check = self.check_health_with(options.check.clone(), check).await;
        self.without_values(check)
    }

    /// The statement of a check may hold data.
    pub(super) fn without_values(&self, mut check: CheckReport) -> CheckReport {
        if let CheckStrategy::Query(sql) = &mut check.strategy {
            *sql = normalise(sql, dialect(&self.pool));
        }
        check
    }

    #[cfg_attr(not(feature = "sqlx-dep"), allow(clippy::unused_async))]
    async fn tables_for_report(
        &self,
        check: &CheckReport,
        options: &HealthReportOptions,
        end: Instant,
    ) -> TablesHealth {
        if !check.is_usable() {
            return TablesHealth::of(Err("the check failed".to_owned()));
        }
        #[cfg(feature = "sqlx-dep")]
        {
            let (db, table_options) = (self.clone(), options.table_options.clone());
            let read = async move { db.table_reports(table_options).await };
            let tables = match super::alone::alone(end, read).await {
                Ok(Ok(tables)) => Ok(tables),
                Ok(Err(error)) => Err(error.to_string()),
                Err(cut) => Err(cut.text(options.limit)),
            };
            TablesHealth::of(tables)
        }
        #[cfg(not(feature = "sqlx-dep"))]
        TablesHealth::of(Err("no engine is compiled".to_owned()))
    }

    /// Puts together what is known without asking.
    pub(super) fn compose(
        &self,
        pool: PoolReport,
        check: CheckReport,
        tables: Option<TablesHealth>,
        options: &HealthReportOptions,
        begun: Instant,
    ) -> HealthReport {
        let context = &self.pool.context;
        let (alerts, open_sessions) = (self.alerts(), self.sessions().len());
        let (breaker, performance) = (self.circuit_breaker(), self.performance());
        let summary = HealthSummary::of(SummaryFacts {
            check: &check,
            pool: &pool,
            alerts: &alerts,
            breaker: breaker.as_ref(),
            open_sessions,
        });
        let reliability = options.reliability.then(|| {
            Reliability::of(ReliabilityFacts {
                deadlocks: self.deadlocks(),
                recovery: context.vitals().recovery().report(),
                performance: &performance,
                metrics: &metrics::global().snapshot(),
                watched: context.vitals().watched_for(),
            })
        });
        let sessions = options.sessions.then(|| self.sessions_health());
        let mut known = self.connections();
        // Of those that a lost server took along, the pool has not told.
        if advice::gauge(&self.pool).is_some_and(|gauge| gauge.open == 0) {
            known.clear();
        }
        HealthReport::of(Observed {
            summary,
            connection: ConnectionHealth::of(check, breaker, known),
            pool: options.pool.then_some(pool),
            performance: options.performance.then_some(performance),
            reliability,
            sessions,
            tables,
            alerts: options.alerts.then_some(alerts),
            took_seconds: begun.elapsed().as_secs_f64(),
        })
    }
}
