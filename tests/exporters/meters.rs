//! OpenTelemetry metrics, through the real SDK.

use std::collections::BTreeMap;

use opentelemetry::{KeyValue, metrics::MeterProvider as _};
use opentelemetry_sdk::metrics::{
    InMemoryMetricExporter, SdkMeterProvider,
    data::{AggregatedMetrics, Metric, MetricData, ScopeMetrics},
};
use resilient_sea_orm::metrics::{self, instrument, opentelemetry::OPERATION_DURATION};
use support::unique_name;

use crate::shop::Shop;

/// A number of the SDK.
#[derive(Clone, Debug, PartialEq)]
enum Number {
    Sum(f64),
    Gauge(f64),
    Histogram { count: u64, sum: f64, bounds: usize },
}

type Points = Vec<(BTreeMap<String, String>, Number)>;

fn labels<'a>(attributes: impl Iterator<Item = &'a KeyValue>) -> BTreeMap<String, String> {
    attributes
        .map(|a| (a.key.to_string(), a.value.to_string()))
        .collect()
}

fn points_of<T: Copy>(data: &MetricData<T>, number: impl Fn(T) -> f64) -> Points {
    match data {
        MetricData::Sum(sum) => sum
            .data_points()
            .map(|p| (labels(p.attributes()), Number::Sum(number(p.value()))))
            .collect(),
        MetricData::Gauge(gauge) => gauge
            .data_points()
            .map(|p| (labels(p.attributes()), Number::Gauge(number(p.value()))))
            .collect(),
        MetricData::Histogram(histogram) => histogram
            .data_points()
            .map(|p| {
                let number = Number::Histogram {
                    count: p.count(),
                    sum: number(p.sum()),
                    bounds: p.bounds().count(),
                };
                (labels(p.attributes()), number)
            })
            .collect(),
        MetricData::ExponentialHistogram(_) => panic!("nobody asked for it"),
    }
}

#[allow(clippy::cast_precision_loss)]
fn points(metric: &Metric) -> Points {
    match metric.data() {
        AggregatedMetrics::F64(data) => points_of(data, |n| n),
        AggregatedMetrics::U64(data) => points_of(data, |n| n as f64),
        AggregatedMetrics::I64(data) => points_of(data, |n| n as f64),
    }
}

/// What is exported now: units and points by name.
fn export(
    provider: &SdkMeterProvider,
    exporter: &InMemoryMetricExporter,
) -> BTreeMap<String, (String, Points)> {
    exporter.reset();
    provider.force_flush().expect("exports");
    let all = exporter.get_finished_metrics().expect("has exported");
    let last = all.last().expect("something");
    last.scope_metrics()
        .flat_map(ScopeMetrics::metrics)
        .map(|m| (m.name().to_owned(), (m.unit().to_owned(), points(m))))
        .collect()
}

#[track_caller]
fn value(all: &BTreeMap<String, (String, Points)>, name: &str, having: &[(&str, &str)]) -> Number {
    let (_, points) = all.get(name).unwrap_or_else(|| panic!("no {name}"));
    let has = |labels: &BTreeMap<String, String>| {
        let same = |(key, value): &(&str, &str)| labels.get(*key).is_some_and(|v| v == value);
        having.iter().all(same)
    };
    let found: Vec<_> = points.iter().filter(|(labels, _)| has(labels)).collect();
    assert_eq!(found.len(), 1, "{name} {having:?}: {points:?}");
    found[0].1.clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sdk_has_what_the_registry_has_on_sqlite() {
    let exporter = InMemoryMetricExporter::default();
    let provider = SdkMeterProvider::builder()
        .with_periodic_exporter(exporter.clone())
        .build();
    metrics::opentelemetry::observe(metrics::global(), &provider.meter("test"));
    let (name, method) = (unique_name(), "meters::put");
    let shop = Shop::open(&name, method).await;
    shop.trade(2).await;
    let all = export(&provider, &exporter);
    let (here, put) = (("database", &*name), ("method", method));

    let calls = |result| value(&all, "resilient.calls", &[put, ("result", result)]);
    assert_eq!(calls("succeeded"), Number::Sum(2.0));
    assert_eq!(calls("failed"), Number::Sum(2.0));
    let retries = value(&all, "resilient.retries", &[put, ("fault", "lock_timeout")]);
    assert_eq!(retries, Number::Sum(2.0));
    let committed = [here, ("result", "committed")];
    let ended = value(&all, "resilient.transactions.ended", &committed);
    assert_eq!(ended, Number::Sum(2.0));
    let backoff = value(&all, "resilient.backoff", &[put]);
    assert!(
        matches!(backoff, Number::Sum(n) if n >= 0.002),
        "{backoff:?}"
    );
    let closed = [here, ("state", "closed")];
    let breaker = value(&all, "resilient.breaker.state", &closed);
    assert_eq!(breaker, Number::Gauge(1.0));
    let latency = metrics::global().snapshot().method(method).latency;
    match value(&all, "resilient.call.duration", &[put]) {
        Number::Histogram { count, sum, bounds } => {
            assert_eq!((count, bounds), (4, 21));
            let off = (sum - latency.sum_seconds).abs();
            assert!(off <= latency.sum_seconds / 16.0, "{sum} {latency:?}");
        }
        other => panic!("{other:?}"),
    }

    // By the conventions' names.
    let pool = ("db.client.connection.pool.name", &*name);
    let most = value(&all, "db.client.connection.max", &[pool]);
    assert_eq!(most, Number::Sum(1.0));
    for state in ["idle", "used"] {
        let state = [pool, ("db.client.connection.state", state)];
        let count = value(&all, "db.client.connection.count", &state);
        assert!(matches!(count, Number::Sum(0.0 | 1.0)), "{count:?}");
    }
    let waits = value(&all, "db.client.connection.wait_time", &[pool]);
    assert!(
        matches!(waits, Number::Histogram { count, .. } if count >= 4),
        "{waits:?}"
    );
    let of = |error: &[(&str, &str)]| {
        let insert = [
            ("db.namespace", &*name),
            ("db.system.name", "sqlite"),
            ("db.operation.name", "INSERT"),
        ];
        match value(&all, OPERATION_DURATION, &[&insert, error].concat()) {
            Number::Histogram { count, .. } => count,
            other => panic!("{other:?}"),
        }
    };
    // CHECK constraints have the extended result code 275.
    let check = [("error.type", "check"), ("db.response.status_code", "275")];
    assert_eq!(of(&check), 2);
    let units = [
        (OPERATION_DURATION, "s"),
        ("db.client.connection.count", "{connection}"),
        ("resilient.calls", "{call}"),
    ];
    for (name, unit) in units {
        assert_eq!(all[name].0, unit, "{name}");
    }
    for name in all.keys().filter(|name| *name != OPERATION_DURATION) {
        let known = instrument::ALL.iter().any(|i| i.name == name);
        assert!(known, "{name} is not in the list");
    }

    // The next collection reads anew, and counts no duration twice.
    shop.trade(0).await;
    let all = export(&provider, &exporter);
    let calls = value(&all, "resilient.calls", &[put, ("result", "succeeded")]);
    assert_eq!(calls, Number::Sum(4.0));
    match value(&all, "resilient.call.duration", &[put]) {
        Number::Histogram { count, .. } => assert_eq!(count, 8),
        other => panic!("{other:?}"),
    }
    provider.shutdown().expect("shuts down");
}
