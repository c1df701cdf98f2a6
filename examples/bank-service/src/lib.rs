//! A small bank over HTTP, as a team would write it: see `README.md` beside this.
//!
//! The program is `main.rs`; as a library it is started by `examples/load` and by the tests.

pub mod database;
pub mod entities;
pub mod http;
pub mod migration;
pub mod problem;
pub mod repositories;
mod service;
pub mod settings;
pub mod trouble;

pub use service::{Drained, Service, StartError};
pub use settings::Settings;
