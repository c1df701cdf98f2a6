//! What is known about one connection.

use std::{
    any::Any,
    fmt,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde::Serialize;

use super::replacement::{Facts, Limits};

/// How a pooled connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, strum::Display)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
pub(super) enum Holder {
    Held {
        since: Instant,
        method: Option<&'static str>,
        told: bool,
        /// Unused since then, if this is a check, which is no use.
        unused: Option<Instant>,
    },
    Idle {
        since: Instant,
        /// When the pool got it back, be it from a check.
        back: Instant,
    },
}

/// What is known about one connection.
pub(super) struct Record {
    pub(super) id: u64,
    /// What the driver knows it by; `None` if it cannot be told from others.
    pub(super) key: Option<usize>,
    /// Keeps the key from being given to another connection.
    pub(super) _anchor: Option<Box<dyn Any + Send + Sync>>,
    pub(super) server_pid: Option<u64>,
    pub(super) opened: Instant,
    pub(super) limits: Limits,
    pub(super) holder: Mutex<Holder>,
    pub(super) uses: AtomicU64,
    pub(super) checks: AtomicU64,
    pub(super) failed_checks: AtomicU64,
    pub(super) consecutive_failures: AtomicU32,
    pub(super) broken: AtomicBool,
    pub(super) statements: AtomicU64,
    pub(super) statement_nanos: AtomicU64,
}

impl Record {
    pub(super) fn holder(&self) -> MutexGuard<'_, Holder> {
        self.holder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn facts(&self, now: Instant) -> Facts {
        let idle = match &*self.holder() {
            Holder::Held { .. } => Duration::ZERO,
            Holder::Idle { since, .. } => now.saturating_duration_since(*since),
        };
        Facts {
            age: now.saturating_duration_since(self.opened),
            idle,
            uses: self.uses.load(Ordering::Relaxed),
            consecutive_failures: self.consecutive_failures.load(Ordering::Relaxed),
            broken: self.broken.load(Ordering::Relaxed),
        }
    }

    /// Since when the pool has it, if it does.
    pub(super) fn back_since(&self) -> Option<Instant> {
        match &*self.holder() {
            Holder::Held { .. } => None,
            Holder::Idle { back, .. } => Some(*back),
        }
    }

    #[allow(clippy::cast_precision_loss)]
    pub(super) fn report(&self, now: Instant, leak_after: Duration) -> ConnectionReport {
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

impl ConnectionReport {
    pub(in crate::health) fn age_held(&self) -> f64 {
        self.held_seconds.unwrap_or(0.0)
    }
}
