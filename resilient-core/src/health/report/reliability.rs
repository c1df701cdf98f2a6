//! [`Reliability`]: what went wrong, and whether it was healed.

use std::time::Duration;

use serde::Serialize;

use crate::{
    health::{deadlocks::DeadlockReport, performance::PerformanceReport, recovery::RecoveryReport},
    metrics::{ConnectionSnapshot, Snapshot},
};

const DAY: Duration = Duration::from_hours(24);

/// What went wrong, and whether it was healed.
///
/// Rates are over the last 24 hours, or since the start where that is less, and at least over one
/// hour, so that the first minutes are not blown up.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Reliability {
    /// For how long this has been watched, in seconds.
    pub watched_seconds: f64,
    /// Deadlocks within the last 24 hours.
    pub deadlocks_last_24_hours: u64,
    /// The same by the hour.
    pub deadlocks_per_hour: f64,
    /// Statements that failed within the last hour; violated constraints are answers and not
    /// counted.
    pub errors_last_hour: u64,
    /// Those that failed within the last 24 hours, by the hour.
    pub errors_per_hour: f64,
    /// The share of statements that failed within the last hour, 0 to 1.
    pub error_ratio_last_hour: f64,
    /// Calls of resilient methods within the last 24 hours.
    pub calls_last_24_hours: u64,
    /// How often those methods were run again since the start. A method that runs on several
    /// databases counts with all of them.
    pub retries: u64,
    /// Transactions whose COMMIT was never answered, since the start.
    pub commit_unknown: u64,
    /// The share of recoveries that worked, 0 to 1; `None` if there were none.
    pub recovery_success_ratio: Option<f64>,
    /// The recoveries.
    pub recovery: RecoveryReport,
    /// What became of transactions since the start. Connections of one name are counted
    /// together.
    pub transactions: ConnectionSnapshot,
    /// The deadlocks.
    pub deadlocks: DeadlockReport,
}

/// What it is computed from.
#[derive(Clone, Debug)]
pub struct ReliabilityFacts<'a> {
    /// The deadlocks.
    pub deadlocks: DeadlockReport,
    /// The recoveries.
    pub recovery: RecoveryReport,
    /// The measurements.
    pub performance: &'a PerformanceReport,
    /// The registry's numbers.
    pub metrics: &'a Snapshot,
    /// For how long all this has been watched.
    pub watched: Duration,
}

impl Reliability {
    /// Computes the rates.
    #[allow(clippy::cast_precision_loss)]
    pub fn of(facts: ReliabilityFacts<'_>) -> Self {
        let hours = facts.watched.min(DAY).as_secs_f64() / 3600.0;
        let per_hour = |n: u64| n as f64 / hours.max(1.0);
        let (statements, methods) = (&facts.performance.statements, &facts.performance.methods);
        let retries = methods.keys().filter_map(|name| {
            let method = facts.metrics.methods.get(name)?;
            Some(method.total_retries())
        });
        let transactions = facts.metrics.connection(&facts.performance.connection);
        Self {
            watched_seconds: facts.watched.as_secs_f64(),
            deadlocks_last_24_hours: facts.deadlocks.last_24_hours,
            deadlocks_per_hour: per_hour(facts.deadlocks.last_24_hours),
            errors_last_hour: statements.last_hour.errors,
            errors_per_hour: per_hour(statements.last_day.errors),
            error_ratio_last_hour: statements.last_hour.error_ratio,
            calls_last_24_hours: methods.values().map(|m| m.last_day.count).sum(),
            retries: retries.sum(),
            commit_unknown: transactions.commit_unknown,
            recovery_success_ratio: facts.recovery.success_ratio,
            recovery: facts.recovery,
            transactions,
            deadlocks: facts.deadlocks,
        }
    }
}
