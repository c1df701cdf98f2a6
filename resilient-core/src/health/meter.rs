//! What a pool counts while it is used.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use serde::Serialize;

use super::replacement::Closing;
use crate::metrics::{Counter, Histogram};

/// A pool's counters. Waiting for a connection that is there is a few relaxed atomic additions.
#[derive(Debug, Default)]
pub struct PoolMeter {
    pub(super) waiting: AtomicU32,
    pub(super) most_waiting: AtomicU32,
    pub(crate) acquired: Histogram,
    pub(crate) failed: Counter,
    pub(super) events: Mutex<Events>,
}

/// What happens rarely.
#[derive(Debug, Default)]
pub(super) struct Events {
    pub(super) opened: PerMinute,
    pub(super) closed: PerMinute,
    pub(super) by_reason: BTreeMap<Closing, u64>,
    pub(super) opened_total: u64,
    /// Since when the pool has been nearly exhausted, as far as anyone looked.
    pub(super) busy_since: Option<Instant>,
    pub(super) busy_told: bool,
}

/// What happened in the last minute.
#[derive(Debug, Default)]
pub(super) struct PerMinute(VecDeque<Instant>);

impl PerMinute {
    /// A server that refuses everybody must not fill the memory.
    const MOST: usize = 10_000;

    fn add(&mut self, now: Instant) {
        self.drop_old(now);
        if self.0.len() < Self::MOST {
            self.0.push_back(now);
        }
    }

    fn drop_old(&mut self, now: Instant) {
        let old = |at: &Instant| now.saturating_duration_since(*at) >= Duration::from_mins(1);
        while self.0.front().is_some_and(old) {
            self.0.pop_front();
        }
    }

    fn count(&mut self, now: Instant) -> u64 {
        self.drop_old(now);
        self.0.len() as u64
    }
}

/// One wait for a connection. Dropped without [`Waiting::got`], it was in vain.
#[derive(Debug)]
pub struct Waiting<'a> {
    meter: &'a PoolMeter,
    since: Instant,
}

impl Waiting<'_> {
    /// The connection is there at `now`.
    pub fn got(self, now: Instant) {
        let waited = now.saturating_duration_since(self.since);
        self.meter.acquired.record(waited);
    }

    /// There was none to be had.
    pub fn failed(self) {
        self.meter.failed.add(1);
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.meter.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl PoolMeter {
    /// Somebody begins to wait.
    pub fn wait(&self, now: Instant) -> Waiting<'_> {
        let waiting = self.waiting.fetch_add(1, Ordering::Relaxed) + 1;
        if waiting > self.most_waiting.load(Ordering::Relaxed) {
            self.most_waiting.fetch_max(waiting, Ordering::Relaxed);
        }
        Waiting {
            meter: self,
            since: now,
        }
    }

    /// How many wait now.
    pub fn waiting(&self) -> u32 {
        self.waiting.load(Ordering::Relaxed)
    }

    pub(super) fn events(&self) -> MutexGuard<'_, Events> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn opened(&self, now: Instant) {
        let mut events = self.events();
        events.opened.add(now);
        events.opened_total += 1;
    }

    pub(super) fn closed(&self, now: Instant, why: Closing) {
        let mut events = self.events();
        events.closed.add(now);
        *events.by_reason.entry(why).or_default() += 1;
    }

    /// Connections opened and closed.
    pub fn churn(&self, now: Instant) -> Churn {
        let mut events = self.events();
        Churn {
            opened_per_minute: events.opened.count(now),
            closed_per_minute: events.closed.count(now),
            opened: events.opened_total,
            closed: events.by_reason.clone(),
        }
    }
}

/// Connections opened and closed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Churn {
    /// In the last minute.
    pub opened_per_minute: u64,
    /// In the last minute.
    pub closed_per_minute: u64,
    /// Since the start.
    pub opened: u64,
    /// Since the start, by reason.
    pub closed: BTreeMap<Closing, u64>,
}
