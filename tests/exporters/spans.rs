//! The spans of attempts, as `tracing-opentelemetry` and the real SDK make them. Alone in its
//! process: whether a span is wanted is known to all threads.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used)]

#[path = "shop.rs"]
mod shop;

use std::time::Duration;

use opentelemetry::trace::{SpanKind, Status, TracerProvider as _};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use support::unique_name;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt as _};

use shop::Shop;

fn attribute(span: &SpanData, key: &str) -> Option<String> {
    let mut all = span.attributes.iter();
    let found = all.find(|attribute| attribute.key.as_str() == key)?;
    Some(found.value.to_string())
}

#[tokio::test]
async fn attempts_are_client_spans_with_the_conventions_names_on_sqlite() {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let ours = Targets::new().with_target("resilient", tracing::Level::DEBUG);
    let subscriber = tracing_subscriber::registry().with(ours).with(layer);
    let name = unique_name();
    {
        let _default = tracing::subscriber::set_default(subscriber);
        Shop::open(&name, "spans::put").await.trade(1).await;
    }
    let spans = exporter.get_finished_spans().expect("has exported");
    let spans: Vec<_> = spans
        .iter()
        .filter(|span| attribute(span, "db.namespace").as_deref() == Some(&*name))
        .collect();
    // One at once, one after a retry, two violations.
    assert_eq!(spans.len(), 5, "{spans:?}");
    for span in &spans {
        assert_eq!(span.name, "spans::put");
        assert_eq!(span.span_kind, SpanKind::Client);
        let is = |key: &str, value: &str| assert_eq!(attribute(span, key).as_deref(), Some(value));
        is("db.system.name", "sqlite");
        is("db.operation.name", "transaction");
        is("method", "spans::put");
    }
    let told = |span: &SpanData| {
        let [kind, code] = ["error.type", "db.response.status_code"].map(|k| attribute(span, k));
        (matches!(span.status, Status::Error { .. }), kind, code)
    };
    let error = |kind: &str, code: &str| (true, Some(kind.to_owned()), Some(code.to_owned()));
    let good = (false, None, None);
    assert_eq!(told(spans[0]), good);
    assert_eq!(told(spans[1]), error("lock_timeout", "5"));
    assert_eq!(told(spans[2]), good);
    assert_eq!(attribute(spans[2], "attempt").as_deref(), Some("2"));
    assert_eq!(told(spans[3]), error("check", "275"));
    // The wait before the next attempt belongs to neither.
    let wait = spans[2].start_time.duration_since(spans[1].end_time);
    assert!(wait.expect("in order") >= Duration::from_millis(1));
}
