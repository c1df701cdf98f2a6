//! The core of `resilient`: faults and their classification, retry policies, transaction
//! scopes, the attempt loop and its metrics. It knows no driver; `resilient-sea-orm` is the
//! crate to depend on.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`fault`] | the words: kinds, effects, outcomes |
//! | [`classify`] | from an engine's error code to a [`Fault`] |
//! | [`constraint`] | what constraints mean to people, and whether the schema still has them |
//! | [`policy`] | whether, how long and how often to retry |
//! | [`scope`] | transactions, savepoints, and which one a statement belongs to |
//! | [`admission`] | how many transactions of a method are open at a time |
//! | [`call`] | the attempt loop |
//! | [`commit`] | verified commits: what became of a COMMIT whose answer was lost |
//! | [`config`] | limits and habits, from code, files or the environment |
//! | [`driver`] | the traits a driver implements |
//! | [`health`] | how a database is doing |
//! | [`metrics`] | what happened |
//! | [`health`] | how the database fares: windows, alerts, circuit breaker, monitor |
//! | [`turns`] | callers that name a common key go one after another |
//! | [`time`] | clock and randomness, replaceable in tests |

pub mod admission;
pub mod call;
pub mod classify;
pub mod commit;
pub mod config;
pub mod constraint;
pub mod driver;
pub mod failure;
pub mod fault;
pub mod health;
pub mod metrics;
mod options;
pub mod policy;
pub mod scope;
mod shards;
pub mod time;
pub mod turns;

pub use commit::{CommitMode, CommitStatus, CommitToken};
pub use config::Config;
pub use failure::{DriverError, Failure, Reason};
pub use fault::{ConstraintKind, Effect, Fault, FaultKind, FaultSet, Outcome};
pub use options::{CallOptions, IsolationLevel, Propagation};
