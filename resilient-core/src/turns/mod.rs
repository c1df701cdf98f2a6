//! Turns by key: callers in this process that name a common key go one after another, before
//! their transactions begin.
//!
//! Transactions that want the same rows collide: they wait for each other's locks, deadlock, or
//! fail to serialize, and all of it is done again. Callers that say beforehand what they are going
//! to want do not collide at all: `#[resilient(serialize_by = (from, to))]`.
//!
//! - A turn is taken where the transaction takes its connection, at its first statement, and
//!   before that connection: who waits holds none, and a call without statements takes no turn.
//! - It is given back with the connection, when the transaction has ended. Each attempt takes its
//!   turn anew, at the end of the line.
//! - Turns come in the order in which they were asked for, key by key. The keys of one transaction
//!   are taken in one order everywhere, so callers cannot deadlock over them.
//! - A wait ends with the call's deadline or its attempt's timeout, and at the latest after the
//!   [patience](crate::driver::Database::patience) of the database, as a `lock_timeout` that says
//!   what it waited for.
//!
//! Turns reach as far as this process. What is done about the same rows elsewhere, or without
//! naming the key, still meets them in the database: isolation and retries are what keeps data
//! right, turns are what keeps callers out of each other's way.

mod key;
mod line;
mod table;

pub use key::{Each, TurnKey, TurnKeys, each};
pub(crate) use key::{hash, mix};
pub use line::HeldTurns;
pub(crate) use line::{Order, Taking, Turns, Want};
pub(crate) use table::{Table, global};

#[cfg(test)]
mod tests;
