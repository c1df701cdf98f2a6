//! The connections of a pool: which there are, how they do, who holds them.
//!
//! Taking and giving back a connection that is known costs a shared lock on the list and an
//! uncontended one on the connection's own entry, and allocates nothing.

use std::{
    any::Any,
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, OnceLock, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{
    Events, HealthEvent,
    distrust::Distrust,
    lease::Lease,
    meter::PoolMeter,
    record::{ConnectionReport, ConnectionState, Holder, Record},
    replacement::{Batch, Closing, Facts, Limits},
    settings::HealthSettings,
};
use crate::time::{Clock, Random};

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
    pub(super) distrust: Distrust,
    /// Who hears of it when one is closed for its state.
    teller: OnceLock<Teller>,
}

/// The database's name, and where its events go.
#[derive(Debug)]
struct Teller {
    database: String,
    events: Events,
}

/// A connection's entry in the list: by its key, or by its number if it has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Name {
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
            distrust: Distrust::new(clock.now()),
            clock,
            random,
            meter: PoolMeter::default(),
            records: RwLock::default(),
            next: AtomicU64::new(1),
            batch: Mutex::default(),
            keeps: AtomicBool::new(false),
            teller: OnceLock::new(),
        }
    }

    /// Sends an event from now on for each connection that is closed for its state. Only the
    /// first call counts.
    pub fn tell(&self, database: &str, events: Events) {
        let database = database.to_owned();
        // The list is one pool's, and the pool has one name.
        let _ = self.teller.set(Teller { database, events });
    }

    /// One was closed; `None` if nobody had met it.
    pub(super) fn closed(&self, id: Option<u64>, why: Closing) {
        self.meter.closed(self.clock.now(), why);
        if matches!(why, Closing::Discarded | Closing::ByPool) {
            return;
        }
        if let Some(Teller { database, events }) = self.teller.get() {
            events.send(HealthEvent::ConnectionReplaced {
                database: database.clone(),
                connection: id.map_or_else(|| "unknown".to_owned(), |id| id.to_string()),
                reason: why.as_str().to_owned(),
            });
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

    /// Whether those that still work are replaced at all.
    pub fn replaces(&self) -> bool {
        self.settings.enabled && !self.keeps.load(Ordering::Relaxed)
    }

    fn read<T>(&self, f: impl FnOnce(&HashMap<Name, Arc<Record>>) -> T) -> T {
        f(&self.records.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn write<T>(&self, f: impl FnOnce(&mut HashMap<Name, Arc<Record>>) -> T) -> T {
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
                unused: None,
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
            let is_it = |r: &Record| r.server_pid == Some(server_pid) && r.back_since().is_some();
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
                    .filter_map(|(name, record)| Some((record.back_since()?, *name)));
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
        let now = self.clock.now();
        let state = Limits::of(&self.settings, self.random.unit()).judge(&facts);
        let closing = if self.distrusts(now.checked_sub(age).unwrap_or(now)) {
            Closing::Distrusted
        } else {
            Closing::of(state).filter(|_| self.permits())?
        };
        // Which one it is, is told by how long it was idle.
        let off = |record: &Record| {
            let known = now.saturating_duration_since(record.back_since()?);
            Some(known.abs_diff(idle))
        };
        let record = self.write(|all| {
            let all_idle = all.iter().filter_map(|(name, r)| Some((off(r)?, *name)));
            let (_, name) = all_idle.min_by_key(|(off, _)| *off)?;
            all.remove(&name)
        });
        self.closed(record.map(|record| record.id), closing);
        Some(closing)
    }

    /// Whether one that still works may be closed now.
    pub(super) fn permits(&self) -> bool {
        let open = self.read(|all| u32::try_from(all.len()).unwrap_or(u32::MAX));
        let (floor, size) = (
            self.settings.min_healthy_connections,
            self.settings.batch_size,
        );
        let mut batch = self.batch.lock().unwrap_or_else(PoisonError::into_inner);
        self.replaces() && batch.permits(self.clock.now(), open, floor, size)
    }

    /// How many are known to be held by somebody. One that is idle may have been closed by its
    /// pool since.
    pub(super) fn held(&self) -> usize {
        let held = |record: &&Arc<Record>| record.back_since().is_none();
        self.read(|all| all.values().filter(held).count())
    }

    /// Idle ones that are to be replaced.
    pub fn due(&self) -> usize {
        let now = self.clock.now();
        let due = |record: &&Arc<Record>| {
            record.back_since().is_some()
                && record.limits.judge(&record.facts(now)) != ConnectionState::Healthy
        };
        self.read(|all| all.values().filter(due).count())
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

#[cfg(test)]
#[path = "connections_tests.rs"]
mod tests;
