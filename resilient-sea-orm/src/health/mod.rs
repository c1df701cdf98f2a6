//! How well a database does, read from the live one.

pub use resilient_core::health::*;

#[cfg(feature = "sqlx-dep")]
pub mod tables;
