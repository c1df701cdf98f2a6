//! [`LiveSnapshot`]: a database at one moment, and what was counted since the last one.

use std::{collections::BTreeMap, time::Duration};

use resilient_core::{
    FaultKind,
    admission::AdmissionSnapshot,
    health::{
        PoolReport, Source,
        alerts::Alert,
        breaker::BreakerReport,
        constraints::{ViolationCount, violations},
        performance::Stats,
        report::{HealthSummary, SessionsHealth},
    },
    metrics::{self, ConnectionSnapshot, MethodSnapshot, Snapshot},
    time::unix_ms,
};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::Instant;

/// A database at one moment: the event `snapshot` of a stream.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct LiveSnapshot {
    /// The name that `?database=` takes.
    pub database: String,
    /// When it was made, in milliseconds since 1970.
    pub at_unix_ms: u64,
    /// How the database does, by a check of the last seconds that all streams share; `None` if
    /// it did not come in time.
    pub summary: Option<HealthSummary>,
    /// The pool.
    pub pool: PoolReport,
    /// The transactions that are open.
    pub sessions: SessionsHealth,
    /// The alerts that stand.
    pub alerts: Vec<Alert>,
    /// The circuit breaker, if there is one.
    pub breaker: Option<BreakerReport>,
    /// How many transactions of each method are open and may be.
    pub admission: Vec<AdmissionSnapshot>,
    /// The statements of the last minute.
    pub statements_last_minute: Stats,
    /// How many deadlocks there were so far.
    pub deadlocks: u64,
    /// The constraints that were violated, the most frequent first.
    pub violations: Vec<ViolationCount>,
    /// What happened on the database since the start.
    pub connection: ConnectionSnapshot,
    /// What the calls of each method of the process did since the start.
    pub methods: BTreeMap<String, MethodSnapshot>,
    /// What of this is new; `None` in a stream's first snapshot.
    pub delta: Option<Delta>,
}

/// What was counted since the snapshot before.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Delta {
    /// How long that was ago, in seconds.
    pub seconds: f64,
    /// On the database.
    pub connection: ConnectionDelta,
    /// By method; those that were not called are left out.
    pub methods: BTreeMap<String, MethodDelta>,
}

/// What was counted on a database.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct ConnectionDelta {
    /// Transactions whose BEGIN the server answered.
    pub begun: u64,
    /// Transactions whose COMMIT the server answered.
    pub committed: u64,
    /// Transactions that ended otherwise.
    pub rolled_back: u64,
    /// Transactions of which nobody knows whether they are stored.
    pub commit_unknown: u64,
    /// Failed transactions, and savepoints that were tried again, by fault.
    pub faults: BTreeMap<FaultKind, u64>,
}

/// What the calls of a method did.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct MethodDelta {
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
    /// Re-executions, by the fault that led to them.
    pub retries: BTreeMap<FaultKind, u64>,
    /// Seconds spent waiting between attempts.
    pub backoff_seconds: f64,
}

/// The event `lagged`: a listener was too slow for some events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Missed {
    /// How many it missed.
    pub missed: u64,
}

/// The numbers of the snapshot before.
#[derive(Debug, Default)]
pub(super) struct Before(Option<(u64, Instant, Snapshot)>);

impl Before {
    /// The next snapshot. A database that has taken the place of another one has no numbers from
    /// before.
    pub(super) fn next(
        &mut self,
        name: &str,
        source: &dyn Source,
        summary: Option<HealthSummary>,
    ) -> LiveSnapshot {
        let (id, now, of) = (source.id(), Instant::now(), source.name());
        let all = metrics::global().snapshot();
        let before = self.0.take().filter(|(before, ..)| *before == id);
        let delta = before.map(|(_, at, then)| Delta::of(now - at, of, &then, &all));
        let snapshot = LiveSnapshot {
            database: name.to_owned(),
            at_unix_ms: unix_ms(),
            summary,
            pool: source.pool(),
            sessions: source.sessions(),
            alerts: source.alerts().active,
            breaker: source.breaker(),
            admission: source.admission(),
            statements_last_minute: source.recent(1),
            deadlocks: source.deadlocks().total,
            violations: violations(of, &all),
            connection: all.connection(of),
            methods: all.methods.clone(),
            delta,
        };
        self.0 = Some((id, now, all));
        snapshot
    }
}

impl Delta {
    fn of(time: Duration, name: &str, then: &Snapshot, now: &Snapshot) -> Self {
        let (was, is) = (then.connection(name), now.connection(name));
        let methods = now.methods.iter().filter_map(|(name, is)| {
            let delta = MethodDelta::of(&then.method(name), is);
            let quiet = delta.calls == 0 && delta.attempts == 0;
            (!quiet).then(|| (name.clone(), delta))
        });
        Self {
            seconds: time.as_secs_f64(),
            connection: ConnectionDelta {
                begun: is.begun.saturating_sub(was.begun),
                committed: is.committed.saturating_sub(was.committed),
                rolled_back: is.rolled_back.saturating_sub(was.rolled_back),
                commit_unknown: is.commit_unknown.saturating_sub(was.commit_unknown),
                faults: grown(&was.faults, &is.faults),
            },
            methods: methods.collect(),
        }
    }
}

impl MethodDelta {
    fn of(was: &MethodSnapshot, is: &MethodSnapshot) -> Self {
        Self {
            calls: is.calls.saturating_sub(was.calls),
            succeeded: is.succeeded.saturating_sub(was.succeeded),
            failed: is.failed.saturating_sub(was.failed),
            cancelled: is.cancelled.saturating_sub(was.cancelled),
            attempts: is.attempts.saturating_sub(was.attempts),
            retries: grown(&was.retries, &is.retries),
            backoff_seconds: (is.backoff_seconds - was.backoff_seconds).max(0.0),
        }
    }
}

/// By how much each has grown, of those that have.
fn grown(
    was: &BTreeMap<FaultKind, u64>,
    is: &BTreeMap<FaultKind, u64>,
) -> BTreeMap<FaultKind, u64> {
    let by = |(kind, now): (&FaultKind, &u64)| {
        let then = was.get(kind).copied().unwrap_or_default();
        (*kind, now.saturating_sub(then))
    };
    is.iter().map(by).filter(|(_, by)| *by > 0).collect()
}
