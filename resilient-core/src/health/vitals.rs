//! What is watched of one database while it is used.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    Events, HealthEvent,
    alerts::{AlertBoard, AlertCallback, AlertConfig, AlertKind, AlertReport},
    breaker::{Breaker, BreakerConfig},
    performance::{Dialect, Performance, PerformanceConfig, normalise},
    recovery::RecoveryBook,
    sessions::Overdue,
};
use crate::{Fault, metrics::ConnectionMetrics, time::Clock};

/// How often statements that are slow or fail have the windows judged.
const JUDGE_EVERY_MS: u64 = 1000;

/// Everything about it that can be chosen.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct VitalsConfig {
    /// What counts as slow.
    pub performance: PerformanceConfig,
    /// When alerts are raised.
    pub alerts: AlertConfig,
    /// Who is told of them, beside the log and the channel of events.
    pub callbacks: Vec<AlertCallback>,
    /// The circuit breaker; none by default.
    pub breaker: Option<BreakerConfig>,
}

/// The measurements, alerts and breaker of one database.
#[derive(Debug)]
pub struct Vitals {
    config: VitalsConfig,
    database: String,
    clock: Arc<dyn Clock>,
    base: Instant,
    events: Events,
    performance: Performance,
    alerts: AlertBoard,
    breaker: Option<Breaker>,
    recovery: RecoveryBook,
    /// When the windows were last judged, in milliseconds since `base`, plus one.
    judged: AtomicU64,
}

impl Vitals {
    /// Nothing seen yet.
    pub fn new(
        database: &str,
        config: VitalsConfig,
        clock: Arc<dyn Clock>,
        metrics: Arc<ConnectionMetrics>,
    ) -> Self {
        let events = Events::default();
        let base = clock.now();
        Self {
            database: database.to_owned(),
            performance: Performance::new(config.performance.clone(), base),
            alerts: AlertBoard::new(
                database,
                &config.alerts,
                config.callbacks.clone(),
                events.clone(),
                Arc::clone(&clock),
            ),
            breaker: config.breaker.clone().map(|breaker| {
                Breaker::new(
                    database,
                    breaker,
                    Arc::clone(&clock),
                    metrics,
                    events.clone(),
                )
            }),
            config,
            clock,
            base,
            events,
            recovery: RecoveryBook::default(),
            judged: AtomicU64::new(0),
        }
    }

    /// How it was configured.
    pub fn config(&self) -> &VitalsConfig {
        &self.config
    }

    /// Where events are sent.
    pub fn events(&self) -> &Events {
        &self.events
    }

    /// The measurements.
    pub fn performance(&self) -> &Performance {
        &self.performance
    }

    /// The alerts.
    pub fn alerts(&self) -> &AlertBoard {
        &self.alerts
    }

    /// The circuit breaker, if there is one.
    pub fn breaker(&self) -> Option<&Breaker> {
        self.breaker.as_ref()
    }

    /// The recoveries.
    pub fn recovery(&self) -> &RecoveryBook {
        &self.recovery
    }

    /// Books the end of a recovery, tells of it, and raises or clears its alert. `subject` says
    /// what was recovered and `result` why it was not, both without data of users.
    pub fn recovered(&self, subject: &str, attempts: u32, result: Result<(), &str>) {
        let in_a_row = self.recovery.ended(subject, attempts, result);
        #[allow(clippy::cast_precision_loss)]
        self.alerts
            .observe(AlertKind::RecoveryFailure, &self.database, in_a_row as f64);
        self.events.send(HealthEvent::Recovery {
            database: self.database.clone(),
            subject: subject.to_owned(),
            attempts,
            succeeded: result.is_ok(),
        });
    }

    /// Tells that a session is open for too long, or was ended for that. `method` is who holds it.
    pub fn session_expired(&self, method: Option<&str>, age: Duration, what: Overdue) {
        self.events.send(HealthEvent::SessionExpired {
            database: self.database.clone(),
            method: method.map(str::to_owned),
            age_ms: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
            ended: what == Overdue::Ended,
        });
    }

    /// The time, as the measurements have it.
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// For how long all of this has been watched.
    pub fn watched_for(&self) -> Duration {
        self.now().saturating_duration_since(self.base)
    }

    /// Books a statement that was sent at `started` and was answered at `now`. `rows` are those it
    /// changed, 0 if it read.
    pub fn statement(&self, sent: Sent<'_>, now: Instant, fault: Option<&Fault>, rows: u64) {
        #[cfg(feature = "opentelemetry")]
        crate::metrics::opentelemetry::statement(&self.database, sent, now, fault);
        let error = fault.is_some_and(is_error);
        let slow = self.performance.statement(sent.started, now, error);
        if slow {
            self.performance
                .slow_statement(sent.sql, sent.dialect, method(), sent.started, now);
        }
        #[allow(clippy::cast_precision_loss)]
        let rows = rows as f64;
        if self.alerts.passes(AlertKind::BulkOperation, rows) {
            let subject = match method() {
                Some(method) => method.to_owned(),
                None => normalise(sent.sql, sent.dialect),
            };
            self.alerts
                .observe(AlertKind::BulkOperation, &subject, rows);
        }
        if slow || error {
            self.judge_soon(now);
        }
    }

    /// Books a retry that was refused for want of budget.
    #[cold]
    pub(crate) fn budget_exhausted(&self) {
        self.alerts
            .observe(AlertKind::BudgetExhausted, &self.database, 1.0);
    }

    /// Judges the windows at most once a second: for those who have reason to.
    #[cold]
    fn judge_soon(&self, now: Instant) {
        let since = now.saturating_duration_since(self.base);
        let at = u64::try_from(since.as_millis()).unwrap_or(u64::MAX - 1) + 1;
        let last = self.judged.load(Ordering::Relaxed);
        let due = last == 0 || at >= last + JUDGE_EVERY_MS;
        let mine = due
            && self
                .judged
                .compare_exchange(last, at, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if mine {
            self.judge();
        }
    }

    /// Compares response time and error rate with their thresholds, and clears alerts of which
    /// nothing was heard. The monitor does this at each tick.
    pub fn judge(&self) {
        let config = &self.config.alerts;
        let stats = self.performance.recent(config.window_minutes, self.now());
        for (kind, value) in [
            (AlertKind::ResponseTime, stats.average_ms),
            (AlertKind::ErrorRate, stats.error_ratio),
        ] {
            // Few statements raise nothing, but can show that it is over.
            let enough = stats.count >= config.minimum_statements;
            if enough || self.alerts.stands(kind, &self.database) {
                self.alerts.observe(kind, &self.database, value);
            }
        }
        self.alerts.sweep();
    }

    /// The alerts, judged by what is known now.
    pub fn alert_report(&self) -> AlertReport {
        self.judge();
        self.alerts.report()
    }
}

/// A statement on its way.
#[derive(Clone, Copy, Debug)]
pub struct Sent<'a> {
    /// Its text.
    pub sql: &'a str,
    /// Who reads it.
    pub dialect: Dialect,
    /// When it was sent.
    pub started: Instant,
}

/// The method that runs, if one does.
fn method() -> Option<&'static str> {
    crate::scope::CallStatus::current().map(|status| status.method())
}

/// Whether a fault says that something is wrong with the database, or its use: a violated
/// constraint is an answer.
pub(crate) fn is_error(fault: &Fault) -> bool {
    fault.constraint_kind().is_none()
}
