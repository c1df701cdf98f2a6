//! What was counted, as others read it: `OpenMetrics` text by its Python parser, the `metrics`
//! facade by its debugging recorder, OpenTelemetry by its SDK.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::missing_errors_doc,
    clippy::float_cmp
)]

mod facade;
mod grafana;
mod meters;
mod parser;
mod servers;
mod shop;
mod table;
mod text;
