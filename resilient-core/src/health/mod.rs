//! How a database is doing, and why: reports and the logic behind them. Adapters feed them.

pub mod alerts;
pub mod breaker;
pub mod cache;
pub mod check;
pub mod connections;
pub mod deadlocks;
mod distrust;
mod event;
pub mod indexes;
mod lease;
pub mod managed;
mod meter;
pub mod monitor;
pub mod performance;
pub mod pool;
mod record;
pub mod recovery;
pub mod replacement;
pub mod report;
pub mod sessions;
pub mod settings;
mod shared;
pub mod soft_delete;
pub mod tables;
mod vitals;

pub use cache::CheckCache;
pub use check::{CheckOptions, CheckReport, CheckStatus, CheckStrategy, Finding};
pub use connections::Connections;
pub use event::{Events, HealthEvent};
pub use lease::Lease;
pub use meter::{Churn, PoolMeter, Waiting};
pub use pool::{PoolGauge, PoolReport, Sweep};
pub use record::{ConnectionReport, ConnectionState};
pub use replacement::{Closing, Limits, speaks_against_others};
pub use settings::HealthSettings;
pub use shared::Shared;
pub(crate) use vitals::is_error;
pub use vitals::{Sent, Vitals, VitalsConfig};

use std::time::{SystemTime, UNIX_EPOCH};

/// The wall clock in milliseconds since 1970, for reports; decisions are made on the monotonic
/// clock.
pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
