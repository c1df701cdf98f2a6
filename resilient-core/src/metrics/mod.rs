//! The process-wide registry of what calls and connections did, and its export.
//!
//! Recording is a few relaxed atomic additions: no lock, no allocation, and for a method's
//! successes nothing that another thread writes. A method's or connection's entry is made once,
//! when it is first used.

#[cfg(feature = "metrics")]
pub mod facade;
mod families;
pub(crate) mod histogram;
pub mod instrument;
mod live;
mod method;
#[cfg(feature = "openmetrics")]
mod openmetrics;
#[cfg(feature = "opentelemetry")]
pub mod opentelemetry;
#[cfg(any(feature = "metrics", feature = "opentelemetry"))]
mod replay;
mod snapshot;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, LazyLock, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

pub use families::{Family, Point, Value};
pub use histogram::{Histogram, LatencySnapshot};
pub use instrument::Instrument;
use live::Live;
pub use live::{AlertCount, DatabaseSnapshot, Observation, Observed, PoolSnapshot};
pub use method::MethodMetrics;
pub use snapshot::{ConnectionSnapshot, MethodSnapshot, Snapshot, ViolationSnapshot};

use crate::{ConstraintKind, Fault, FaultKind, health::breaker::BreakerState};

/// Whether calls of methods are counted and timed.
static RECORDING: AtomicBool = AtomicBool::new(true);

/// Whether calls of methods are counted and timed; they are unless
/// [`Registry::set_recording`] says otherwise.
#[inline]
pub fn is_recording() -> bool {
    RECORDING.load(Ordering::Relaxed)
}

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds to it.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Its value.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One counter for each fault kind.
#[derive(Debug)]
pub struct ByKind(Box<[Counter]>);

impl Default for ByKind {
    fn default() -> Self {
        Self(FaultKind::ALL.iter().map(|_| Counter::default()).collect())
    }
}

impl ByKind {
    /// Counts one.
    pub fn add(&self, kind: FaultKind) {
        self.0[kind as usize].add(1);
    }

    fn read(&self) -> BTreeMap<FaultKind, u64> {
        FaultKind::ALL
            .iter()
            .map(|kind| (*kind, self.0[*kind as usize].get()))
            .filter(|(_, n)| *n > 0)
            .collect()
    }
}

/// What happened on one database.
#[derive(Debug, Default)]
pub struct ConnectionMetrics {
    /// Transactions whose BEGIN the server answered.
    pub begun: Counter,
    /// Transactions whose COMMIT the server answered.
    pub committed: Counter,
    /// Transactions that ended otherwise, while the server still had them.
    pub rolled_back: Counter,
    /// Transactions of which nobody knows whether they are stored.
    pub commit_unknown: Counter,
    /// COMMITs that were sent with a marker.
    pub verified: Counter,
    /// Lost answers to COMMIT that turned out to be stored.
    pub resolved_committed: Counter,
    /// Lost answers to COMMIT that turned out not to be.
    pub resolved_rolled_back: Counter,
    /// Hooks that were run.
    pub hooks_run: Counter,
    /// Hooks that failed or panicked.
    pub hooks_failed: Counter,
    /// Bodies that returned `Ok` from a scope that could not commit.
    pub doomed: Counter,
    /// Savepoints made.
    pub savepoints: Counter,
    /// Savepoints rolled back to.
    pub savepoints_rolled_back: Counter,
    /// Sessions given up because their state was not known.
    pub discarded: Counter,
    /// Retries refused for want of budget.
    pub budget_exhausted: Counter,
    /// Transactions that waited for their turn before they began.
    pub turns_waited: Counter,
    /// How long they waited, in nanoseconds.
    pub turn_wait_nanos: Counter,
    /// Faults, by kind.
    pub faults: ByKind,
    /// How often the circuit breaker opened.
    pub breaker_opened: Counter,
    /// Calls that it rejected.
    pub breaker_rejected: Counter,
    /// How many breakers of the name are open. There are several where a connection is replaced.
    breakers_open: AtomicU64,
    /// How many are half open.
    breakers_half_open: AtomicU64,
}

impl ConnectionMetrics {
    /// A circuit breaker has changed its state. One that is gone counts as closed.
    pub(crate) fn breaker_is(&self, before: BreakerState, after: BreakerState) {
        let count = |state| match state {
            BreakerState::Closed => None,
            BreakerState::HalfOpen => Some(&self.breakers_half_open),
            BreakerState::Open => Some(&self.breakers_open),
        };
        if after == BreakerState::Open {
            self.breaker_opened.add(1);
        }
        if let Some(count) = count(after) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(count) = count(before) {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// That of the breaker that lets the fewest through.
    fn breaker_state(&self) -> BreakerState {
        if self.breakers_open.load(Ordering::Relaxed) > 0 {
            BreakerState::Open
        } else if self.breakers_half_open.load(Ordering::Relaxed) > 0 {
            BreakerState::HalfOpen
        } else {
            BreakerState::Closed
        }
    }
}

/// Which constraint was violated where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ViolationKey {
    pub(crate) connection: String,
    pub(crate) table: Option<String>,
    pub(crate) constraint: Option<String>,
    pub(crate) columns: Vec<String>,
    pub(crate) kind: ConstraintKind,
}

/// How many different constraints are told apart. A trigger can raise violations under any name
/// it makes up; what comes after these is counted without names.
const MAX_CONSTRAINTS: usize = 10_000;

/// The registry. Use [`global`].
#[derive(Debug, Default)]
pub struct Registry {
    violations: RwLock<BTreeMap<ViolationKey, u64>>,
    methods: RwLock<BTreeMap<&'static str, &'static MethodMetrics>>,
    connections: RwLock<BTreeMap<String, Arc<ConnectionMetrics>>>,
    live: Mutex<Live>,
}

/// The process-wide registry.
pub fn global() -> &'static Registry {
    static GLOBAL: LazyLock<Registry> = LazyLock::new(Registry::default);
    &GLOBAL
}

impl Registry {
    /// Whether calls of methods are to be counted and timed, which costs a call two looks at the
    /// clock. What connections do is counted in any case, and so are violations.
    ///
    /// It holds for calls that begin afterwards, in all of the process.
    pub fn set_recording(&self, on: bool) {
        RECORDING.store(on, Ordering::Relaxed);
    }

    /// The entry of a method, made if it is the first. It lives as long as the process.
    pub fn method(&self, name: &str) -> &'static MethodMetrics {
        {
            let methods = self.methods.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(found) = methods.get(name) {
                return found;
            }
        }
        let mut methods = self.methods.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = methods.get(name) {
            return found;
        }
        // Names are few and live as long as the process.
        let name: &'static str = Box::leak(name.to_owned().into_boxed_str());
        let entry: &'static MethodMetrics = Box::leak(Box::new(MethodMetrics::new(name)));
        methods.insert(name, entry);
        entry
    }

    /// The entry of a connection, made if it is the first of that name.
    pub fn connection(&self, name: &str) -> Arc<ConnectionMetrics> {
        let mut all = self
            .connections
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(name.to_owned()).or_default())
    }

    /// Counts a violated constraint, with as much of its identity as the fault has. Other faults
    /// are none.
    pub fn violation(&self, connection: &str, fault: &Fault) {
        let Some(kind) = fault.constraint_kind() else {
            return;
        };
        let mut key = ViolationKey {
            connection: connection.to_owned(),
            table: fault.table().map(str::to_owned),
            constraint: fault.constraint().map(str::to_owned),
            columns: fault.columns().to_vec(),
            kind,
        };
        let mut all = self
            .violations
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_CONSTRAINTS && !all.contains_key(&key) {
            key.table = None;
            key.constraint = None;
            key.columns.clear();
        }
        *all.entry(key).or_default() += 1;
    }

    /// The numbers as they are now, as plain data.
    ///
    /// Counters are read one after another, so numbers that belong together can be apart by
    /// the calls that ended in between.
    pub fn snapshot(&self) -> Snapshot {
        let databases = self.live().snapshot();
        let methods = self.methods.read().unwrap_or_else(PoisonError::into_inner);
        let connections = self
            .connections
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let violations = self
            .violations
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        Snapshot {
            violations: violations
                .iter()
                .map(|(key, count)| ViolationSnapshot::of(key, *count))
                .collect(),
            methods: methods
                .iter()
                .map(|(name, m)| ((*name).to_owned(), MethodSnapshot::of(m)))
                .collect(),
            connections: connections
                .iter()
                .map(|(name, c)| (name.clone(), ConnectionSnapshot::of(c)))
                .collect(),
            databases,
        }
    }
}
