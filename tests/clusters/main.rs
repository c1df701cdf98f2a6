//! Clusters whose servers are killed, promoted and cut off while they are worked with.
#![allow(missing_docs, unreachable_pub)]

mod bank;
mod galera;
mod pgbouncer;
mod postgres;
mod standby;

use std::time::Duration;

/// How long a condition may take to become true; generous, for machines under load.
const PATIENCE: Duration = Duration::from_secs(30);
