//! What a resilient call costs on real databases: a file, and the server whose address
//! `with-servers` sets.
//!
//! To add a row, add a [`Case`](resilient_benches::Case) to a list here or in a module of its own;
//! what cannot be measured as calls one after another is a
//! [`Group`](resilient_benches::program::Group) in [`GROUPS`].

#![allow(
    missing_docs,
    reason = "nobody depends on it but the programs beside it"
)]

mod bank;
mod transaction;

use resilient_benches::{Case, program::Group};
pub use transaction::{change, read};

/// All cases.
pub fn cases() -> Vec<Case> {
    transaction::cases()
}

/// Groups that measure in ways of their own.
pub const GROUPS: [Group; 0] = [];
