//! What was counted, as OpenTelemetry metrics.
//!
//! The numbers are read from the registry when they are collected, so calls do not know of it. The
//! exception is `db.client.operation.duration`, which is recorded with each statement. Names,
//! units and attributes are those of [`instrument::ALL`](super::instrument::ALL).

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use ::opentelemetry::{
    KeyValue,
    metrics::{AsyncInstrument, Histogram, Meter},
};

use super::{
    Family, Instrument, LatencySnapshot, Registry, Value,
    instrument::{ALL, CALL_DURATION, Kind, POOL_WAIT, Unit},
    replay::Told,
};
use crate::{
    Fault,
    health::{Sent, performance::Dialect},
};

/// The convention's name for how long statements take.
pub const OPERATION_DURATION: &str = "db.client.operation.duration";

/// Shows the numbers of this registry to a meter, for as long as its provider lives. Call it once
/// for each provider.
///
/// Durations of calls and of waits for connections come as the middle of the bucket that they were
/// counted in: their counts are exact by the histogram's bounds, their sums within a sixteenth.
///
/// ```
/// use opentelemetry::global;
/// use resilient_core::metrics;
///
/// metrics::opentelemetry::observe(metrics::global(), &global::meter("resilient"));
/// ```
pub fn observe(registry: &'static Registry, meter: &Meter) {
    let histogram = |instrument: &'static Instrument| {
        let bounds = LatencySnapshot::default().buckets();
        let bounds = bounds.map(|(bound, _)| bound).filter(|b| b.is_finite());
        meter
            .f64_histogram(instrument.name)
            .with_description(instrument.help)
            .with_unit(instrument.ucum())
            .with_boundaries(bounds.collect())
            .build()
    };
    let reader = Arc::new(Reader {
        registry,
        calls: histogram(&CALL_DURATION),
        waits: histogram(&POOL_WAIT),
        state: Mutex::default(),
    });
    for instrument in ALL.iter().copied() {
        show(&reader, instrument, meter);
    }
    let operations = meter
        .f64_histogram(OPERATION_DURATION)
        .with_description("How long statements take")
        .with_unit("s")
        .with_boundaries(vec![0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0])
        .build();
    let mut all = OPERATIONS.write().unwrap_or_else(PoisonError::into_inner);
    all.push(operations);
    MEASURED.store(true, Ordering::Release);
}

/// Has an instrument observed at each collection. Histograms are recorded beside the others.
fn show(reader: &Arc<Reader>, instrument: &'static Instrument, meter: &Meter) {
    let reader = Arc::clone(reader);
    let (name, help, unit) = (instrument.name, instrument.help, instrument.ucum());
    macro_rules! build {
        ($builder:ident, $observe:path) => {
            drop(
                meter
                    .$builder(name)
                    .with_description(help)
                    .with_unit(unit)
                    .with_callback(move |to| reader.observe(instrument, |v, a| $observe(to, v, a)))
                    .build(),
            )
        };
    }
    match (instrument.kind, instrument.unit) {
        (Kind::Counter, Unit::Seconds) => build!(f64_observable_counter, amount),
        (Kind::Counter, Unit::Of(_)) => build!(u64_observable_counter, count),
        (Kind::UpDown, _) => build!(i64_observable_up_down_counter, signed),
        (Kind::Gauge, Unit::Seconds) => build!(f64_observable_gauge, amount),
        (Kind::Gauge, Unit::Of(_)) => build!(u64_observable_gauge, count),
        (Kind::Histogram, _) => {}
    }
}

fn count(to: &dyn AsyncInstrument<u64>, value: &Value, attributes: &[KeyValue]) {
    if let Value::Count(n) = value {
        to.observe(*n, attributes);
    }
}

fn signed(to: &dyn AsyncInstrument<i64>, value: &Value, attributes: &[KeyValue]) {
    if let Value::Count(n) = value {
        to.observe(i64::try_from(*n).unwrap_or(i64::MAX), attributes);
    }
}

fn amount(to: &dyn AsyncInstrument<f64>, value: &Value, attributes: &[KeyValue]) {
    if let Value::Amount(n) = value {
        to.observe(*n, attributes);
    }
}

/// Reads the registry once for all instruments of a collection.
#[derive(Debug)]
struct Reader {
    registry: &'static Registry,
    calls: Histogram<f64>,
    waits: Histogram<f64>,
    state: Mutex<Reading>,
}

#[derive(Debug, Default)]
struct Reading {
    families: Arc<Vec<Family>>,
    /// Who has seen these numbers. Whoever comes again belongs to the next collection.
    seen: BTreeSet<&'static str>,
    fresh: bool,
    told: Told,
}

impl Reader {
    fn observe(&self, instrument: &'static Instrument, observe: impl Fn(&Value, &[KeyValue])) {
        let families = self.families(instrument);
        let same = |family: &&Family| family.instrument == instrument;
        for point in families
            .iter()
            .find(same)
            .into_iter()
            .flat_map(|f| &f.points)
        {
            observe(&point.value, &attributes(instrument, &point.labels));
        }
    }

    fn families(&self, instrument: &'static Instrument) -> Arc<Vec<Family>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.seen.insert(instrument.name) || !state.fresh {
            state.fresh = true;
            state.seen = BTreeSet::from([instrument.name]);
            state.families = Arc::new(self.registry.snapshot().families());
            let tell = |instrument: &'static Instrument, label: &str, seconds, n| {
                let histogram = if *instrument == CALL_DURATION {
                    &self.calls
                } else {
                    &self.waits
                };
                let attributes = attributes(instrument, &[label.to_owned()]);
                for _ in 0..n {
                    histogram.record(seconds, &attributes);
                }
            };
            state.told.tell_news(self.registry, tell);
        }
        Arc::clone(&state.families)
    }
}

fn attributes(instrument: &'static Instrument, values: &[String]) -> Vec<KeyValue> {
    let known = instrument.labels.iter().zip(values);
    known
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| KeyValue::new(*name, value.clone()))
        .collect()
}

/// Whether anybody wants to know of statements.
static MEASURED: AtomicBool = AtomicBool::new(false);
static OPERATIONS: RwLock<Vec<Histogram<f64>>> = RwLock::new(Vec::new());

/// Records a statement of a database that is answered now.
#[inline]
pub(crate) fn statement(database: &str, sent: Sent<'_>, now: Instant, fault: Option<&Fault>) {
    if MEASURED.load(Ordering::Acquire) {
        record(database, sent, now, fault);
    }
}

fn record(database: &str, sent: Sent<'_>, now: Instant, fault: Option<&Fault>) {
    let system = match sent.dialect {
        Dialect::Postgres => "postgresql",
        Dialect::Sqlite => "sqlite",
        Dialect::MySql => "mysql",
    };
    let mut attributes = vec![
        KeyValue::new("db.system.name", system),
        KeyValue::new("db.namespace", database.to_owned()),
    ];
    if let Some(operation) = operation(sent.sql) {
        attributes.push(KeyValue::new("db.operation.name", operation));
    }
    if let Some(fault) = fault {
        attributes.push(KeyValue::new("error.type", fault.kind().as_str()));
        if !fault.code().is_empty() {
            let code = fault.code().to_owned();
            attributes.push(KeyValue::new("db.response.status_code", code));
        }
    }
    let took = now.saturating_duration_since(sent.started).as_secs_f64();
    let all = OPERATIONS.read().unwrap_or_else(PoisonError::into_inner);
    for histogram in all.iter() {
        histogram.record(took, &attributes);
    }
}

/// The statement's first word, of those that are known: others would be names without end.
fn operation(sql: &str) -> Option<&'static str> {
    const KNOWN: [&str; 14] = [
        "SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "MERGE", "REPLACE", "CALL", "CREATE",
        "ALTER", "DROP", "TRUNCATE", "SET", "PRAGMA",
    ];
    let word = sql.split_whitespace().next()?;
    KNOWN
        .into_iter()
        .find(|known| word.eq_ignore_ascii_case(known))
}
