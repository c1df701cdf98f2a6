//! A rolling window: 24 hours in hourly buckets, and the last hour in minutes.
//!
//! All buckets are made with the window (about 70 KB), so that recording allocates nothing.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use super::report::{HourStats, Stats, WindowReport};
use crate::metrics::histogram::{index, upper};

/// The buckets of the histogram that a window needs: 8 µs to 275 s, in steps of an eighth.
/// What is shorter or longer counts in the first or the last.
const LOWEST: usize = 88;
const BUCKETS: usize = 200;

const MINUTES: u64 = 60;
const HOURS: u64 = 24;

/// A slot that is being emptied for its next turn.
const TURNING: u64 = u64::MAX;

/// What happened in one minute or hour.
#[derive(Debug)]
struct Slot {
    /// Which minute or hour since the start, plus one; 0 before its first turn.
    turn: AtomicU64,
    errors: AtomicU64,
    sum_nanos: AtomicU64,
    max_nanos: AtomicU64,
    buckets: Box<[AtomicU32]>,
}

impl Default for Slot {
    fn default() -> Self {
        Self {
            turn: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            sum_nanos: AtomicU64::new(0),
            max_nanos: AtomicU64::new(0),
            buckets: (0..BUCKETS).map(|_| AtomicU32::new(0)).collect(),
        }
    }
}

impl Slot {
    /// Whether the slot counts for `turn`; whoever finds it at an earlier one empties it.
    fn enter(&self, turn: u64) -> bool {
        use std::sync::atomic::Ordering::{AcqRel, Acquire, Release};
        // Emptying takes a moment. Whoever waits longer was preempted at the turn of a minute,
        // and what it would have counted is not worth a wait.
        for _ in 0..1000 {
            let at = self.turn.load(Acquire);
            if at == turn {
                return true;
            }
            if at == TURNING {
                std::hint::spin_loop();
                continue;
            }
            if at > turn {
                return false;
            }
            if self
                .turn
                .compare_exchange(at, TURNING, AcqRel, Acquire)
                .is_ok()
            {
                self.errors.store(0, Relaxed);
                self.sum_nanos.store(0, Relaxed);
                self.max_nanos.store(0, Relaxed);
                for bucket in &self.buckets {
                    bucket.store(0, Relaxed);
                }
                self.turn.store(turn, Release);
                return true;
            }
        }
        false
    }

    fn record(&self, nanos: u64, error: bool) {
        let bucket = index(nanos).saturating_sub(LOWEST).min(BUCKETS - 1);
        self.buckets[bucket].fetch_add(1, Relaxed);
        self.sum_nanos.fetch_add(nanos, Relaxed);
        if nanos > self.max_nanos.load(Relaxed) {
            self.max_nanos.fetch_max(nanos, Relaxed);
        }
        if error {
            self.errors.fetch_add(1, Relaxed);
        }
    }
}

/// Slots that take turns.
#[derive(Debug)]
struct Ring {
    slots: Box<[Slot]>,
    period: u64,
}

impl Ring {
    fn new(slots: u64, period: u64) -> Self {
        Self {
            slots: (0..slots).map(|_| Slot::default()).collect(),
            period,
        }
    }

    fn turn(&self, age: Duration) -> u64 {
        age.as_secs() / self.period + 1
    }

    fn record(&self, age: Duration, nanos: u64, error: bool) {
        let turn = self.turn(age);
        let slot = &self.slots[usize::try_from(turn).unwrap_or(0) % self.slots.len()];
        if slot.enter(turn) {
            slot.record(nanos, error);
        }
    }

    /// The slots of the last `turns`, the current one included, with how long ago they were.
    fn last(&self, age: Duration, turns: u64) -> impl Iterator<Item = (u64, &Slot)> {
        let now = self.turn(age);
        self.slots.iter().filter_map(move |slot| {
            let at = slot.turn.load(std::sync::atomic::Ordering::Acquire);
            let ago = now.checked_sub(at).filter(|ago| at > 0 && *ago < turns)?;
            Some((ago, slot))
        })
    }
}

/// What several slots add up to.
#[derive(Debug)]
struct Sum {
    errors: u64,
    total_nanos: u64,
    max_nanos: u64,
    buckets: [u64; BUCKETS],
}

impl Default for Sum {
    fn default() -> Self {
        Self {
            errors: 0,
            total_nanos: 0,
            max_nanos: 0,
            buckets: [0; BUCKETS],
        }
    }
}

#[allow(clippy::cast_precision_loss)]
fn ms(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}

impl Sum {
    fn add(&mut self, slot: &Slot) {
        self.errors += slot.errors.load(Relaxed);
        self.total_nanos += slot.sum_nanos.load(Relaxed);
        self.max_nanos = self.max_nanos.max(slot.max_nanos.load(Relaxed));
        for (sum, bucket) in self.buckets.iter_mut().zip(&slot.buckets) {
            *sum += u64::from(bucket.load(Relaxed));
        }
    }

    fn of<'a>(slots: impl Iterator<Item = &'a Slot>) -> Self {
        let mut sum = Self::default();
        slots.for_each(|slot| sum.add(slot));
        sum
    }

    /// An upper bound, at most an eighth high.
    fn quantile(&self, count: u64, per_mille: u64) -> f64 {
        let rank = (count * per_mille).div_ceil(1000);
        let mut seen = 0;
        for (i, n) in self.buckets.iter().enumerate() {
            seen += n;
            if *n > 0 && seen >= rank {
                let last = i == BUCKETS - 1;
                let bound = if last { u64::MAX } else { upper(i + LOWEST) };
                return ms(bound.min(self.max_nanos));
            }
        }
        0.0
    }

    #[allow(clippy::cast_precision_loss)]
    fn stats(&self) -> Stats {
        let count: u64 = self.buckets.iter().sum();
        // The counters are read one after another while others write.
        let errors = self.errors.min(count);
        let per = |n: f64| if count == 0 { 0.0 } else { n / count as f64 };
        Stats {
            count,
            errors,
            error_ratio: per(errors as f64),
            average_ms: per(ms(self.total_nanos)),
            p50_ms: self.quantile(count, 500),
            p95_ms: self.quantile(count, 950),
            p99_ms: self.quantile(count, 990),
            max_ms: ms(self.max_nanos),
        }
    }
}

/// How long something took and how often it failed, over the last hour and the last day.
#[derive(Debug)]
pub struct Window {
    minutes: Ring,
    hours: Ring,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            minutes: Ring::new(MINUTES, 60),
            hours: Ring::new(HOURS, 3600),
        }
    }
}

impl Window {
    /// Counts one that ended at `age` and took so long.
    pub fn record(&self, age: Duration, took: Duration, error: bool) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.minutes.record(age, nanos, error);
        self.hours.record(age, nanos, error);
    }

    /// The last minutes, up to 60, the current one included.
    pub fn recent(&self, age: Duration, minutes: u64) -> Stats {
        Sum::of(self.minutes.last(age, minutes).map(|(_, slot)| slot)).stats()
    }

    /// The last hour, the last day, and each hour of it.
    pub fn report(&self, age: Duration) -> WindowReport {
        let mut hours: Vec<HourStats> = self
            .hours
            .last(age, HOURS)
            .map(|(hours_ago, slot)| HourStats {
                hours_ago,
                stats: Sum::of(std::iter::once(slot)).stats(),
            })
            .filter(|hour| hour.stats.count > 0)
            .collect();
        hours.sort_by_key(|hour| hour.hours_ago);
        WindowReport {
            last_hour: self.recent(age, MINUTES),
            last_day: Sum::of(self.hours.last(age, HOURS).map(|(_, slot)| slot)).stats(),
            hours,
        }
    }
}
