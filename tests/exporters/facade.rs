//! The `metrics` facade, with the recorder that its authors have for tests.

use std::{collections::BTreeMap, time::Duration};

use metrics::Key;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use resilient_sea_orm::metrics::{
    self as ours,
    facade::{Forwarder, describe},
    instrument::{self, Kind},
};
use support::{TestResult, unique_name, wait_until};

use crate::shop::Shop;

type Values = BTreeMap<String, DebugValue>;

/// What came to the recorder since this was last asked: that empties it.
struct Taken(Vec<(Key, DebugValue)>);

impl Taken {
    fn from(snapshotter: &Snapshotter) -> Self {
        let all = snapshotter.snapshot().into_vec().into_iter();
        Self(
            all.map(|(key, _, _, value)| (key.into_parts().1, value))
                .collect(),
        )
    }

    /// What belongs to a database or method, by name and the other labels.
    fn of(&self, whose: &str) -> Values {
        let values = self.0.iter().filter_map(|(key, value)| {
            let mine = key.labels().any(|label| label.value() == whose);
            let others = key.labels().filter(|label| label.value() != whose);
            let others: Vec<_> = others
                .map(|l| format!("{}={}", l.key(), l.value()))
                .collect();
            let name = format!("{}{{{}}}", key.name(), others.join(","));
            let value = match value {
                DebugValue::Counter(n) => DebugValue::Counter(*n),
                DebugValue::Gauge(n) => DebugValue::Gauge(*n),
                DebugValue::Histogram(all) => DebugValue::Histogram(all.clone()),
            };
            mine.then_some((name, value))
        });
        values.collect()
    }
}

fn counter(all: &Values, key: &str) -> u64 {
    match all.get(key) {
        Some(DebugValue::Counter(n)) => *n,
        other => panic!("{key} is {other:?} in {all:?}"),
    }
}

fn gauge(all: &Values, key: &str) -> f64 {
    match all.get(key) {
        Some(DebugValue::Gauge(n)) => n.into_inner(),
        other => panic!("{key} is {other:?} in {all:?}"),
    }
}

fn histogram(all: &Values, key: &str) -> Vec<f64> {
    match all.get(key) {
        Some(DebugValue::Histogram(all)) => all.iter().map(|n| n.into_inner()).collect(),
        other => panic!("{key} is {other:?} in {all:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_recorder_has_what_the_registry_has_on_sqlite() {
    let (name, method) = (unique_name(), "facade::put");
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let forwarder = Forwarder::new(ours::global());
    let forward = || metrics::with_local_recorder(&recorder, || forwarder.forward());

    let shop = Shop::open(&name, method).await;
    shop.trade(2).await;
    forward();
    let taken = Taken::from(&snapshotter);
    let all = taken.of(method);
    assert_eq!(counter(&all, "resilient_calls_total{result=succeeded}"), 2);
    let failed = "resilient_calls_total{result=failed,outcome=rolled_back}";
    assert_eq!(counter(&all, failed), 2);
    let retries = "resilient_retries_total{fault=lock_timeout}";
    assert_eq!(counter(&all, retries), 2);
    assert!(gauge(&all, "resilient_backoff_seconds_total{}") >= 0.002);
    let calls = histogram(&all, "resilient_call_duration_seconds{}");
    assert_eq!(calls.len(), 4);
    let sum = ours::global().snapshot().method(method).latency.sum_seconds;
    let off = (calls.iter().sum::<f64>() - sum).abs();
    assert!(off <= sum / 16.0, "{calls:?} {sum}");
    let here = taken.of(&name);
    let open = |all: &Values| {
        // The last one may be on its way back.
        let of =
            |state| format!("db_client_connection_count{{db_client_connection_state={state}}}");
        gauge(all, &of("idle")) + gauge(all, &of("used"))
    };
    assert_eq!(open(&here), 1.0);

    // Once more: nothing is counted twice.
    shop.trade(0).await;
    forward();
    let all = Taken::from(&snapshotter).of(method);
    assert_eq!(counter(&all, "resilient_calls_total{result=succeeded}"), 4);
    assert_eq!(
        histogram(&all, "resilient_call_duration_seconds{}").len(),
        4
    );

    drop(shop);
    forward();
    let here = Taken::from(&snapshotter).of(&name);
    assert_eq!(open(&here), 0.0, "it is gone");
    assert_eq!(gauge(&here, "db_client_connection_max{}"), 0.0);
}

#[tokio::test]
async fn every_name_is_described_and_a_task_forwards_on_sqlite() -> TestResult {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _local = metrics::set_default_local_recorder(&recorder);
    describe();
    let name = unique_name();
    let shop = Shop::open(&name, "facade::task").await;
    let task = Forwarder::new(ours::global()).every(Duration::from_millis(5));
    let begun = || {
        let all = Taken::from(&snapshotter).of(&name);
        all.get("resilient_transactions_begun_total{}") == Some(&DebugValue::Counter(4))
    };
    shop.trade(0).await;
    let patience = Duration::from_secs(20);
    wait_until("the task forwards", patience, async || Ok(begun())).await?;
    drop(task);
    let known: Vec<_> = instrument::ALL.iter().map(|i| i.exposed()).collect();
    for (key, unit, help, value) in snapshotter.snapshot().into_vec() {
        let name = key.key().name().to_owned();
        assert!(known.contains(&name), "{name}");
        assert!(unit.is_some() && help.is_some(), "{name} is not described");
        let listed = instrument::ALL.iter().find(|i| i.exposed() == name);
        let is_histogram = matches!(value, DebugValue::Histogram(_));
        let listed = listed.is_some_and(|i| i.kind == Kind::Histogram);
        assert_eq!(is_histogram, listed, "{name}");
    }
    Ok(())
}
