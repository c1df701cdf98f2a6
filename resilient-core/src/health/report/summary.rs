//! [`HealthSummary`]: the whole in a few numbers, and why.

use serde::Serialize;
use strum::{Display, IntoStaticStr};

use super::recommend::Area;
use crate::{
    health::{
        alerts::{AlertKind, AlertReport, Severity as AlertSeverity},
        breaker::{BreakerReport, BreakerState},
        check::{CheckReport, CheckStatus},
        pool::PoolReport,
    },
    time::unix_ms,
};

/// What everything comes to.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Display, IntoStaticStr, Serialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum OverallStatus {
    /// Nothing is wrong.
    Healthy,
    /// It works, and something needs attention.
    Degraded,
    /// It cannot be used.
    Unhealthy,
}

/// One reason why a database is not healthy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Reason {
    /// What this alone would make of it.
    pub status: OverallStatus,
    /// What it is about.
    pub area: Area,
    /// What is wrong.
    pub text: String,
}

/// A database's health in a few numbers: cheap enough for a load balancer's question.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct HealthSummary {
    /// The database's name.
    pub database: String,
    /// What it comes to.
    pub status: OverallStatus,
    /// Why it is not healthy, the worst first.
    pub reasons: Vec<Reason>,
    /// When this was put together, in milliseconds since 1970.
    pub at_unix_ms: u64,
    /// How long the check took, in seconds, the wait for a connection included.
    pub response_time_seconds: f64,
    /// Whether that check was made a moment before, for somebody else.
    pub check_from_cache: bool,
    /// The share of the pool that is in use, 0 to 1.
    pub pool_utilisation_ratio: f64,
    /// Connections that somebody uses.
    pub connections_in_use: u32,
    /// The most connections that the pool may open.
    pub max_connections: u32,
    /// Callers that wait for a connection.
    pub waiting: u32,
    /// Connections that are held for longer than the leak threshold.
    pub suspected_leaks: u32,
    /// Transactions that are open.
    pub open_sessions: u32,
    /// Alerts that stand, the critical ones aside.
    pub warning_alerts: u32,
    /// Critical alerts that stand.
    pub critical_alerts: u32,
    /// Whether the circuit breaker lets calls through, if there is one.
    pub breaker: Option<BreakerState>,
}

/// What a summary is made of. Nothing of it but the check has to be asked of the server.
#[derive(Clone, Copy, Debug)]
pub struct SummaryFacts<'a> {
    /// The check that was made.
    pub check: &'a CheckReport,
    /// The pool.
    pub pool: &'a PoolReport,
    /// The alerts.
    pub alerts: &'a AlertReport,
    /// The circuit breaker, if there is one.
    pub breaker: Option<&'a BreakerReport>,
    /// Transactions that are open.
    pub open_sessions: usize,
}

impl HealthSummary {
    /// Judges what was seen. Only what affects the service counts: deleted rows or one big
    /// statement make no database unhealthy, and have their place in the recommendations.
    pub fn of(facts: SummaryFacts<'_>) -> Self {
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let alerts = |severity| {
            let standing = facts.alerts.active.iter();
            small(standing.filter(|alert| alert.severity == severity).count())
        };
        let reasons = reasons(facts);
        let worst = reasons.first().map(|reason| reason.status);
        Self {
            database: facts.pool.name.clone(),
            status: worst.unwrap_or(OverallStatus::Healthy),
            reasons,
            at_unix_ms: unix_ms(),
            response_time_seconds: facts.check.response_time.as_secs_f64(),
            check_from_cache: facts.check.from_cache,
            pool_utilisation_ratio: facts.pool.utilisation,
            connections_in_use: facts.pool.in_use,
            max_connections: facts.pool.max_connections,
            waiting: facts.pool.waiting,
            suspected_leaks: small(facts.pool.suspected_leaks.len()),
            open_sessions: small(facts.open_sessions),
            warning_alerts: alerts(AlertSeverity::Warning),
            critical_alerts: alerts(AlertSeverity::Critical),
            breaker: facts.breaker.map(|breaker| breaker.state),
        }
    }

    /// Whether the database can be used.
    pub fn is_usable(&self) -> bool {
        self.status != OverallStatus::Unhealthy
    }
}

fn reasons(facts: SummaryFacts<'_>) -> Vec<Reason> {
    let mut all = Vec::new();
    let mut add = |status, area, text: String| all.push(Reason { status, area, text });
    let (check, pool) = (facts.check, facts.pool);
    let why = || check.reason.clone().unwrap_or_default();
    match check.status {
        CheckStatus::Healthy => {}
        CheckStatus::Slow => {
            let text = format!("the {} check is slow: {}", check.strategy, why());
            add(OverallStatus::Degraded, Area::Connection, text);
        }
        CheckStatus::Unhealthy => {
            let text = format!("the {} check failed: {}", check.strategy, why());
            add(OverallStatus::Unhealthy, Area::Connection, text);
        }
    }
    match facts.breaker.map(|breaker| breaker.state) {
        Some(BreakerState::Open) => {
            let text = "the circuit breaker is open: calls are rejected".to_owned();
            add(OverallStatus::Unhealthy, Area::Connection, text);
        }
        Some(BreakerState::HalfOpen) => {
            let text = "the circuit breaker lets only probes through".to_owned();
            add(OverallStatus::Degraded, Area::Connection, text);
        }
        Some(BreakerState::Closed) | None => {}
    }
    match (&pool.warning, &*pool.suspected_leaks) {
        (Some(warning), _) => add(OverallStatus::Degraded, Area::Pool, warning.clone()),
        (None, [first, rest @ ..]) => {
            let mut text = first.held_text();
            if !rest.is_empty() {
                text = format!("{text}, and {} more are held for long", rest.len());
            }
            add(OverallStatus::Degraded, Area::Pool, text);
        }
        (None, []) => {}
    }
    for alert in &facts.alerts.active {
        let Some(area) = area(alert.kind) else {
            continue;
        };
        let text = format!("{} alert: {}", alert.severity, alert.message);
        add(OverallStatus::Degraded, area, text);
    }
    all.sort_by_key(|reason| std::cmp::Reverse(reason.status));
    all
}

/// What an alert is about, if it says something about the service.
fn area(kind: AlertKind) -> Option<Area> {
    match kind {
        AlertKind::DeletionRatio | AlertKind::OldDeletedRows | AlertKind::BulkOperation => None,
        AlertKind::ResponseTime => Some(Area::Performance),
        AlertKind::PoolUtilisation => Some(Area::Pool),
        AlertKind::ConnectionFailure => Some(Area::Connection),
        AlertKind::LongTransaction => Some(Area::Sessions),
        AlertKind::DeadlockSeverity
        | AlertKind::ErrorRate
        | AlertKind::RecoveryFailure
        | AlertKind::BudgetExhausted => Some(Area::Reliability),
    }
}
