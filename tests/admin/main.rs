//! The admin router before real databases: every endpoint, who may ask, what is refused, and what
//! event streams carry.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used)]

mod access;
mod answers;
mod input;
mod rig;
mod schema;
mod secrets;
mod states;
mod streams;

use std::time::Duration;

/// How long a condition may take to become true; generous, for machines under load.
const PATIENCE: Duration = Duration::from_secs(30);
