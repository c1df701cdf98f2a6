//! A connection in somebody's hands.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use super::{
    connections::{Connections, Name},
    record::{ConnectionState, Holder, Record},
    replacement::Closing,
};

/// A connection in somebody's hands. Dropping it gives it back.
#[derive(Debug)]
pub struct Lease {
    pub(super) connections: Arc<Connections>,
    pub(super) record: Arc<Record>,
    pub(super) found: ConnectionState,
    pub(super) closing: Option<Closing>,
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
        self.held(method, None);
    }

    /// It is held for a check, which is no use: one that nobody else needs still becomes stale.
    pub fn hold_for_check(&self, check: &'static str) {
        let unused = match *self.record.holder() {
            Holder::Idle { since, .. } => Some(since),
            Holder::Held { unused, .. } => unused,
        };
        self.held(Some(check), unused);
    }

    fn held(&self, method: Option<&'static str>, unused: Option<Instant>) {
        *self.record.holder() = Holder::Held {
            since: self.connections.clock().now(),
            method,
            told: false,
            unused,
        };
    }

    /// Whether it was in use before.
    pub fn was_used(&self) -> bool {
        self.record.uses.load(Ordering::Relaxed) > 1
    }

    /// How many connections of its pool somebody holds, this one included.
    pub fn held_in_pool(&self) -> usize {
        self.connections.held()
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

    /// The session failed in a way that [speaks against](super::speaks_against_others) all that
    /// were opened before now: none of them is handed out again. Nothing if it was distrusted
    /// itself, as that is no news.
    pub fn distrust(&self) {
        if !self.is_distrusted() {
            self.connections.distrust(self.connections.clock().now());
        }
    }

    /// Whether it was opened before such a failure of another one.
    pub fn is_distrusted(&self) -> bool {
        self.connections.distrusts(self.record.opened)
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
        let now = self.connections.clock().now();
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
        if self.is_distrusted() {
            return Some(Closing::Distrusted);
        }
        let now = self.connections.clock().now();
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
        let now = self.connections.clock().now();
        let gone = self.closing.is_some() || self.record.key.is_none();
        {
            let mut holder = self.record.holder();
            let since = match *holder {
                Holder::Held { unused, .. } => unused.unwrap_or(now),
                // It was only looked at.
                Holder::Idle { since, .. } => since,
            };
            *holder = Holder::Idle { since, back: now };
        }
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
            self.connections.closed(Some(record.id), why);
        }
    }
}
