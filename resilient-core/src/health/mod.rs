//! How well a database does: what is looked at, and what is said about it.

pub mod indexes;
pub mod soft_delete;
pub mod tables;
