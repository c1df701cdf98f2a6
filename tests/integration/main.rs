//! The promises, on real engines.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::missing_errors_doc
)]

mod bank;
mod basics;
mod branches;
mod deadlocks;
mod depth;
mod handles;
mod modes;
mod nested_retries;
mod propagation;
mod serializable;
mod swallowed;
mod swallowed_nested;
mod time_limits;
