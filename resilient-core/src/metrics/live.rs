//! Databases that are in use, as the registry sees them: what they are doing now.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, MutexGuard, PoisonError},
};

use serde::Serialize;

use super::{Histogram, LatencySnapshot, Registry};
use crate::{
    admission::AdmissionSnapshot,
    driver::Context,
    health::{
        Closing, Connections, PoolGauge,
        alerts::{AlertKind, Severity},
    },
};

/// A database that the registry can look at. Nothing here may wait for a server, or ask the
/// registry.
pub trait Observed: fmt::Debug + Send + Sync + 'static {
    /// What calls on it share.
    fn context(&self) -> &Context;

    /// How full its pool is; `None` if it has none.
    fn pool(&self) -> Option<PoolGauge>;

    /// The pool's connections; `None` if it has no pool.
    fn connections(&self) -> Option<&Connections>;
}

/// A database is looked at for as long as this lives. What it counted stays in the registry
/// afterwards, so that sums never fall.
#[derive(Debug)]
#[must_use = "the database is forgotten when this is dropped"]
pub struct Observation {
    registry: &'static Registry,
    database: Arc<dyn Observed>,
}

impl Drop for Observation {
    fn drop(&mut self) {
        let mut live = self.registry.live();
        live.databases.retain(|d| !Arc::ptr_eq(d, &self.database));
        let name = self.database.context().name().to_owned();
        live.gone.entry(name).or_default().count(&*self.database);
    }
}

/// The databases that are in use, and what those counted that are not any more.
#[derive(Debug, Default)]
pub(super) struct Live {
    databases: Vec<Arc<dyn Observed>>,
    gone: BTreeMap<String, Tally>,
}

impl Live {
    /// Each by its name.
    pub(super) fn snapshot(&self) -> BTreeMap<String, DatabaseSnapshot> {
        let mut tallies: BTreeMap<&str, Tally> = BTreeMap::new();
        for (name, gone) in &self.gone {
            tallies.entry(name).or_default().absorb(gone);
        }
        let mut pools = BTreeSet::new();
        for database in &self.databases {
            let context = database.context();
            let tally = tallies.entry(context.name()).or_default();
            tally.count(&**database);
            // Several wraps of one pool share its connections.
            let own_pool = pools.insert((context.name(), context.id));
            tally.look(&**database, own_pool);
        }
        let named = tallies.into_iter();
        named
            .map(|(name, tally)| (name.to_owned(), tally.snapshot()))
            .collect()
    }
}

impl Registry {
    pub(super) fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a database looked at with each snapshot, until the observation is dropped. It should be
    /// kept where the database ends with its last user, not by `database` itself.
    pub fn observe(&'static self, database: Arc<dyn Observed>) -> Observation {
        self.live().databases.push(Arc::clone(&database));
        Observation {
            registry: self,
            database,
        }
    }
}

/// What the databases of one name add up to.
#[derive(Debug, Default)]
struct Tally {
    acquire: Histogram,
    acquire_failures: u64,
    opened: u64,
    closed: BTreeMap<Closing, u64>,
    overdue: [u64; 2],
    deadlocks: u64,
    admission: BTreeMap<&'static str, AdmissionSnapshot>,
    /// The methods whose gates were looked at.
    looked: BTreeSet<&'static str>,
    now: DatabaseSnapshot,
}

impl Tally {
    /// Adds what only grows.
    fn count(&mut self, database: &dyn Observed) {
        let context = database.context();
        if let Some(connections) = database.connections() {
            let meter = connections.meter();
            self.acquire.absorb(&meter.acquired);
            self.acquire_failures += meter.failed.get();
            let churn = meter.churn(connections.clock().now());
            self.opened += churn.opened;
            for (why, n) in churn.closed {
                *self.closed.entry(why).or_default() += n;
            }
        }
        let (warned, ended) = context.sessions.overdue();
        self.overdue[0] += warned;
        self.overdue[1] += ended;
        self.deadlocks += context.deadlocks.total();
        for gate in context.admission() {
            let sum = self.gate(gate.method);
            sum.waited += gate.waited;
            sum.changes += gate.changes;
        }
    }

    /// Adds what others counted.
    fn absorb(&mut self, other: &Self) {
        self.acquire.absorb(&other.acquire);
        self.acquire_failures += other.acquire_failures;
        self.opened += other.opened;
        for (why, n) in &other.closed {
            *self.closed.entry(*why).or_default() += n;
        }
        self.overdue[0] += other.overdue[0];
        self.overdue[1] += other.overdue[1];
        self.deadlocks += other.deadlocks;
        for (method, gate) in &other.admission {
            let sum = self.gate(method);
            sum.waited += gate.waited;
            sum.changes += gate.changes;
        }
    }

    fn gate(&mut self, method: &'static str) -> &mut AdmissionSnapshot {
        let new = || AdmissionSnapshot {
            method,
            limit: None,
            in_flight: 0,
            waiting: 0,
            waited: 0,
            changes: 0,
            lock_timeout_seconds: None,
        };
        self.admission.entry(method).or_insert_with(new)
    }

    /// Adds what it is doing now. `own_pool` says that its pool was not met before.
    fn look(&mut self, database: &dyn Observed, own_pool: bool) {
        let context = database.context();
        for gate in context.admission() {
            let first = self.looked.insert(gate.method);
            let sum = self.gate(gate.method);
            // Together they are unlimited if one is.
            sum.limit = match (first, sum.limit, gate.limit) {
                (true, _, limit) => limit,
                (false, Some(a), Some(b)) => Some(a + b),
                (false, ..) => None,
            };
            sum.in_flight += gate.in_flight;
            sum.waiting += gate.waiting;
            let (a, b) = (sum.lock_timeout_seconds, gate.lock_timeout_seconds);
            sum.lock_timeout_seconds = match (a, b) {
                (Some(a), Some(b)) => Some(a.max(b)),
                (a, b) => a.or(b),
            };
        }
        let now = &mut self.now;
        now.handles += 1;
        now.retry_budget += context.budget.available();
        let sessions = context.sessions.sessions(context.clock.now());
        now.open_transactions += sessions.len() as u64;
        let oldest = sessions.iter().map(|session| session.age_seconds);
        now.oldest_transaction_seconds = oldest.fold(now.oldest_transaction_seconds, f64::max);
        for ((kind, severity), count) in context.vitals.alerts().counts() {
            let same = |alert: &&mut AlertCount| (alert.kind, alert.severity) == (kind, severity);
            match now.alerts.iter_mut().find(same) {
                Some(alert) => alert.count += count,
                None => now.alerts.push(AlertCount {
                    kind,
                    severity,
                    count,
                }),
            }
        }
        let (Some(gauge), Some(connections)) = (database.pool(), database.connections()) else {
            return;
        };
        let pool = now.pool.get_or_insert_default();
        pool.waiting += u64::from(connections.meter().waiting());
        let leaks = connections
            .report()
            .into_iter()
            .filter(|c| c.suspected_leak);
        pool.suspected_leaks += leaks.count() as u64;
        if own_pool {
            pool.max_connections += u64::from(gauge.max);
            pool.open += u64::from(gauge.open);
            pool.idle += u64::from(gauge.idle.min(gauge.open));
            pool.in_use += u64::from(gauge.in_use());
        }
    }

    fn snapshot(self) -> DatabaseSnapshot {
        DatabaseSnapshot {
            acquire: self.acquire.snapshot(),
            acquire_failures: self.acquire_failures,
            connections_opened: self.opened,
            connections_closed: self.closed,
            transactions_warned: self.overdue[0],
            transactions_ended: self.overdue[1],
            deadlocks: self.deadlocks,
            admission: self.admission.into_values().collect(),
            ..self.now
        }
    }
}

/// What the databases of one name are doing, and what they have counted beside their calls.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct DatabaseSnapshot {
    /// How many connections of this name are in use; 0 if all were dropped, whose counts stay.
    pub handles: u64,
    /// The pool; `None` without one.
    pub pool: Option<PoolSnapshot>,
    /// How long callers waited who got a connection.
    pub acquire: LatencySnapshot,
    /// How often none could be had.
    pub acquire_failures: u64,
    /// Pooled connections that were opened.
    pub connections_opened: u64,
    /// Pooled connections that were closed, by reason.
    pub connections_closed: BTreeMap<Closing, u64>,
    /// Transactions that are open.
    pub open_transactions: u64,
    /// The age of the oldest of them; 0 if none is open.
    pub oldest_transaction_seconds: f64,
    /// Transactions that were warned of, as they were open or idle for long.
    pub transactions_warned: u64,
    /// Transactions that were ended for that.
    pub transactions_ended: u64,
    /// Deadlocks whose participants were looked for.
    pub deadlocks: u64,
    /// Alerts that stand.
    pub alerts: Vec<AlertCount>,
    /// Retries that the budget still allows.
    pub retry_budget: u64,
    /// How many transactions of each method are open and may be; empty where admission is off.
    pub admission: Vec<AdmissionSnapshot>,
}

/// A pool at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct PoolSnapshot {
    /// The most connections it may open.
    pub max_connections: u64,
    /// Connections that are open.
    pub open: u64,
    /// Open connections that nobody uses.
    pub idle: u64,
    /// Connections that somebody uses.
    pub in_use: u64,
    /// Callers that wait for one.
    pub waiting: u64,
    /// Connections held for longer than the leak threshold.
    pub suspected_leaks: u64,
}

/// How many alerts of one kind and severity stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct AlertCount {
    /// What they are about.
    pub kind: AlertKind,
    /// How bad they are.
    pub severity: Severity,
    /// How many.
    pub count: u64,
}
