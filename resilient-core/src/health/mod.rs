//! Health: what is known about a database, its pool and its connections.

pub mod cache;
pub mod check;
pub mod connections;
pub mod pool;
pub mod replacement;
pub mod settings;

pub use cache::CheckCache;
pub use check::{CheckOptions, CheckReport, CheckStatus, CheckStrategy, Finding};
pub use connections::{ConnectionReport, ConnectionState, Connections, Lease};
pub use pool::{Churn, PoolGauge, PoolMeter, PoolReport, Sweep};
pub use replacement::{Closing, Limits};
pub use settings::HealthSettings;
