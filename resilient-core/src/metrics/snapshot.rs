//! The registry's numbers as plain, serialisable data.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{ConnectionMetrics, DatabaseSnapshot, LatencySnapshot, MethodMetrics, ViolationKey};
use crate::{
    ConstraintKind, FaultKind, Outcome, health::breaker::BreakerState, policy::StopReason,
};

/// Everything in the registry at one moment.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Snapshot {
    /// By method name.
    pub methods: BTreeMap<String, MethodSnapshot>,
    /// By connection name.
    pub connections: BTreeMap<String, ConnectionSnapshot>,
    /// Violated constraints.
    pub violations: Vec<ViolationSnapshot>,
    /// What is open and waits now, by connection name, and what pools and servers did.
    pub databases: BTreeMap<String, DatabaseSnapshot>,
}

impl Snapshot {
    /// The numbers of one method; zeros if it was never called.
    pub fn method(&self, name: &str) -> MethodSnapshot {
        self.methods.get(name).cloned().unwrap_or_default()
    }

    /// The numbers of one connection; zeros if there is none of that name.
    pub fn connection(&self, name: &str) -> ConnectionSnapshot {
        self.connections.get(name).cloned().unwrap_or_default()
    }

    /// What one connection is doing; nothing if there is none of that name.
    pub fn database(&self, name: &str) -> DatabaseSnapshot {
        self.databases.get(name).cloned().unwrap_or_default()
    }
}

/// How often one constraint was violated, by statements or at COMMIT.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ViolationSnapshot {
    /// The connection's name.
    pub connection: String,
    /// The kind of constraint.
    pub kind: ConstraintKind,
    /// The table, where that is known.
    pub table: Option<String>,
    /// The constraint's name, where it has one.
    pub constraint: Option<String>,
    /// The columns, where they are known.
    pub columns: Vec<String>,
    /// How often.
    pub count: u64,
}

impl ViolationSnapshot {
    pub(super) fn of(key: &ViolationKey, count: u64) -> Self {
        Self {
            connection: key.connection.clone(),
            kind: key.kind,
            table: key.table.clone(),
            constraint: key.constraint.clone(),
            columns: key.columns.clone(),
            count,
        }
    }
}

/// What the calls of one method did.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct MethodSnapshot {
    /// Calls that ended, in whatever way.
    pub calls: u64,
    /// Calls that returned `Ok`.
    pub succeeded: u64,
    /// Calls that returned `Err`.
    pub failed: u64,
    /// Calls whose future was dropped.
    pub cancelled: u64,
    /// How often the body ran.
    pub attempts: u64,
    /// The outcomes of the calls that returned `Err`.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// Re-executions, by the fault that led to them.
    pub retries: BTreeMap<FaultKind, u64>,
    /// Failed attempts, by fault.
    pub faults: BTreeMap<FaultKind, u64>,
    /// Calls given up because the retry budget was empty.
    pub budget_exhausted: u64,
    /// Calls given up because no time was left.
    pub deadline_exceeded: u64,
    /// Calls given up after the last allowed attempt.
    pub attempts_exhausted: u64,
    /// Calls that the circuit breaker rejected.
    pub circuit_open: u64,
    /// Seconds spent waiting between attempts.
    pub backoff_seconds: f64,
    /// From call to return, all attempts and delays included.
    pub latency: LatencySnapshot,
}

impl MethodSnapshot {
    /// Re-executions of all kinds.
    pub fn total_retries(&self) -> u64 {
        self.retries.values().sum()
    }

    pub(super) fn of(m: &MethodMetrics) -> Self {
        let outcomes: BTreeMap<Outcome, u64> = [
            Outcome::NotSent,
            Outcome::RolledBack,
            Outcome::Committed,
            Outcome::Unknown,
        ]
        .into_iter()
        .map(|o| (o, m.failures(o)))
        .filter(|(_, n)| *n > 0)
        .collect();
        let (succeeded, cancelled) = (m.successes(), m.cancellations());
        let failed = outcomes.values().sum();
        Self {
            calls: succeeded + failed + cancelled,
            succeeded,
            failed,
            cancelled,
            attempts: m.attempts(),
            outcomes,
            retries: m.retries().read(),
            faults: m.faults().read(),
            budget_exhausted: m.stopped(StopReason::BudgetExhausted),
            deadline_exceeded: m.stopped(StopReason::DeadlineExceeded),
            attempts_exhausted: m.stopped(StopReason::AttemptsExhausted),
            circuit_open: m.stopped(StopReason::CircuitOpen),
            backoff_seconds: m.backoff_seconds(),
            latency: m.latency(),
        }
    }
}

/// What happened on one database.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ConnectionSnapshot {
    /// Transactions whose BEGIN the server answered.
    pub begun: u64,
    /// Transactions whose COMMIT the server answered.
    pub committed: u64,
    /// Transactions that ended otherwise.
    pub rolled_back: u64,
    /// Transactions of which nobody knows whether they are stored.
    pub commit_unknown: u64,
    /// COMMITs that were sent with a marker.
    pub verified: u64,
    /// Lost answers to COMMIT that turned out to be stored; counted as committed too.
    pub resolved_committed: u64,
    /// Lost answers to COMMIT that turned out not to be; counted as rolled back too.
    pub resolved_rolled_back: u64,
    /// Hooks that were run.
    pub hooks_run: u64,
    /// Hooks that failed or panicked.
    pub hooks_failed: u64,
    /// Bodies that returned `Ok` from a scope that could not commit.
    pub doomed: u64,
    /// Savepoints made.
    pub savepoints: u64,
    /// Savepoints rolled back to.
    pub savepoints_rolled_back: u64,
    /// Sessions given up because their state was not known.
    pub discarded: u64,
    /// Retries refused for want of budget.
    pub budget_exhausted: u64,
    /// Transactions that waited for their turn before they began; see [`turns`](crate::turns).
    pub turns_waited: u64,
    /// How long they waited, all together.
    pub turn_wait_seconds: f64,
    /// Failed transactions, and savepoints that were tried again, by fault.
    pub faults: BTreeMap<FaultKind, u64>,
    /// How often the circuit breaker opened.
    pub breaker_opened: u64,
    /// Calls that it rejected.
    pub breaker_rejected: u64,
    /// Whether it lets calls through; closed where there is none.
    pub breaker_state: BreakerState,
}

impl ConnectionSnapshot {
    #[allow(clippy::cast_precision_loss)]
    pub(super) fn of(c: &ConnectionMetrics) -> Self {
        Self {
            begun: c.begun.get(),
            committed: c.committed.get(),
            rolled_back: c.rolled_back.get(),
            commit_unknown: c.commit_unknown.get(),
            verified: c.verified.get(),
            resolved_committed: c.resolved_committed.get(),
            resolved_rolled_back: c.resolved_rolled_back.get(),
            hooks_run: c.hooks_run.get(),
            hooks_failed: c.hooks_failed.get(),
            doomed: c.doomed.get(),
            savepoints: c.savepoints.get(),
            savepoints_rolled_back: c.savepoints_rolled_back.get(),
            discarded: c.discarded.get(),
            budget_exhausted: c.budget_exhausted.get(),
            turns_waited: c.turns_waited.get(),
            turn_wait_seconds: c.turn_wait_nanos.get() as f64 / 1e9,
            faults: c.faults.read(),
            breaker_opened: c.breaker_opened.get(),
            breaker_rejected: c.breaker_rejected.get(),
            breaker_state: c.breaker_state(),
        }
    }
}
