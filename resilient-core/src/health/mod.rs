//! Health: what is known about a database, its pool and its connections.

pub mod cache;
pub mod check;
pub mod connections;
mod lease;
mod meter;
pub mod pool;
mod record;
pub mod replacement;
pub mod settings;

pub use cache::CheckCache;
pub use check::{CheckOptions, CheckReport, CheckStatus, CheckStrategy, Finding};
pub use connections::Connections;
pub use lease::Lease;
pub use meter::{Churn, PoolMeter, Waiting};
pub use pool::{PoolGauge, PoolReport, Sweep};
pub use record::{ConnectionReport, ConnectionState};
pub use replacement::{Closing, Limits};
pub use settings::HealthSettings;
