//! `OpenMetrics` text, read back by a parser that is not ours.

use std::{sync::Arc, time::Duration};

use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use resilient_sea_orm::{
    ResilientConnection,
    metrics::{
        self, ConnectionSnapshot, Snapshot,
        instrument::{self, Kind, Unit},
    },
};
use sea_orm::{AccessMode, ConnectionTrait, TransactionTrait};
use support::{TestResult, unique_name, wait_until};

use crate::{
    parser::parse,
    shop::{CONSTRAINT, Shop},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn says_what_happened_on_sqlite() {
    let name = format!("a \"shop\"\nwith \\ {}", unique_name());
    let shop = Shop::open(&name, "text::put").await;
    shop.trade(2).await;
    let snapshot = metrics::global().snapshot();
    let text = metrics::global().openmetrics();
    let all = parse(&text);
    let here = ("database", &*name);
    let put = ("method", "text::put");

    let calls = &all["resilient_calls"];
    assert_eq!(calls.kind, "counter");
    let total = "resilient_calls_total";
    assert_eq!(calls.value(total, &[put, ("result", "succeeded")]), 2.0);
    let failed = [put, ("result", "failed"), ("outcome", "rolled_back")];
    assert_eq!(calls.value(total, &failed), 2.0);
    let retries = &all["resilient_retries"];
    let by_lock = [put, ("fault", "lock_timeout")];
    assert_eq!(retries.value("resilient_retries_total", &by_lock), 2.0);
    let attempts = &all["resilient_attempts"];
    assert_eq!(attempts.value("resilient_attempts_total", &[put]), 6.0);
    let backoff = &all["resilient_backoff_seconds"];
    assert_eq!((&*backoff.unit, &*backoff.kind), ("seconds", "counter"));
    assert!(backoff.value("resilient_backoff_seconds_total", &[put]) >= 0.002);

    let duration = &all["resilient_call_duration_seconds"];
    assert_eq!(duration.kind, "histogram");
    let count = duration.value("resilient_call_duration_seconds_count", &[put]);
    let last = [put, ("le", "+Inf")];
    let bucket = duration.value("resilient_call_duration_seconds_bucket", &last);
    assert_eq!((count, bucket), (4.0, 4.0));
    let sum = duration.value("resilient_call_duration_seconds_sum", &[put]);
    assert_eq!(sum, snapshot.method("text::put").latency.sum_seconds);

    let ended = &all["resilient_transactions_ended"];
    let committed = [here, ("result", "committed")];
    assert_eq!(
        ended.value("resilient_transactions_ended_total", &committed),
        2.0
    );
    let violations = &all["resilient_violations"];
    let which = [here, ("kind", "check"), ("constraint", CONSTRAINT)];
    assert_eq!(violations.value("resilient_violations_total", &which), 2.0);
    let breaker = &all["resilient_breaker_state"];
    let closed = breaker.value("resilient_breaker_state", &[here, ("state", "closed")]);
    let open = breaker.value("resilient_breaker_state", &[here, ("state", "open")]);
    assert_eq!((closed, open), (1.0, 0.0));

    let pool = ("db_client_connection_pool_name", &*name);
    let count = &all["db_client_connection_count"];
    assert_eq!((&*count.kind, &*count.unit), ("gauge", ""));
    let of = |state| {
        let labels = [pool, ("db_client_connection_state", state)];
        count.value("db_client_connection_count", &labels)
    };
    assert_eq!(of("idle") + of("used"), 1.0);
    let most = all["db_client_connection_max"].value("db_client_connection_max", &[pool]);
    assert_eq!(most, 1.0);
    let wait = &all["db_client_connection_wait_time_seconds"];
    assert!(wait.value("db_client_connection_wait_time_seconds_count", &[pool]) >= 4.0);
    let admission = &all["resilient_admission_open"];
    assert_eq!(
        admission.value("resilient_admission_open", &[here, put]),
        0.0
    );
    let gates = &snapshot.database(&name).admission;
    assert_eq!(gates.len(), 1, "{gates:?}");
    assert_eq!((gates[0].method, gates[0].limit), ("text::put", None));

    // Whoever is gone has no state, and its counts stay.
    drop(shop);
    let all = parse(&metrics::global().openmetrics());
    let mut states = all.get("db_client_connection_max").into_iter();
    let left = states.find(|f| {
        f.samples
            .iter()
            .any(|(_, labels, _)| labels.values().any(|v| *v == name))
    });
    assert!(left.is_none(), "{left:?}");
    let wait = &all["db_client_connection_wait_time_seconds"];
    assert!(wait.value("db_client_connection_wait_time_seconds_count", &[pool]) >= 4.0);
    assert_eq!(metrics::global().snapshot().database(&name).handles, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_family_is_as_the_list_says_on_sqlite() {
    let shop = Shop::open(&unique_name(), "text::listed").await;
    shop.trade(1).await;
    let all = parse(&metrics::global().openmetrics());
    for (name, family) in &all {
        let listed = instrument::ALL.iter().find(|i| i.family() == *name);
        let listed = listed.unwrap_or_else(|| panic!("{name} is not in the list"));
        let kind = match listed.kind {
            Kind::Counter => "counter",
            Kind::Histogram => "histogram",
            _ => "gauge",
        };
        let unit = if listed.unit == Unit::Seconds {
            "seconds"
        } else {
            ""
        };
        assert_eq!((&*family.kind, &*family.unit), (kind, unit), "{name}");
        assert_eq!(family.help, listed.help, "{name}");
        let labels: Vec<_> = listed.labels.iter().map(|l| l.replace('.', "_")).collect();
        for (sample, found, _) in &family.samples {
            let known = |label: &String| label == "le" || labels.contains(label);
            assert!(found.keys().all(known), "{sample} {found:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wraps_of_one_pool_share_it_and_sums_never_fall_on_sqlite() {
    let name = unique_name();
    let shop = Shop::open(&name, "text::wrapped").await;
    let now = || metrics::global().snapshot().database(&name);
    let wrap = ResilientConnection::builder(shop.db.as_sea_orm().clone()).name(&name);
    let wrap = wrap.connect().await.expect("wraps");
    shop.trade(1).await;
    let pool = now().pool.expect("it has one");
    assert_eq!((now().handles, pool.max_connections, pool.open), (2, 1, 1));
    let waits = now().acquire.count;
    assert!(waits >= 4);
    drop(wrap);
    assert_eq!((now().handles, now().acquire.count), (1, waits));
    drop(shop);
    assert_eq!((now().handles, now().acquire.count), (0, waits));
    assert_eq!(now().pool, None);
    let again = Shop::open(&name, "text::wrapped").await;
    again.trade(0).await;
    assert!(now().acquire.count >= waits + 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_holds_and_who_waits_is_told_on_sqlite() -> TestResult {
    let name = unique_name();
    let shop = Arc::new(Shop::open(&name, "text::waits").await);
    // A writer would be waited for in its turn, not for its connection.
    let mode = Some(AccessMode::ReadOnly);
    let holder = shop.db.begin_with_config(None, mode).await?;
    holder.execute_unprepared("SELECT 1").await?;
    let waiting = Arc::clone(&shop);
    let waiting = tokio::spawn(async move { waiting.trade(0).await });
    let now = || metrics::global().snapshot().database(&name);
    let one_waits = async || Ok(now().pool.is_some_and(|pool| pool.waiting == 1));
    wait_until("one waits", Duration::from_secs(20), one_waits).await?;
    let all = parse(&metrics::global().openmetrics());
    let here = ("database", &*name);
    let pool = ("db_client_connection_pool_name", &*name);
    let waiters = "db_client_connection_pending_requests";
    assert_eq!(all[waiters].value(waiters, &[pool]), 1.0);
    let used = [pool, ("db_client_connection_state", "used")];
    let count = "db_client_connection_count";
    assert_eq!(all[count].value(count, &used), 1.0);
    let open = "resilient_transactions_open";
    assert_eq!(all[open].value(open, &[here]), 1.0);
    let oldest = "resilient_transactions_oldest_seconds";
    assert!(all[oldest].value(oldest, &[here]) > 0.0);
    holder.rollback().await?;
    waiting.await?;
    assert_eq!(now().pool.map(|pool| pool.waiting), Some(0));
    Ok(())
}

/// Any text at all is a database's name somewhere.
#[test]
fn any_label_comes_back_as_it_was() {
    // Few runs of many: each run starts Python.
    let mut runner = TestRunner::new(Config::with_cases(6));
    let awkward = prop_oneof![
        any::<String>(),
        "[\\\\\"\n\r,={} #é\u{2028}]{1,12}",
        Just("# EOF".to_owned()),
    ];
    let names = vec(awkward, 1..60);
    let check = |names: Vec<String>| {
        let mut snapshot = Snapshot::default();
        for (at, name) in names.iter().enumerate() {
            // Labels without a value are left out, so none is empty.
            let connection = ConnectionSnapshot::default();
            snapshot
                .connections
                .insert(format!("{at}{name}"), connection);
        }
        let all = parse(&snapshot.openmetrics());
        let begun = all["resilient_transactions_begun"].samples.iter();
        let mut found: Vec<_> = begun
            .map(|(_, labels, _)| labels["database"].clone())
            .collect();
        found.sort();
        let expected: Vec<_> = snapshot.connections.into_keys().collect();
        prop_assert_eq!(found, expected);
        Ok(())
    };
    runner.run(&names, check).unwrap();
}

#[test]
fn names_are_different_and_in_form() {
    let mut seen = std::collections::BTreeSet::new();
    for metric in instrument::ALL {
        assert!(seen.insert(metric.family()), "{} twice", metric.name);
        let known = metric.name.starts_with("resilient.") || metric.name.starts_with("db.client.");
        let form = |c: char| c.is_ascii_lowercase() || c == '.' || c == '_';
        assert!(known && metric.name.chars().all(form), "{}", metric.name);
        assert!(
            !metric.help.is_empty() && !metric.help.ends_with('.'),
            "{}",
            metric.name
        );
    }
}
