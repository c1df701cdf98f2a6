//! How a database is doing, and why: reports and the logic behind them. Adapters feed them.

pub mod deadlocks;
pub mod indexes;
pub mod sessions;
pub mod soft_delete;
pub mod tables;
