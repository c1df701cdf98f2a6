//! The dashboard in a real browser, over real databases.
#![allow(missing_docs, unreachable_pub)]

mod bank;
mod browser;
mod live;
mod modules;
mod page;
mod pictures;
mod service;
mod switch;
mod trouble;
mod vendored;

use std::time::Duration;

/// How long a condition may take to become true; generous, for machines under load.
const PATIENCE: Duration = Duration::from_mins(1);
