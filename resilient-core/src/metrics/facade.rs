//! What was counted, for whatever recorder is installed at the [`metrics`] facade.
//!
//! Nothing is sent to the recorder while calls run: a [`Forwarder`] reads the registry and brings
//! the recorder up to date, before each scrape or every few seconds. Names and labels are those
//! of the text ([`Instrument::exposed`]). Counters of the facade are whole numbers, so sums of
//! seconds are gauges there. Durations come as the middle of the bucket that they were counted in,
//! which is at most a sixteenth off.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use ::metrics::{Label, Unit as FacadeUnit};

use super::{
    Instrument, Registry, Value,
    instrument::{ALL, Kind, Unit, underscored},
    replay::Told,
};

/// Describes every metric to the installed recorder. Call it once, after that is installed.
pub fn describe() {
    for instrument in ALL {
        let (name, help) = (instrument.exposed(), instrument.help);
        let unit = match instrument.unit {
            Unit::Seconds => FacadeUnit::Seconds,
            Unit::Of(_) => FacadeUnit::Count,
        };
        match instrument.kind {
            Kind::Histogram => ::metrics::describe_histogram!(name, unit, help),
            Kind::Counter if instrument.unit != Unit::Seconds => {
                ::metrics::describe_counter!(name, unit, help);
            }
            _ => ::metrics::describe_gauge!(name, unit, help),
        }
    }
}

/// Brings the recorder up to date. It remembers what it has told, so one should do all of it.
#[derive(Debug)]
pub struct Forwarder {
    registry: &'static Registry,
    told: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    durations: Told,
    /// Gauges that stand at the recorder.
    gauges: BTreeMap<(&'static str, Vec<String>), &'static Instrument>,
}

impl Forwarder {
    /// One of this registry that has told nothing yet.
    pub fn new(registry: &'static Registry) -> Self {
        Self {
            registry,
            told: Mutex::default(),
        }
    }

    /// Tells the recorder of this thread, or else the installed one, how the numbers are now.
    /// Gauges of what is not there any more become 0.
    #[allow(clippy::cast_precision_loss)]
    pub fn forward(&self) {
        let mut memory = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let mut gone = std::mem::take(&mut memory.gauges);
        for family in self.registry.snapshot().families() {
            let instrument = family.instrument;
            for point in family.points {
                let value = match point.value {
                    Value::Count(n) if instrument.kind == Kind::Counter => {
                        let labels = labels(instrument, &point.labels);
                        ::metrics::counter!(instrument.exposed(), labels).absolute(n);
                        continue;
                    }
                    Value::Count(n) => n as f64,
                    Value::Amount(n) => n,
                    Value::Distribution(_) => continue,
                };
                gauge(instrument, &point.labels, value);
                let key = (instrument.name, point.labels);
                gone.remove(&key);
                memory.gauges.insert(key, instrument);
            }
        }
        for ((_, values), instrument) in gone {
            gauge(instrument, &values, 0.0);
        }
        let tell = |instrument: &'static Instrument, label: &str, seconds, n: u64| {
            let labels = labels(instrument, &[label.to_owned()]);
            let histogram = ::metrics::histogram!(instrument.exposed(), labels);
            histogram.record_many(seconds, usize::try_from(n).unwrap_or(usize::MAX));
        };
        memory.durations.tell_news(self.registry, tell);
    }

    /// Does so each time that `interval` has passed, until the answer is dropped or aborted.
    ///
    /// # Panics
    /// Outside of a tokio runtime, or if the interval is zero.
    pub fn every(self, interval: Duration) -> Forwarding {
        assert!(!interval.is_zero(), "the interval is zero");
        let task = tokio::spawn(async move {
            loop {
                self.forward();
                tokio::time::sleep(interval).await;
            }
        });
        Forwarding(task)
    }
}

/// A task that forwards, until this is dropped.
#[derive(Debug)]
#[must_use = "nothing is forwarded any more once this is dropped"]
pub struct Forwarding(tokio::task::JoinHandle<()>);

impl Drop for Forwarding {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn gauge(instrument: &'static Instrument, values: &[String], value: f64) {
    let labels = labels(instrument, values);
    ::metrics::gauge!(instrument.exposed(), labels).set(value);
}

fn labels(instrument: &Instrument, values: &[String]) -> Vec<Label> {
    let known = instrument.labels.iter().zip(values);
    known
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| Label::new(underscored(name), value.clone()))
        .collect()
}
