//! The repositories: each public method is one transaction.

mod accounts;
mod audit;
mod transfers;
mod users;

pub use accounts::{Accounts, Statement};
pub use audit::{Audit, Books};
pub use transfers::{AskError, Became, Locks, Made, Order, TransferError, Transfers};
pub use users::{SignUp, SignedUp, Users};

/// The bank's own account, which all money comes from.
pub const VAULT: i64 = 1;

/// The money that the vault opened with, and so all there ever is, in cents.
pub const OPENING_CENTS: i64 = 1_000_000_000_000;
