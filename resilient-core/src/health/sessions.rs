//! [`SessionRegistry`]: the transactions that are open, whose they are, and for how long.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde::Serialize;

mod expiry;

pub(crate) use expiry::End;
pub use expiry::{Overdue, SessionLimits};

/// An open transaction.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SessionInfo {
    /// Distinguishes it from the others of its database.
    pub id: u64,
    /// The method that opened it; `None` for one of `begin()`.
    pub method: Option<&'static str>,
    /// Its process or thread on the server, where the driver tells.
    pub server_pid: Option<u64>,
    /// Seconds since BEGIN, or since it was refreshed.
    pub age_seconds: f64,
    /// Seconds since its last statement ended.
    pub idle_seconds: f64,
    /// Statements so far.
    pub statements: u64,
}

/// An entry of the registry. Dropping it takes it out.
#[derive(Debug)]
pub(crate) struct Ticket {
    entry: Arc<Entry>,
    registry: Arc<Open>,
}

struct Entry {
    id: u64,
    method: Option<&'static str>,
    server_pid: Option<u64>,
    opened: Instant,
    /// Milliseconds after `opened`.
    refreshed: AtomicU64,
    used: AtomicU64,
    statements: AtomicU64,
    warned: AtomicBool,
    /// `used` as it was when its idleness was warned of, plus one.
    warned_idle: AtomicU64,
    owner: Weak<dyn End>,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry")
            .field("id", &self.id)
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

type Open = Mutex<Books>;

/// Those that are open, and the last ones that were.
#[derive(Debug, Default)]
struct Books {
    open: BTreeMap<u64, Arc<Entry>>,
    closed: VecDeque<Closed>,
}

/// A transaction that has ended, for those who ask a moment later whose it was.
#[derive(Debug)]
struct Closed {
    server_pid: u64,
    method: Option<&'static str>,
    at: Instant,
}

/// How many of them are kept.
const CLOSED: usize = 512;

/// The open transactions of one database.
#[derive(Debug, Default)]
pub struct SessionRegistry {
    open: Arc<Open>,
    next: AtomicU64,
    warned: AtomicU64,
    ended: AtomicU64,
}

fn locked(open: &Open) -> std::sync::MutexGuard<'_, Books> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SessionRegistry {
    /// Enters a transaction that has begun.
    pub(crate) fn enter(
        &self,
        method: Option<&'static str>,
        server_pid: Option<u64>,
        now: Instant,
        owner: Weak<dyn End>,
    ) -> Ticket {
        let id = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        let entry = Arc::new(Entry {
            id,
            method,
            server_pid,
            opened: now,
            refreshed: AtomicU64::new(0),
            used: AtomicU64::new(0),
            statements: AtomicU64::new(0),
            warned: AtomicBool::new(false),
            warned_idle: AtomicU64::new(0),
            owner,
        });
        locked(&self.open).open.insert(id, Arc::clone(&entry));
        Ticket {
            entry,
            registry: Arc::clone(&self.open),
        }
    }

    /// The open transactions, the oldest first.
    pub fn sessions(&self, now: Instant) -> Vec<SessionInfo> {
        let books = locked(&self.open);
        books.open.values().map(|entry| entry.info(now)).collect()
    }

    /// The method whose transaction had a process on the server at `since`: one that is open, or
    /// has ended after that. A later transaction of the same process is somebody else's.
    pub fn method_of(&self, server_pid: u64, since: Instant) -> Option<&'static str> {
        let books = locked(&self.open);
        let mut closed = books.closed.iter();
        if let Some(closed) = closed.find(|c| c.server_pid == server_pid && c.at >= since) {
            return closed.method;
        }
        let mut entries = books.open.values();
        entries
            .find(|entry| entry.server_pid == Some(server_pid))?
            .method
    }

    /// How many were warned of, and ended, so far.
    pub fn overdue(&self) -> (u64, u64) {
        (
            self.warned.load(Ordering::Relaxed),
            self.ended.load(Ordering::Relaxed),
        )
    }
}

impl Entry {
    fn age(&self, now: Instant) -> Duration {
        let refreshed = Duration::from_millis(self.refreshed.load(Ordering::Relaxed));
        now.saturating_duration_since(self.opened + refreshed)
    }

    /// Since its last statement ended, or it was refreshed.
    fn idle(&self, now: Instant) -> Duration {
        let used = self.used.load(Ordering::Relaxed);
        let since = used.max(self.refreshed.load(Ordering::Relaxed));
        now.saturating_duration_since(self.opened + Duration::from_millis(since))
    }

    fn info(&self, now: Instant) -> SessionInfo {
        let used = Duration::from_millis(self.used.load(Ordering::Relaxed));
        let idle = now.saturating_duration_since(self.opened + used);
        SessionInfo {
            id: self.id,
            method: self.method,
            server_pid: self.server_pid,
            age_seconds: self.age(now).as_secs_f64(),
            idle_seconds: idle.as_secs_f64(),
            statements: self.statements.load(Ordering::Relaxed),
        }
    }
}

impl Ticket {
    fn since_opened(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.entry.opened);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// A statement has ended.
    pub(crate) fn used(&self, now: Instant) {
        self.entry.statements.fetch_add(1, Ordering::Relaxed);
        self.entry
            .used
            .store(self.since_opened(now), Ordering::Relaxed);
    }

    /// For how long no statement of it was under way.
    pub(crate) fn idle(&self, now: Instant) -> Duration {
        self.entry.idle(now)
    }

    /// Its owner says that it is meant to be open for so long: its age begins anew.
    pub(crate) fn refresh(&self, now: Instant) {
        self.entry
            .refreshed
            .store(self.since_opened(now), Ordering::Relaxed);
        self.entry.warned.store(false, Ordering::Relaxed);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut books = locked(&self.registry);
        books.open.remove(&self.entry.id);
        if let Some(server_pid) = self.entry.server_pid {
            if books.closed.len() == CLOSED {
                books.closed.pop_front();
            }
            books.closed.push_back(Closed {
                server_pid,
                method: self.entry.method,
                at: Instant::now(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Owner(Mutex<Vec<Duration>>);

    impl End for Owner {
        fn end(&self, age: Duration, _: Duration) {
            self.0.lock().unwrap().push(age);
        }

        fn is_busy(&self) -> bool {
            false
        }

        fn end_idle(&self, _: Instant, _: Duration) -> bool {
            false
        }
    }

    #[test]
    fn warned_once_refreshed_and_ended() {
        let registry = SessionRegistry::default();
        let owner = Arc::new(Owner(Mutex::default()));
        let weak: Weak<dyn End> = Arc::downgrade(&owner) as Weak<dyn End>;
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let ticket = registry.enter(Some("A::slow"), Some(7), start, weak.clone());
        let other = registry.enter(None, None, at(95), weak);
        let limits = SessionLimits::of(Duration::from_secs(100));
        assert!(registry.sweep(at(79), limits).is_empty());
        let warned = registry.sweep(at(80), limits);
        assert_eq!(warned.len(), 1);
        assert_eq!(
            (warned[0].0.method, warned[0].1),
            (Some("A::slow"), Overdue::Warned)
        );
        assert!(registry.sweep(at(90), limits).is_empty());
        ticket.used(at(90));
        ticket.refresh(at(90));
        assert!(registry.sweep(at(101), limits).is_empty());
        assert_eq!(registry.method_of(7, at(101)), Some("A::slow"));
        let info = &registry.sessions(at(101))[0];
        assert_eq!(
            (info.age_seconds, info.idle_seconds, info.statements),
            (11.0, 11.0, 1)
        );
        drop(other);
        let ended = registry.sweep(at(190), limits);
        assert_eq!(ended[0].1, Overdue::Ended);
        assert_eq!(*owner.0.lock().unwrap(), [Duration::from_secs(100)]);
        assert!(registry.sessions(at(190)).is_empty());
        assert_eq!(registry.overdue(), (1, 1));
        drop(ticket);
        assert_eq!(registry.method_of(7, start), Some("A::slow"), "it was");
        let later = Instant::now() + Duration::from_secs(1);
        assert_eq!(registry.method_of(7, later), None, "it is not any more");
    }
}
