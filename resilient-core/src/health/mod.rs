//! How a database is doing, and why: reports and the logic behind them. Adapters feed them.

pub mod cache;
pub mod check;
pub mod connections;
pub mod deadlocks;
pub mod indexes;
pub mod pool;
pub mod replacement;
pub mod sessions;
pub mod settings;
pub mod soft_delete;
pub mod tables;

pub use cache::CheckCache;
pub use check::{CheckOptions, CheckReport, CheckStatus, CheckStrategy, Finding};
pub use connections::{ConnectionReport, ConnectionState, Connections, Lease};
pub use pool::{Churn, PoolGauge, PoolMeter, PoolReport, Sweep};
pub use replacement::{Closing, Limits};
pub use settings::HealthSettings;
