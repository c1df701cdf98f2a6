//! What a resilient call costs, beside what it would cost without, or with another library.
//!
//! `cargo xtask bench` measures and reports; see `docs/performance.md`. To add a row, add a
//! [`Case`] to a list in `memory/`, `threads/` or `database/`; what cannot be measured as calls
//! one after another is a [`Group`](program::Group) with a function of its own.

#![allow(
    missing_docs,
    reason = "nobody depends on it but the programs beside it"
)]

mod case;
pub mod compile;
pub mod measure;
pub mod memory;
pub mod program;
pub mod report;
pub mod row;
pub mod threads;
pub mod valgrind;
mod wall;

pub use case::{Calls, Case, Runner, Subject};
pub use row::Row;

/// What went wrong, for people.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
/// The same as a result.
pub type Result<T = ()> = std::result::Result<T, Error>;
