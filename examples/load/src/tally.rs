//! How often what was answered, and how long that took.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use hdrhistogram::Histogram;

use crate::bank::Answer;

/// Requests so far, for the progress bar.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counter(Arc<AtomicU64>);

impl Counter {
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// The answers to one kind of request.
#[derive(Clone, Debug)]
pub(crate) struct Answers {
    /// By status and code.
    pub(crate) counts: BTreeMap<String, u64>,
    /// In microseconds.
    pub(crate) latency: Histogram<u64>,
}

/// Answers by kind of request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(pub(crate) BTreeMap<&'static str, Answers>);

impl Tally {
    pub(crate) fn note(&mut self, kind: &'static str, answer: &Answer, took: Duration) {
        let answers = self.0.entry(kind).or_default();
        *answers.counts.entry(answer.label()).or_default() += 1;
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        answers.latency.saturating_record(micros);
    }

    pub(crate) fn merge(&mut self, other: Self) {
        for (kind, answers) in other.0 {
            let mine = self.0.entry(kind).or_default();
            for (label, count) in answers.counts {
                *mine.counts.entry(label).or_default() += count;
            }
            for value in answers.latency.iter_recorded() {
                let count = value.count_at_value();
                mine.latency
                    .saturating_record_n(value.value_iterated_to(), count);
            }
        }
    }
}

impl Default for Answers {
    fn default() -> Self {
        Self {
            counts: BTreeMap::new(),
            // A microsecond to a minute, with three digits.
            latency: Histogram::new_with_bounds(1, 60_000_000, 3)
                .expect("these bounds are allowed"),
        }
    }
}
