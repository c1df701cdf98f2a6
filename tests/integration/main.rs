//! The promises, on real engines.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::missing_errors_doc
)]

mod bank;
mod basics;
mod cancellation;
mod cancelled_parts;
mod causes;
mod commit;
mod futures;
mod killed;
mod pool;
mod rig;
mod silence;
