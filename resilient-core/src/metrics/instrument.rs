//! What is exported: the one list of names, units and labels, which every exporter, the table in
//! `docs/metrics.md`, the dashboard and the alert rules go by.

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A sum that only grows while the process lives.
    Counter,
    /// A number that goes up and down.
    Gauge,
    /// The same, and it makes sense to add it up over databases and processes.
    UpDown,
    /// A distribution.
    Histogram,
}

/// What a metric counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Things, named in the singular.
    Of(&'static str),
}

/// One metric that is exported.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Instrument {
    /// Its name in OpenTelemetry: `resilient.calls`.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// What it counts.
    pub unit: Unit,
    /// The names of its attributes, in OpenTelemetry's way.
    pub labels: &'static [&'static str],
    /// What it says, in a sentence without a full stop.
    pub help: &'static str,
}

impl Instrument {
    /// Its name without suffixes of its kind: `resilient_calls`, `resilient_backoff_seconds`.
    pub fn family(&self) -> String {
        let mut family = underscored(self.name);
        if self.unit == Unit::Seconds {
            family.push_str("_seconds");
        }
        family
    }

    /// Its name as `PromQL` has it, which of a histogram is that of its parts without `_bucket`,
    /// `_sum` and `_count`: `resilient_calls_total`. Also its name at the `metrics` facade.
    pub fn exposed(&self) -> String {
        let mut name = self.family();
        if self.kind == Kind::Counter {
            name.push_str("_total");
        }
        name
    }

    /// Its unit as UCUM has it: `s`, `{call}`.
    pub fn ucum(&self) -> String {
        match self.unit {
            Unit::Seconds => "s".to_owned(),
            Unit::Of(thing) => format!("{{{thing}}}"),
        }
    }
}

/// A name of OpenTelemetry as Prometheus can have it.
pub(super) fn underscored(name: &str) -> String {
    name.replace('.', "_")
}

/// The attribute that says the database.
pub const DATABASE: &str = "database";
/// The same in OpenTelemetry's conventions for pools.
pub const POOL_NAME: &str = "db.client.connection.pool.name";
/// Whether connections are `idle` or `used`.
pub const POOL_STATE: &str = "db.client.connection.state";

macro_rules! instruments {
    ($($id:ident: $name:literal $kind:ident $unit:expr, $labels:expr, $help:literal;)*) => {
        $(
            #[doc = $help]
            pub static $id: Instrument = Instrument {
                name: $name,
                kind: Kind::$kind,
                unit: $unit,
                labels: &$labels,
                help: $help,
            };
        )*
        /// Every metric.
        pub static ALL: &[&Instrument] = &[$(&$id),*];
    };
}

use Unit::{Of, Seconds};

instruments! {
    CALLS: "resilient.calls" Counter Of("call"), ["method", "result", "outcome"],
        "Calls that ended, by result; for failed ones the outcome says what became of their writes";
    ATTEMPTS: "resilient.attempts" Counter Of("attempt"), ["method"],
        "How often bodies of methods ran";
    RETRIES: "resilient.retries" Counter Of("retry"), ["method", "fault"],
        "Re-executions, by the fault that led to them";
    ATTEMPT_FAULTS: "resilient.attempts.failed" Counter Of("attempt"), ["method", "fault"],
        "Failed attempts, by fault";
    STOPS: "resilient.calls.stopped" Counter Of("call"), ["method", "reason"],
        "Calls that failed for want of attempts, time or budget, or were rejected by the circuit breaker";
    BACKOFF: "resilient.backoff" Counter Seconds, ["method"],
        "Time spent waiting between attempts";
    CALL_DURATION: "resilient.call.duration" Histogram Seconds, ["method"],
        "From call to return, all attempts and delays included";

    BEGUN: "resilient.transactions.begun" Counter Of("transaction"), [DATABASE],
        "Transactions whose BEGIN the server answered";
    ENDED: "resilient.transactions.ended" Counter Of("transaction"), [DATABASE, "result"],
        "Transactions that ended: committed, rolled back, or unknown as COMMIT was not answered";
    FAULTS: "resilient.transactions.failed" Counter Of("transaction"), [DATABASE, "fault"],
        "Failed transactions, and savepoints that were tried again, by fault";
    VERIFIED: "resilient.commits.verified" Counter Of("commit"), [DATABASE],
        "COMMITs that were sent with a marker";
    RESOLVED: "resilient.commits.resolved" Counter Of("commit"), [DATABASE, "result"],
        "Lost answers to COMMIT that were found out, by what they turned out to be";
    HOOKS_RUN: "resilient.hooks.run" Counter Of("hook"), [DATABASE],
        "Hooks that were run";
    HOOKS_FAILED: "resilient.hooks.failed" Counter Of("hook"), [DATABASE],
        "Hooks that failed or panicked";
    DOOMED: "resilient.scopes.doomed" Counter Of("scope"), [DATABASE],
        "Bodies that returned Ok from a scope that could not commit";
    SAVEPOINTS: "resilient.savepoints.made" Counter Of("savepoint"), [DATABASE],
        "Savepoints made";
    SAVEPOINTS_BACK: "resilient.savepoints.rolled_back" Counter Of("savepoint"), [DATABASE],
        "Savepoints rolled back to";
    DISCARDED: "resilient.sessions.discarded" Counter Of("session"), [DATABASE],
        "Sessions given up because their state was not known";
    BUDGET_EXHAUSTED: "resilient.budget.exhausted" Counter Of("retry"), [DATABASE],
        "Retries refused for want of budget";
    TURNS_WAITED: "resilient.turns.waited" Counter Of("transaction"), [DATABASE],
        "Transactions that waited for their turn before they began";
    TURNS_WAIT: "resilient.turns.wait" Counter Seconds, [DATABASE],
        "How long they waited, all together";
    BREAKER_OPENED: "resilient.breaker.opened" Counter Of("time"), [DATABASE],
        "How often the circuit breaker opened";
    BREAKER_REJECTED: "resilient.breaker.rejected" Counter Of("call"), [DATABASE],
        "Calls that the circuit breaker rejected";
    BREAKER_STATE: "resilient.breaker.state" Gauge Of("state"), [DATABASE, "state"],
        "1 for the state that the circuit breaker is in, 0 for the others";
    VIOLATIONS: "resilient.violations" Counter Of("violation"),
        [DATABASE, "kind", "table", "constraint", "columns"],
        "Violated constraints, with as much of their identity as is known";

    POOL_COUNT: "db.client.connection.count" UpDown Of("connection"), [POOL_NAME, POOL_STATE],
        "Open connections of the pool, by state: idle or used";
    POOL_MAX: "db.client.connection.max" UpDown Of("connection"), [POOL_NAME],
        "The most connections that the pool may open";
    POOL_WAITING: "db.client.connection.pending_requests" UpDown Of("request"), [POOL_NAME],
        "Callers that wait for a connection";
    POOL_WAIT: "db.client.connection.wait_time" Histogram Seconds, [POOL_NAME],
        "How long callers waited who got a connection";
    POOL_FAILED: "resilient.pool.acquire_failures" Counter Of("request"), [DATABASE],
        "How often no connection could be had";
    POOL_OPENED: "resilient.pool.opened" Counter Of("connection"), [DATABASE],
        "Connections that were opened";
    POOL_CLOSED: "resilient.pool.closed" Counter Of("connection"), [DATABASE, "reason"],
        "Connections that were closed, by reason";
    POOL_LEAKS: "resilient.pool.suspected_leaks" UpDown Of("connection"), [DATABASE],
        "Connections held for longer than the leak threshold";

    OPEN: "resilient.transactions.open" UpDown Of("transaction"), [DATABASE],
        "Transactions that are open";
    OLDEST: "resilient.transactions.oldest" Gauge Seconds, [DATABASE],
        "The age of the oldest open transaction; 0 if none is open";
    OVERDUE: "resilient.transactions.overdue" Counter Of("transaction"), [DATABASE, "action"],
        "Transactions that were open or idle for too long, by what was done: warned or ended";
    DEADLOCKS: "resilient.deadlocks" Counter Of("deadlock"), [DATABASE],
        "Deadlocks that the server ended and whose participants were looked for";
    ALERTS: "resilient.alerts.active" UpDown Of("alert"), [DATABASE, "kind", "severity"],
        "Alerts that stand";
    BUDGET: "resilient.budget.available" UpDown Of("retry"), [DATABASE],
        "Retries that the budget still allows";
    ADMISSION_LIMIT: "resilient.admission.limit" UpDown Of("transaction"), [DATABASE, "method"],
        "How many transactions of the method may be open at a time; absent without a limit";
    ADMISSION_OPEN: "resilient.admission.open" UpDown Of("transaction"), [DATABASE, "method"],
        "How many of the method's transactions are open";
    ADMISSION_WAITING: "resilient.admission.waiting" UpDown Of("call"), [DATABASE, "method"],
        "How many of the method's calls wait to be let in";
    ADMISSION_WAITED: "resilient.admission.waited" Counter Of("call"), [DATABASE, "method"],
        "How many of the method's calls have waited to be let in";
    ADMISSION_CHANGES: "resilient.admission.changes" Counter Of("change"), [DATABASE, "method"],
        "How often the limit was changed";
}
