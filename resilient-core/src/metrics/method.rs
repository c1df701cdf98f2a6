//! The counters of one method.

use std::time::Duration;

use super::{ByKind, Counter, Histogram, LatencySnapshot, is_recording};
use crate::{FaultKind, Outcome, policy::StopReason, shards::Shards};

/// What every call counts, on cache lines that only some threads write. 128 bytes, as processors
/// fetch lines in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard {
    /// Calls that succeeded.
    succeeded: Counter,
    /// Those of them that did without being looked after, in one attempt.
    at_once: Counter,
    latency: Histogram,
}

/// What the calls of one method did.
#[derive(Debug)]
pub struct MethodMetrics {
    name: &'static str,
    shards: Shards<Box<Shard>>,
    attempts: Counter,
    cancelled: Counter,
    failed: [Counter; 4],
    stops: [Counter; 7],
    retries: ByKind,
    faults: ByKind,
    backoff_nanos: Counter,
}

impl MethodMetrics {
    pub(super) fn new(name: &'static str) -> Self {
        Self {
            name,
            shards: Shards::default(),
            attempts: Counter::default(),
            cancelled: Counter::default(),
            failed: Default::default(),
            stops: Default::default(),
            retries: ByKind::default(),
            faults: ByKind::default(),
            backoff_nanos: Counter::default(),
        }
    }

    /// The method's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    #[inline]
    fn shard(&self) -> &Shard {
        self.shards.own(Box::default)
    }

    fn shards(&self) -> impl Iterator<Item = &Shard> {
        self.shards.iter().map(|shard| &**shard)
    }

    /// A call succeeded in its first attempt and needed nothing.
    #[inline]
    pub(crate) fn succeeded_at_once(&self, after: Duration) {
        let shard = self.shard();
        shard.at_once.add(1);
        shard.latency.record(after);
    }

    pub(crate) fn attempted(&self) {
        if is_recording() {
            self.attempts.add(1);
        }
    }

    pub(crate) fn succeeded(&self, after: Duration) {
        if is_recording() {
            let shard = self.shard();
            shard.succeeded.add(1);
            shard.latency.record(after);
        }
    }

    pub(crate) fn failed(&self, outcome: Outcome, stop: StopReason, after: Duration) {
        if is_recording() {
            self.failed[outcome as usize].add(1);
            self.stops[stop as usize].add(1);
            self.shard().latency.record(after);
        }
    }

    pub(crate) fn cancelled(&self) {
        if is_recording() {
            self.cancelled.add(1);
        }
    }

    /// An attempt failed.
    pub(crate) fn fault(&self, kind: FaultKind) {
        if is_recording() {
            self.faults.add(kind);
        }
    }

    /// Another attempt is made.
    pub(crate) fn retried(&self, kind: FaultKind) {
        if is_recording() {
            self.retries.add(kind);
        }
    }

    /// It was waited for so long.
    pub(crate) fn waited(&self, delay: Duration) {
        if is_recording() {
            let nanos = u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX);
            self.backoff_nanos.add(nanos);
        }
    }

    fn at_once(&self) -> u64 {
        self.shards().map(|shard| shard.at_once.get()).sum()
    }

    pub(super) fn successes(&self) -> u64 {
        let others: u64 = self.shards().map(|shard| shard.succeeded.get()).sum();
        others + self.at_once()
    }

    pub(super) fn attempts(&self) -> u64 {
        self.attempts.get() + self.at_once()
    }

    pub(super) fn cancellations(&self) -> u64 {
        self.cancelled.get()
    }

    pub(super) fn failures(&self, outcome: Outcome) -> u64 {
        self.failed[outcome as usize].get()
    }

    pub(super) fn stopped(&self, reason: StopReason) -> u64 {
        self.stops[reason as usize].get()
    }

    pub(super) fn retries(&self) -> &ByKind {
        &self.retries
    }

    pub(super) fn faults(&self) -> &ByKind {
        &self.faults
    }

    #[allow(clippy::cast_precision_loss)]
    pub(super) fn backoff_seconds(&self) -> f64 {
        self.backoff_nanos.get() as f64 / 1e9
    }

    #[cfg(any(feature = "metrics", feature = "opentelemetry"))]
    pub(super) fn add_latency_to(&self, counts: &mut [u64; super::histogram::BUCKETS]) {
        self.shards().for_each(|shard| shard.latency.add_to(counts));
    }

    pub(super) fn latency(&self) -> LatencySnapshot {
        LatencySnapshot::of(self.shards().map(|shard| &shard.latency))
    }
}
