//! Durations for exporters that count them themselves: those that came since they last asked, so
//! that calls need not be told apart while they run.

use std::collections::BTreeMap;

use super::{
    Registry,
    histogram::{BUCKETS, middle},
    instrument::{CALL_DURATION, Instrument, POOL_WAIT},
};

type Counts = Box<[u64; BUCKETS]>;

/// What was told already.
#[derive(Debug, Default)]
pub(super) struct Told(BTreeMap<(&'static str, String), Counts>);

impl Told {
    /// Tells how many durations came since the last time, each as the middle of its bucket, which
    /// is at most a sixteenth off, in seconds: with the instrument and the value of its label.
    pub(super) fn tell_news(
        &mut self,
        registry: &Registry,
        mut tell: impl FnMut(&'static Instrument, &str, f64, u64),
    ) {
        let waits = registry.live().waits();
        let waits = waits.into_iter().map(|(name, now)| (&POOL_WAIT, name, now));
        let calls = registry.latencies();
        let calls = calls
            .into_iter()
            .map(|(name, now)| (&CALL_DURATION, name, now));
        for (instrument, label, now) in waits.chain(calls) {
            let told = self.0.entry((instrument.name, label.clone()));
            let told = told.or_insert_with(|| Box::new([0; BUCKETS]));
            for (i, n) in now.iter().enumerate() {
                let new = n.saturating_sub(told[i]);
                if new > 0 {
                    tell(instrument, &label, middle(i), new);
                }
            }
            *told = now;
        }
    }
}

impl Registry {
    /// How long calls took, by method, in all buckets.
    fn latencies(&self) -> Vec<(String, Counts)> {
        let methods = self
            .methods
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let counts = methods.iter().map(|(name, method)| {
            let mut counts = Box::new([0; BUCKETS]);
            method.add_latency_to(&mut counts);
            ((*name).to_owned(), counts)
        });
        counts.collect()
    }
}
