//! The promises, on real engines.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::match_same_arms,
    clippy::missing_errors_doc
)]

mod bank;
mod basics;
mod branches;
mod cancellation;
mod cancelled_parts;
mod causes;
mod commit;
mod configured;
mod contention;
mod deadlocks;
mod depth;
mod detached;
mod ended_by_others;
mod futures;
mod handles;
mod health;
mod health_report;
mod hooks;
mod killed;
mod leftovers;
mod manager;
mod modes;
mod nested_retries;
mod outliving;
mod pool;
mod propagation;
mod rig;
mod sea_orm;
mod serializable;
mod silence;
mod swallowed;
mod swallowed_nested;
mod table_health;
mod testing;
mod time_limits;
mod turns;
mod verified;
mod verify;
mod violations_hard;
mod watch;
mod wire;
