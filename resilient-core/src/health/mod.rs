//! How a database fares: what is measured, when to raise an alert, when to stop asking.

pub mod alerts;
pub mod breaker;
mod event;
pub mod monitor;
pub mod performance;
mod vitals;

pub use event::{Events, HealthEvent};
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
