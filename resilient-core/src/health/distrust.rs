//! Connections that are as old as one that failed: useless all at once, as after a failover.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use super::{
    connections::{Connections, Name},
    record::Record,
    replacement::Closing,
};

/// Since when connections have to be open to be trusted.
#[derive(Debug)]
pub(super) struct Distrust {
    base: Instant,
    /// In nanoseconds since `base`, plus one; 0 while all are trusted.
    before: AtomicU64,
    /// The idle ones have not been dropped yet.
    due: AtomicBool,
}

impl Distrust {
    pub(super) fn new(base: Instant) -> Self {
        Self {
            base,
            before: AtomicU64::new(0),
            due: AtomicBool::new(false),
        }
    }

    /// The instant as it is kept.
    fn mark(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.base).as_nanos();
        u64::try_from(since).unwrap_or(u64::MAX - 1) + 1
    }
}

impl Connections {
    /// Connections that were opened until `before` are not handed out again. They are closed at
    /// once, not in batches and whatever the floor, as they are useless; those in use, when they
    /// are given back.
    pub fn distrust(&self, before: Instant) {
        if !self.replaces() {
            return;
        }
        let mark = self.distrust.mark(before);
        if self.distrust.before.fetch_max(mark, Ordering::Relaxed) < mark {
            self.distrust.due.store(true, Ordering::Relaxed);
        }
    }

    /// Whether one that was opened at `opened` is not to be handed out again.
    pub(super) fn distrusts(&self, opened: Instant) -> bool {
        let before = self.distrust.before.load(Ordering::Relaxed);
        before > 0 && self.distrust.mark(opened) <= before && self.replaces()
    }

    /// Whether the idle connections have to be dropped now; `true` once after each
    /// [`distrust`](Self::distrust).
    pub fn takes_distrusted(&self) -> bool {
        let due = &self.distrust.due;
        due.load(Ordering::Relaxed) && due.swap(false, Ordering::Relaxed)
    }

    /// So many idle connections were dropped because of that.
    pub fn dropped(&self, count: usize) {
        let idle = |all: &HashMap<Name, Arc<Record>>| {
            let all = all.iter();
            let mut idle: Vec<_> = all
                .filter_map(|(name, record)| record.back_since().map(|_| (record.opened, *name)))
                .collect();
            idle.sort_unstable_by_key(|(opened, _)| *opened);
            idle
        };
        let mut gone: Vec<_> = self.write(|all| {
            let first = idle(all).into_iter().take(count);
            first.filter_map(|(_, name)| all.remove(&name)).collect()
        });
        // Those that nobody had met have no number.
        let numbers = gone.drain(..).map(|record| Some(record.id));
        for id in numbers.chain(std::iter::repeat(None)).take(count) {
            self.closed(id, Closing::Distrusted);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        Effect, Fault, FaultKind,
        health::{HealthSettings, Lease, connections::Introduction, speaks_against_others},
        time::{FakeClock, SeededRandom},
    };

    const SECOND: Duration = Duration::from_secs(1);

    fn pool(size: usize) -> (Arc<Connections>, FakeClock, Vec<Lease>) {
        let clock = FakeClock::new();
        let random = Arc::new(SeededRandom::new(1));
        let settings = HealthSettings {
            batch_size: 1,
            min_healthy_connections: 20,
            ..HealthSettings::default()
        };
        let all = Arc::new(Connections::new(settings, Arc::new(clock.clone()), random));
        let leases = (1..=size).map(|key| met(&all, key)).collect();
        (all, clock, leases)
    }

    fn met(all: &Arc<Connections>, key: usize) -> Lease {
        let who = Introduction {
            key: Some(key),
            ..Introduction::default()
        };
        let lease = all.introduce(who, u32::MAX);
        lease.hold(None);
        lease
    }

    fn distrusted(all: &Connections) -> u64 {
        let churn = all.meter().churn(all.clock().now());
        churn.closed.get(&Closing::Distrusted).copied().unwrap_or(0)
    }

    #[test]
    fn one_failure_is_enough_for_all_that_are_as_old_whatever_the_floor() {
        let (all, clock, leases) = pool(20);
        assert!(!all.takes_distrusted());
        clock.advance(SECOND);
        leases[7].distrust();
        assert!(
            leases
                .iter()
                .all(|lease| lease.is_due() == Some(Closing::Distrusted))
        );
        for _ in 0..20 {
            assert_eq!(all.reject(SECOND, SECOND), Some(Closing::Distrusted));
        }
        clock.advance(SECOND);
        // Opened since.
        assert_eq!(all.reject(SECOND / 2, Duration::ZERO), None);
        let young = met(&all, 21);
        assert!(!young.is_distrusted() && young.is_due().is_none());
    }

    #[test]
    fn old_ones_that_fail_do_not_cost_the_new_ones() {
        let (all, clock, leases) = pool(3);
        clock.advance(SECOND);
        leases[0].distrust();
        assert!(all.takes_distrusted() && !all.takes_distrusted());
        clock.advance(SECOND);
        let young = met(&all, 4);
        clock.advance(SECOND);
        leases[1].distrust();
        assert!(!young.is_distrusted() && !all.takes_distrusted());
        // A young one that fails is news.
        let (younger, ()) = (met(&all, 5), clock.advance(SECOND));
        young.distrust();
        assert!(young.is_distrusted() && younger.is_distrusted() && all.takes_distrusted());
    }

    #[test]
    fn idle_ones_that_were_dropped_are_counted_and_those_in_use_are_not_touched() {
        let (all, clock, mut leases) = pool(5);
        clock.advance(SECOND);
        leases[0].distrust();
        let held = leases.split_off(3);
        drop(leases);
        all.dropped(3);
        assert_eq!((all.report().len(), distrusted(&all)), (2, 3));
        for mut lease in held {
            lease.close(lease.is_due().unwrap());
        }
        assert_eq!((all.report().len(), distrusted(&all)), (0, 5));
    }

    #[test]
    fn what_must_be_kept_is_kept() {
        let (all, clock, leases) = pool(1);
        all.keep();
        clock.advance(SECOND);
        leases[0].distrust();
        assert!(!leases[0].is_distrusted() && !all.takes_distrusted());
        assert_eq!(all.reject(SECOND, SECOND), None);
    }

    #[test]
    fn only_what_others_have_in_common_speaks_against_them() {
        let speaks =
            |kind, effect, read_only| speaks_against_others(&Fault::new(kind, effect), read_only);
        for kind in [
            FaultKind::ConnectionLost,
            FaultKind::ServerUnavailable,
            FaultKind::ReadOnly,
            FaultKind::StalePlan,
            FaultKind::CommitUnknown,
        ] {
            assert!(speaks(kind, Effect::Connection, false), "{kind}");
        }
        assert!(!speaks(FaultKind::ReadOnly, Effect::Aborted, true));
        assert!(!speaks(
            FaultKind::CommitUnknown,
            Effect::Transaction,
            false
        ));
        for kind in [
            FaultKind::SessionExpired,
            FaultKind::PoolTimeout,
            FaultKind::TooManyConnections,
            FaultKind::Deadlock,
            FaultKind::Unique,
        ] {
            assert!(!speaks(kind, Effect::Connection, false), "{kind}");
        }
    }
}
