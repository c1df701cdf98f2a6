//! What was counted as `OpenMetrics` text.

use std::fmt::{self, Write as _};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, LabelSetEncoder, text},
    metrics::MetricType,
    registry,
};

use super::{
    Family, Point, Registry, Snapshot, Value,
    instrument::{self, Kind, Unit},
};

impl Registry {
    /// The numbers as they are now, as [`OpenMetrics`](https://prometheus.io/docs/specs/om/) 1.0
    /// text, to be served as `application/openmetrics-text; version=1.0.0; charset=utf-8`. See
    /// [`instrument::ALL`] for the names.
    ///
    /// ```
    /// let text = resilient_core::metrics::global().openmetrics();
    /// assert!(text.ends_with("# EOF\n"));
    /// ```
    pub fn openmetrics(&self) -> String {
        self.snapshot().openmetrics()
    }
}

impl Snapshot {
    /// The same of numbers that were read before.
    pub fn openmetrics(&self) -> String {
        let mut registry = registry::Registry::default();
        registry.register_collector(Box::new(Families(self.families())));
        let mut text = String::new();
        // Writing to a String does not fail, and nothing else can.
        let _ = text::encode(&mut text, &registry);
        text
    }
}

#[derive(Debug)]
struct Families(Vec<Family>);

impl Collector for Families {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for Family { instrument, points } in &self.0 {
            let unit = (instrument.unit == Unit::Seconds).then_some(registry::Unit::Seconds);
            let kind = match instrument.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge | Kind::UpDown => MetricType::Gauge,
                Kind::Histogram => MetricType::Histogram,
            };
            let name = instrument::underscored(instrument.name);
            let names = instrument.labels.iter().copied();
            let names: Vec<_> = names.map(instrument::underscored).collect();
            let mut family =
                encoder.encode_descriptor(&name, instrument.help, unit.as_ref(), kind)?;
            for Point { labels, value } in points {
                let labels = Labels(&names, labels);
                let mut metric = family.encode_family(&labels)?;
                match (kind, value) {
                    (MetricType::Counter, Value::Count(n)) => {
                        metric.encode_counter::<NoLabels, _, u64>(n, None)?;
                    }
                    (MetricType::Counter, Value::Amount(n)) => {
                        metric.encode_counter::<NoLabels, _, u64>(n, None)?;
                    }
                    (_, Value::Count(n)) => metric.encode_gauge(n)?,
                    (_, Value::Amount(n)) => metric.encode_gauge(n)?,
                    (_, Value::Distribution(n)) => {
                        let buckets: Vec<_> = n.buckets().collect();
                        metric.encode_histogram::<NoLabels>(
                            n.sum_seconds,
                            n.count,
                            &buckets,
                            None,
                        )?;
                    }
                }
            }
        }
        Ok(())
    }
}

type NoLabels = [(&'static str, &'static str); 0];

/// Names and values; what has no value is left out.
#[derive(Debug)]
struct Labels<'a>(&'a [String], &'a [String]);

impl EncodeLabelSet for Labels<'_> {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        for (name, value) in self.0.iter().zip(self.1) {
            if value.is_empty() {
                continue;
            }
            let mut label = encoder.encode_label();
            let mut key = label.encode_label_key()?;
            key.write_str(name)?;
            let mut text = key.encode_label_value()?;
            text.write_str(value)?;
            text.finish()?;
        }
        Ok(())
    }
}
