//! The connections of a pool: which there are, how they do, who holds them.
//!
//! Taking and giving back a connection that is known costs a shared lock on the list and an
//! uncontended one on the connection's own entry, and allocates nothing.

use std::{
    any::Any,
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde::Serialize;

use super::{
    pool::PoolMeter,
    replacement::{Batch, Closing, Facts, Limits},
    settings::HealthSettings,
};
use crate::time::{Clock, Random};

/// How a pooled connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, strum::Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ConnectionState {
    /// Nothing is known against it.
    Healthy,
    /// Its session is gone, or it failed too many checks.
    Unhealthy,
    /// It was not used for too long.
    Stale,
    /// It is too old, or was used too often.
    Expired,
}

/// Who has a connection, or since when nobody has.
#[derive(Debug)]
enum Holder {
    Held {
        since: Instant,
        method: Option<&'static str>,
        told: bool,
    },
    Idle {
        since: Instant,
    },
}

/// What is known about one connection.
struct Record {
    id: u64,
    /// What the driver knows it by; `None` if it cannot be told from others.
    key: Option<usize>,
    /// Keeps the key from being given to another connection.
    _anchor: Option<Box<dyn Any + Send + Sync>>,
    server_pid: Option<u64>,
    opened: Instant,
    limits: Limits,
    holder: Mutex<Holder>,
    uses: AtomicU64,
    checks: AtomicU64,
    failed_checks: AtomicU64,
    consecutive_failures: AtomicU32,
    broken: AtomicBool,
    statements: AtomicU64,
    statement_nanos: AtomicU64,
}

impl Record {
    fn holder(&self) -> MutexGuard<'_, Holder> {
        self.holder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn facts(&self, now: Instant) -> Facts {
        let idle = match &*self.holder() {
            Holder::Held { .. } => Duration::ZERO,
            Holder::Idle { since } => now.saturating_duration_since(*since),
        };
        Facts {
            age: now.saturating_duration_since(self.opened),
            idle,
            uses: self.uses.load(Ordering::Relaxed),
            consecutive_failures: self.consecutive_failures.load(Ordering::Relaxed),
            broken: self.broken.load(Ordering::Relaxed),
        }
    }

    fn idle_since(&self) -> Option<Instant> {
        match &*self.holder() {
            Holder::Held { .. } => None,
            Holder::Idle { since } => Some(*since),
        }
    }

    #[allow(clippy::cast_precision_loss)]
    fn report(&self, now: Instant, leak_after: Duration) -> ConnectionReport {
        let facts = self.facts(now);
        let (held, method) = match &*self.holder() {
            Holder::Held { since, method, .. } => {
                (Some(now.saturating_duration_since(*since)), *method)
            }
            Holder::Idle { .. } => (None, None),
        };
        let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
        let checks = self.checks.load(Ordering::Relaxed);
        let failed = self.failed_checks.load(Ordering::Relaxed);
        let statements = self.statements.load(Ordering::Relaxed);
        let nanos = self.statement_nanos.load(Ordering::Relaxed);
        ConnectionReport {
            id: self.id,
            server_pid: self.server_pid,
            state: self.limits.judge(&facts),
            age_seconds: facts.age.as_secs_f64(),
            idle_seconds: held.is_none().then_some(facts.idle.as_secs_f64()),
            held_seconds: held.map(|held| held.as_secs_f64()),
            held_by: method,
            suspected_leak: held.is_some_and(|held| held > leak_after),
            uses: facts.uses,
            checks,
            check_success_rate: share(checks.saturating_sub(failed), checks),
            statements,
            average_statement_seconds: share(nanos, statements).map(|nanos| nanos / 1e9),
        }
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("id", &self.id)
            .field("server_pid", &self.server_pid)
            .finish_non_exhaustive()
    }
}

/// One pooled connection, as it is now.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ConnectionReport {
    /// Counts up within the pool.
    pub id: u64,
    /// The server's number for its session; SQLite has none. Behind a pooler such as PgBouncer
    /// it is the one that was met first.
    pub server_pid: Option<u64>,
    /// How it does.
    pub state: ConnectionState,
    /// Since it was opened, or first seen if that was by others.
    pub age_seconds: f64,
    /// Since it was last used; `None` while it is.
    pub idle_seconds: Option<f64>,
    /// Since it was taken, while it is in use.
    pub held_seconds: Option<f64>,
    /// The resilient method that took it, while it is in use by one.
    pub held_by: Option<&'static str>,
    /// Whether it is held for longer than the leak threshold.
    pub suspected_leak: bool,
    /// How often it was taken.
    pub uses: u64,
    /// How often it was checked while idle.
    pub checks: u64,
    /// The share of checks that went well.
    pub check_success_rate: Option<f64>,
    /// Statements sent on it.
    pub statements: u64,
    /// Their average time.
    pub average_statement_seconds: Option<f64>,
}

/// The connections of one pool.
#[derive(Debug)]
pub struct Connections {
    settings: HealthSettings,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    meter: PoolMeter,
    records: RwLock<HashMap<Name, Arc<Record>>>,
    next: AtomicU64,
    batch: Mutex<Batch>,
    keeps: AtomicBool,
}

/// A connection's entry in the list: by its key, or by its number if it has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Name {
    Key(usize),
    Number(u64),
}

/// What a driver learns about a connection when it first meets it.
#[derive(Default)]
pub struct Introduction {
    /// What it will be known by; without one each checkout is a connection of its own.
    pub key: Option<usize>,
    /// What keeps the key from being given to another connection.
    pub anchor: Option<Box<dyn Any + Send + Sync>>,
    /// The server's number for its session.
    pub server_pid: Option<u64>,
}

impl fmt::Debug for Introduction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introduction")
            .field("key", &self.key)
            .field("server_pid", &self.server_pid)
            .finish_non_exhaustive()
    }
}

impl Connections {
    /// An empty list.
    pub fn new(settings: HealthSettings, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self {
            settings,
            clock,
            random,
            meter: PoolMeter::default(),
            records: RwLock::default(),
            next: AtomicU64::new(1),
            batch: Mutex::default(),
            keeps: AtomicBool::new(false),
        }
    }

    /// What connections are judged by.
    pub fn settings(&self) -> &HealthSettings {
        &self.settings
    }

    /// The pool's counters.
    pub fn meter(&self) -> &PoolMeter {
        &self.meter
    }

    /// The clock of ages and waits.
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// None of them is to be replaced from now on: an in-memory database ends with its
    /// connections.
    pub fn keep(&self) {
        self.keeps.store(true, Ordering::Relaxed);
    }

    fn replaces(&self) -> bool {
        self.settings.enabled && !self.keeps.load(Ordering::Relaxed)
    }

    fn read<T>(&self, f: impl FnOnce(&HashMap<Name, Arc<Record>>) -> T) -> T {
        f(&self.records.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, f: impl FnOnce(&mut HashMap<Name, Arc<Record>>) -> T) -> T {
        f(&mut self.records.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes the connection with this key, if it is known.
    pub fn take(self: &Arc<Self>, key: usize) -> Option<Lease> {
        let record = self.read(|all| all.get(&Name::Key(key)).cloned())?;
        let state = record.limits.judge(&record.facts(self.clock.now()));
        Some(Lease {
            connections: Arc::clone(self),
            record,
            found: state,
            closing: None,
        })
    }

    /// Enters a connection that was not known, of now `open` ones.
    ///
    /// One with the session of another in the list is that other: it lost its key.
    pub fn introduce(self: &Arc<Self>, who: Introduction, open: u32) -> Lease {
        let now = self.clock.now();
        let before = who.key.and(who.server_pid).and_then(|pid| self.forget(pid));
        let next = || self.next.fetch_add(1, Ordering::Relaxed);
        let id = before.as_ref().map_or_else(next, |before| before.id);
        let uses = before
            .as_ref()
            .map_or(0, |b| b.uses.load(Ordering::Relaxed));
        let record = Arc::new(Record {
            id,
            key: who.key,
            _anchor: who.anchor,
            server_pid: who.server_pid,
            opened: before.as_ref().map_or(now, |before| before.opened),
            limits: Limits::of(&self.settings, self.random.unit()),
            // Whoever takes it holds it at once; until then it must not be trimmed.
            holder: Mutex::new(Holder::Held {
                since: now,
                method: None,
                told: false,
            }),
            uses: AtomicU64::new(uses),
            checks: AtomicU64::new(0),
            failed_checks: AtomicU64::new(0),
            consecutive_failures: AtomicU32::new(0),
            broken: AtomicBool::new(false),
            statements: AtomicU64::new(0),
            statement_nanos: AtomicU64::new(0),
        });
        if who.key.is_some() && before.is_none() {
            self.meter.opened(now);
        }
        let name = who.key.map_or(Name::Number(id), Name::Key);
        self.write(|all| all.insert(name, Arc::clone(&record)));
        self.trim(open);
        Lease {
            connections: Arc::clone(self),
            record,
            found: ConnectionState::Healthy,
            closing: None,
        }
    }

    /// Takes the idle connection with this session out of the list.
    fn forget(&self, server_pid: u64) -> Option<Arc<Record>> {
        self.write(|all| {
            let is_it = |r: &Record| r.server_pid == Some(server_pid) && r.idle_since().is_some();
            let name = *all.iter().find(|(_, record)| is_it(record))?.0;
            all.remove(&name)
        })
    }

    /// Forgets connections that the pool has closed without a word, until there are no more than
    /// it has open. A pool hands out and tests the one that was idle for longest first, so
    /// that is the one it closed.
    pub fn trim(&self, open: u32) {
        let excess = |all: &HashMap<Name, Arc<Record>>| all.len() > open as usize;
        if !self.read(excess) {
            return;
        }
        let now = self.clock.now();
        self.write(|all| {
            while excess(all) {
                let idle = all
                    .iter()
                    .filter_map(|(name, record)| Some((record.idle_since()?, *name)));
                let Some((_, name)) = idle.min_by_key(|(since, _)| *since) else {
                    return;
                };
                all.remove(&name);
                self.meter.closed(now, Closing::ByPool);
            }
        });
    }

    /// Judges a connection that the pool is about to hand out, by its age and idle time; the
    /// reason if it has to be replaced.
    pub fn reject(&self, age: Duration, idle: Duration) -> Option<Closing> {
        let facts = Facts {
            age,
            idle,
            ..Facts::default()
        };
        let state = Limits::of(&self.settings, self.random.unit()).judge(&facts);
        let closing = Closing::of(state).filter(|_| self.permits())?;
        let now = self.clock.now();
        // Which one it is, is told by how long it was idle.
        let off = |record: &Record| {
            let known = now.saturating_duration_since(record.idle_since()?);
            Some(known.abs_diff(idle))
        };
        self.write(|all| {
            let all_idle = all.iter().filter_map(|(name, r)| Some((off(r)?, *name)));
            if let Some((_, name)) = all_idle.min_by_key(|(off, _)| *off) {
                all.remove(&name);
            }
        });
        self.meter.closed(now, closing);
        Some(closing)
    }

    /// Whether one that still works may be closed now.
    fn permits(&self) -> bool {
        let open = self.read(|all| u32::try_from(all.len()).unwrap_or(u32::MAX));
        let (floor, size) = (
            self.settings.min_healthy_connections,
            self.settings.batch_size,
        );
        let mut batch = self.batch.lock().unwrap_or_else(PoisonError::into_inner);
        self.replaces() && batch.permits(self.clock.now(), open, floor, size)
    }

    /// All of them as they are now, by number.
    pub fn report(&self) -> Vec<ConnectionReport> {
        let (now, leak_after) = (self.clock.now(), self.settings.leak_after);
        let mut all: Vec<_> = self.read(|all| {
            let reports = all.values().map(|record| record.report(now, leak_after));
            reports.collect()
        });
        all.sort_by_key(|report: &ConnectionReport| report.id);
        all
    }

    /// The connections that have become suspected leaks since this was last asked.
    pub fn new_leaks(&self) -> Vec<ConnectionReport> {
        let (now, leak_after) = (self.clock.now(), self.settings.leak_after);
        let untold = |record: &Record| match &mut *record.holder() {
            Holder::Held { since, told, .. }
                if !*told && now.saturating_duration_since(*since) > leak_after =>
            {
                *told = true;
                true
            }
            _ => false,
        };
        self.read(|all| {
            let new = all.values().filter(|record| untold(record));
            new.map(|record| record.report(now, leak_after)).collect()
        })
    }

    /// The connection that is held for longest.
    pub fn longest_held(&self) -> Option<ConnectionReport> {
        let all = self.report().into_iter();
        let held = all.filter(|report| report.held_seconds.is_some());
        held.max_by(|a, b| f64::total_cmp(&a.age_held(), &b.age_held()))
    }
}

impl ConnectionReport {
    fn age_held(&self) -> f64 {
        self.held_seconds.unwrap_or(0.0)
    }
}

/// A connection in somebody's hands. Dropping it gives it back.
#[derive(Debug)]
pub struct Lease {
    connections: Arc<Connections>,
    record: Arc<Record>,
    found: ConnectionState,
    closing: Option<Closing>,
}

impl Lease {
    /// What it was when it was taken.
    pub fn found(&self) -> ConnectionState {
        self.found
    }

    /// The server's number for the session.
    pub fn server_pid(&self) -> Option<u64> {
        self.record.server_pid
    }

    /// The connection's number within the pool.
    pub fn id(&self) -> u64 {
        self.record.id
    }

    /// It is in use from now on.
    pub fn hold(&self, method: Option<&'static str>) {
        self.record.uses.fetch_add(1, Ordering::Relaxed);
        *self.record.holder() = Holder::Held {
            since: self.connections.clock.now(),
            method,
            told: false,
        };
    }

    /// A statement was sent.
    pub fn sent(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.record.statements.fetch_add(1, Ordering::Relaxed);
        self.record
            .statement_nanos
            .fetch_add(nanos, Ordering::Relaxed);
    }

    /// The session turned out to be gone.
    pub fn broken(&self) {
        self.record.broken.store(true, Ordering::Relaxed);
    }

    /// It was checked; says how it does since.
    pub fn checked(&self, well: bool) -> ConnectionState {
        let record = &self.record;
        record.checks.fetch_add(1, Ordering::Relaxed);
        if well {
            record.consecutive_failures.store(0, Ordering::Relaxed);
        } else {
            record.failed_checks.fetch_add(1, Ordering::Relaxed);
            record.consecutive_failures.fetch_add(1, Ordering::Relaxed);
        }
        let now = self.connections.clock.now();
        let mut facts = record.facts(now);
        // It was found idle, and a check is no use.
        if well && self.found == ConnectionState::Stale {
            facts.idle = Duration::MAX;
        }
        record.limits.judge(&facts)
    }

    /// Whether it has to be closed instead of given back. What does not work any more always
    /// has to.
    pub fn is_due(&self) -> Option<Closing> {
        let now = self.connections.clock.now();
        let state = self.record.limits.judge(&self.record.facts(now));
        let closing = Closing::of(state)?;
        let permitted = match closing {
            Closing::Unhealthy => self.connections.replaces(),
            _ => self.connections.permits(),
        };
        permitted.then_some(closing)
    }

    /// The same for one that was just taken: whether it was idle for too long.
    pub fn was_stale(&self) -> bool {
        self.found == ConnectionState::Stale && self.connections.permits()
    }

    /// It will be closed, not given back.
    pub fn close(&mut self, why: Closing) {
        self.closing = Some(why);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let now = self.connections.clock.now();
        let gone = self.closing.is_some() || self.record.key.is_none();
        *self.record.holder() = Holder::Idle { since: now };
        if !gone {
            return;
        }
        let record = &self.record;
        let name = record.key.map_or(Name::Number(record.id), Name::Key);
        self.connections.write(|all| {
            // Its key may be another's by now.
            if all.get(&name).is_some_and(|known| known.id == record.id) {
                all.remove(&name);
            }
        });
        if let Some(why) = self.closing {
            self.connections.meter.closed(now, why);
        }
    }
}

#[cfg(test)]
#[path = "connections_tests.rs"]
mod tests;
