//! Transactions that are open or idle for too long: warned of, then ended.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use serde::Serialize;
use strum::{Display, IntoStaticStr};

use super::{Entry, SessionInfo, SessionRegistry, locked};

/// The share of a limit at which its owner is warned.
const WARN_AT: f64 = 0.8;

/// How long a transaction may be open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionLimits {
    /// When it is ended; 1800 s by default.
    pub timeout: Duration,
    /// When its owner is warned; 80 % of the timeout by default.
    pub warn_after: Duration,
    /// How long it may go without a statement before it is ended, warned of at 80 % of that;
    /// 300 s by default, `None` for any time.
    pub max_idle: Option<Duration>,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self::of(Duration::from_mins(30)).idle(Duration::from_mins(5))
    }
}

impl SessionLimits {
    /// Ended after `timeout`, warned at 80 % of it; idle for any time.
    pub fn of(timeout: Duration) -> Self {
        Self {
            timeout,
            warn_after: timeout.mul_f64(WARN_AT),
            max_idle: None,
        }
    }

    /// Ended, too, after so long without a statement.
    #[must_use]
    pub fn idle(mut self, max_idle: Duration) -> Self {
        self.max_idle = Some(max_idle);
        self
    }

    /// Whether this age is one to end at, to warn of, or neither.
    pub(crate) fn judge_age(&self, age: Duration) -> Option<Overdue> {
        match age {
            age if age >= self.timeout => Some(Overdue::Ended),
            age if age >= self.warn_after => Some(Overdue::Warned),
            _ => None,
        }
    }

    /// The same for the time without use.
    pub(crate) fn judge_idle(&self, idle: Duration) -> Option<Overdue> {
        match self.max_idle? {
            limit if idle >= limit => Some(Overdue::Ended),
            limit if idle >= limit.mul_f64(WARN_AT) => Some(Overdue::Warned),
            _ => None,
        }
    }
}

/// What became of a session that was open, or idle, for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Display, IntoStaticStr, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Overdue {
    /// It will be ended soon; said once.
    Warned,
    /// It was ended: a transaction was rolled back, and its next statement says why.
    Ended,
}

/// What can end a transaction from outside.
pub(crate) trait End: Send + Sync {
    /// Ends it for its age.
    fn end(&self, age: Duration, limit: Duration);

    /// Whether a statement is under way.
    fn is_busy(&self) -> bool;

    /// Ends it if it still is idle for as long as `limit`; answers whether.
    fn end_idle(&self, now: Instant, limit: Duration) -> bool;
}

impl SessionRegistry {
    /// Warns of transactions that are open or idle for long, once each, and ends those that are
    /// for too long: what they wrote is rolled back, at once if no statement is under way, and
    /// their next statement fails with `session_expired`. A transaction is not idle while a
    /// statement of it is under way, however long that takes.
    pub fn sweep(&self, now: Instant, limits: SessionLimits) -> Vec<(SessionInfo, Overdue)> {
        // Ending one takes it out, which takes the lock.
        let entries: Vec<Arc<Entry>> = locked(&self.open).open.values().cloned().collect();
        let judged = entries
            .iter()
            .filter_map(|entry| self.judge(entry, now, limits));
        judged.collect()
    }

    fn judge(
        &self,
        entry: &Entry,
        now: Instant,
        limits: SessionLimits,
    ) -> Option<(SessionInfo, Overdue)> {
        let (info, age) = (entry.info(now), entry.age(now));
        let by_age = limits.judge_age(age);
        if by_age == Some(Overdue::Ended) {
            let owner = entry.owner.upgrade()?;
            entry.tell(
                &info,
                "a transaction was open for too long and is rolled back",
            );
            owner.end(age, limits.timeout);
            return Some(self.ended(entry, info));
        }
        let by_idle = limits.judge_idle(entry.idle(now));
        if let (Some(Overdue::Ended), Some(limit)) = (by_idle, limits.max_idle)
            && entry.owner.upgrade()?.end_idle(now, limit)
        {
            entry.tell(
                &info,
                "a transaction was idle for too long and was rolled back",
            );
            return Some(self.ended(entry, info));
        }
        let old = by_age.is_some() && !entry.warned.swap(true, Ordering::Relaxed);
        let idle = by_idle.is_some() && entry.warns_of_idleness();
        if !old && !idle {
            return None;
        }
        entry.tell(&info, "a transaction is open for long and will be ended");
        self.warned.fetch_add(1, Ordering::Relaxed);
        Some((info, Overdue::Warned))
    }

    fn ended(&self, entry: &Entry, info: SessionInfo) -> (SessionInfo, Overdue) {
        locked(&self.open).open.remove(&entry.id);
        self.ended.fetch_add(1, Ordering::Relaxed);
        (info, Overdue::Ended)
    }
}

impl Entry {
    /// Whether to say now that it is idle for long: once, until its next statement.
    fn warns_of_idleness(&self) -> bool {
        let stamp = self.used.load(Ordering::Relaxed) + 1;
        let busy = self.owner.upgrade().is_none_or(|owner| owner.is_busy());
        !busy && self.warned_idle.swap(stamp, Ordering::Relaxed) != stamp
    }

    fn tell(&self, info: &SessionInfo, what: &str) {
        tracing::warn!(
            target: "resilient",
            method = self.method.unwrap_or("begin()"),
            server_pid = self.server_pid,
            age_seconds = info.age_seconds,
            idle_seconds = info.idle_seconds,
            "{what}",
        );
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Mutex, Weak,
        atomic::{AtomicBool, Ordering::SeqCst},
    };

    use super::*;

    #[derive(Default)]
    struct Owner {
        busy: AtomicBool,
        ended: Mutex<Vec<&'static str>>,
    }

    impl End for Owner {
        fn end(&self, _: Duration, _: Duration) {
            self.ended.lock().unwrap().push("age");
        }

        fn is_busy(&self) -> bool {
            self.busy.load(SeqCst)
        }

        fn end_idle(&self, _: Instant, _: Duration) -> bool {
            let idle = !self.is_busy();
            if idle {
                self.ended.lock().unwrap().push("idle");
            }
            idle
        }
    }

    #[test]
    fn idle_ones_are_warned_of_and_ended_unless_a_statement_is_under_way() {
        let registry = SessionRegistry::default();
        let owner = Arc::new(Owner::default());
        let weak: Weak<dyn End> = Arc::downgrade(&owner) as Weak<dyn End>;
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let ticket = registry.enter(Some("A::idle"), None, start, weak);
        let limits = SessionLimits::of(Duration::from_secs(1000)).idle(Duration::from_secs(10));
        let sweep = |seconds| {
            let found = registry.sweep(at(seconds), limits);
            found.iter().map(|(_, what)| *what).collect::<Vec<_>>()
        };
        assert!(sweep(7).is_empty());
        assert_eq!(sweep(8), [Overdue::Warned]);
        assert!(sweep(9).is_empty(), "said once");
        ticket.used(at(9));
        assert!(sweep(16).is_empty(), "it was used");
        assert_eq!(sweep(17), [Overdue::Warned], "idle again");
        ticket.refresh(at(18));
        assert!(sweep(25).is_empty(), "it was refreshed");
        owner.busy.store(true, SeqCst);
        assert!(sweep(100).is_empty(), "a long statement is no idleness");
        owner.busy.store(false, SeqCst);
        assert_eq!(sweep(101), [Overdue::Ended]);
        assert_eq!(*owner.ended.lock().unwrap(), ["idle"]);
        assert!(registry.sessions(at(101)).is_empty());
        assert_eq!(registry.overdue(), (2, 1));
    }
}
