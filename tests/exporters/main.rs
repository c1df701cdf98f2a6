//! What was counted, as others read it: `OpenMetrics` text by its Python parser.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::missing_errors_doc,
    clippy::float_cmp
)]

mod parser;
mod shop;
mod text;
