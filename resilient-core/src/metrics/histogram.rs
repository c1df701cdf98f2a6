//! A latency histogram with log-linear buckets, in the manner of `HdrHistogram`: eight buckets
//! to each power of two, so a value is off by at most an eighth.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use serde::Serialize;

const SUB_BITS: u32 = 3;
const SUB: u64 = 1 << SUB_BITS;
/// 2^42 ns are 73 minutes; longer calls count in the last bucket.
const OCTAVES: usize = 42;
pub(crate) const BUCKETS: usize = (OCTAVES - SUB_BITS as usize + 1) << SUB_BITS;

/// Snapshots have a bucket for each power of two between these: 66 µs and 69 s.
const LOWEST: u32 = 16;
const HIGHEST: u32 = 36;
const COARSE: usize = (HIGHEST - LOWEST + 2) as usize;

/// Which bucket of a snapshot one of these belongs to; the last has no bound.
fn coarse(index: usize) -> usize {
    let above = upper(index).max(1).ilog2() + 1;
    (above.clamp(LOWEST, HIGHEST + 1) - LOWEST) as usize
}

/// Counts durations. Recording is lock-free.
#[derive(Debug)]
pub struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    sum_nanos: AtomicU64,
    max_nanos: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: [const { AtomicU64::new(0) }; BUCKETS],
            sum_nanos: AtomicU64::new(0),
            max_nanos: AtomicU64::new(0),
        }
    }
}

#[allow(clippy::cast_possible_truncation)]
pub(crate) fn index(nanos: u64) -> usize {
    if nanos < SUB {
        return nanos as usize;
    }
    let octave = nanos.ilog2();
    let sub = (nanos >> (octave - SUB_BITS)) & (SUB - 1);
    let index = u64::from(octave - SUB_BITS + 1) * SUB + sub;
    (index as usize).min(BUCKETS - 1)
}

/// The largest value that counts in the bucket.
pub(crate) fn upper(index: usize) -> u64 {
    let index = index as u64;
    if index < SUB {
        return index;
    }
    let shift = index / SUB - 1;
    ((SUB + index % SUB + 1) << shift) - 1
}

impl Histogram {
    /// Counts one duration.
    pub fn record(&self, duration: Duration) {
        let nanos = duration
            .as_secs()
            .saturating_mul(1_000_000_000)
            .saturating_add(u64::from(duration.subsec_nanos()));
        self.buckets[index(nanos)].fetch_add(1, Ordering::Relaxed);
        self.sum_nanos.fetch_add(nanos, Ordering::Relaxed);
        if nanos > self.max_nanos.load(Ordering::Relaxed) {
            self.max_nanos.fetch_max(nanos, Ordering::Relaxed);
        }
    }

    /// Counts what another one has counted.
    pub(crate) fn absorb(&self, other: &Self) {
        for (bucket, n) in self.buckets.iter().zip(&other.buckets) {
            bucket.fetch_add(n.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        let sum = other.sum_nanos.load(Ordering::Relaxed);
        self.sum_nanos.fetch_add(sum, Ordering::Relaxed);
        let max = other.max_nanos.load(Ordering::Relaxed);
        self.max_nanos.fetch_max(max, Ordering::Relaxed);
    }

    /// The distribution as it is now.
    pub fn snapshot(&self) -> LatencySnapshot {
        LatencySnapshot::of(std::iter::once(self))
    }
}

/// A distribution of durations, in seconds. Quantiles are upper bounds, at most an eighth high.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct LatencySnapshot {
    /// Durations counted.
    pub count: u64,
    /// Their sum.
    pub sum_seconds: f64,
    /// Half of them took at most this long.
    pub p50_seconds: f64,
    /// Nine of ten.
    pub p90_seconds: f64,
    /// Ninety-nine of a hundred.
    pub p99_seconds: f64,
    /// The longest.
    pub max_seconds: f64,
    /// How many there are in each bucket of [`LatencySnapshot::buckets`].
    #[serde(skip)]
    buckets: [u64; COARSE],
}

impl LatencySnapshot {
    /// How many took less than so many seconds, and no less than those before: a bucket for each
    /// power of two from 2^16 ns (66 µs) to 2^36 ns (69 s), and one for all that took longer, whose
    /// bound is infinite. The bounds are those of the recorded buckets, so the counts are exact.
    #[allow(clippy::cast_precision_loss)]
    pub fn buckets(&self) -> impl Iterator<Item = (f64, u64)> {
        let bounds = (LOWEST..=HIGHEST).map(|power| (1_u64 << power) as f64 / 1e9);
        bounds.chain([f64::INFINITY]).zip(self.buckets)
    }

    /// All of them together.
    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn of<'a>(histograms: impl Iterator<Item = &'a Histogram>) -> Self {
        let mut counts = [0_u64; BUCKETS];
        let (mut sum, mut max) = (0_u64, 0);
        for histogram in histograms {
            for (count, bucket) in counts.iter_mut().zip(&histogram.buckets) {
                *count += bucket.load(Ordering::Relaxed);
            }
            sum = sum.saturating_add(histogram.sum_nanos.load(Ordering::Relaxed));
            max = max.max(histogram.max_nanos.load(Ordering::Relaxed));
        }
        let count: u64 = counts.iter().sum();
        let mut buckets = [0; COARSE];
        for (i, n) in counts.iter().enumerate() {
            buckets[coarse(i)] += n;
        }
        let quantile = |per_mille: u64| {
            let rank = (count * per_mille).div_ceil(1000);
            let mut seen = 0;
            for (i, n) in counts.iter().enumerate() {
                seen += n;
                if *n > 0 && seen >= rank {
                    return upper(i).min(max) as f64 / 1e9;
                }
            }
            0.0
        };
        Self {
            count,
            sum_seconds: sum as f64 / 1e9,
            p50_seconds: quantile(500),
            p90_seconds: quantile(900),
            p99_seconds: quantile(990),
            max_seconds: max as f64 / 1e9,
            buckets,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_value_lies_in_its_bucket_and_the_bucket_is_narrow(nanos in 0u64..1 << 41) {
            let i = index(nanos);
            prop_assert!(upper(i) >= nanos);
            prop_assert!(i == 0 || upper(i - 1) < nanos);
            prop_assert!(upper(i) - nanos <= nanos / 8);
        }
    }

    proptest! {
        #[test]
        fn counts_of_buckets_are_exact(nanos in proptest::collection::vec(0u64..1 << 40, 0..40)) {
            let histogram = Histogram::default();
            for n in &nanos {
                histogram.record(Duration::from_nanos(*n));
            }
            let snapshot = histogram.snapshot();
            let mut seen = 0;
            for (bound, n) in snapshot.buckets() {
                seen += n;
                let below = nanos.iter().filter(|n| Duration::from_nanos(**n).as_secs_f64() < bound).count();
                prop_assert_eq!(seen, below as u64);
            }
            prop_assert_eq!(seen, snapshot.count);
        }
    }

    #[test]
    fn quantiles_and_extremes() {
        let histogram = Histogram::default();
        for millis in 1..=100 {
            histogram.record(Duration::from_millis(millis));
        }
        histogram.record(Duration::MAX);
        let s = histogram.snapshot();
        assert_eq!(s.count, 101);
        assert!(s.p50_seconds >= 0.050 && s.p50_seconds < 0.058, "{s:?}");
        assert!(s.p90_seconds >= 0.090 && s.p90_seconds < 0.105, "{s:?}");
    }
}
