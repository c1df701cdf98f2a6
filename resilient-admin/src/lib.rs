//! Admin endpoints over the reports of `resilient-core`, for axum: health, metrics, pool,
//! sessions, deadlocks, constraints, tables, alerts, a live stream of events, probes, and a
//! dashboard at the root. Any adapter will do; `resilient-sea-orm` is one.
//!
//! ```
//! use resilient_admin::{BearerTokens, BuildError};
//! # use resilient_core::health::Sources;
//!
//! # fn admin(db: impl Sources) -> Result<axum::Router, BuildError> {
//! // `db` is a connection, a manager of several, or `Databases`.
//! let tokens = BearerTokens::new()
//!     .read("a-token-for-the-dashboard")?
//!     .act("another-one-for-operators")?;
//! let admin = resilient_admin::router(db).authorize(tokens).build()?;
//! let app = axum::Router::new().nest("/ops", admin);
//! # Ok(app)
//! # }
//! ```
//!
//! It is then at `/ops/admin/database/health` and so on; `docs/admin.md` has the whole list, and
//! `openapi.json` below the mount describes each answer.
//!
//! # Security
//!
//! A router without an authoriser is not built, unless [`Admin::insecure`] is called. To read and
//! to act are permissions apart ([`Access`]). Probes and the dashboard's files, which hold no data,
//! are open to everybody. No answer holds values of rows or statements, credentials or connection
//! strings; names of methods, tables and columns it does hold.
//!
//! # Several databases
//!
//! `?database=NAME` chooses one; without it, the first is meant. Names are looked up at each
//! request, so databases may come and go.
//!
//! # Event streams
//!
//! All streams of one database are fed by one task, which runs while somebody listens. So what
//! they cost the database does not grow with their number. They end with
//! [`Admin::until`], which a graceful shutdown needs, as it waits for them otherwise.

mod access;
mod admin;
mod assets;
mod databases;
mod diagnostics;
mod endpoint;
mod error;
mod guard;
mod live;
mod openapi;
mod params;
mod probes;
mod problem;
mod reports;

pub use access::{Access, Authorize, BearerTokens};
pub use admin::{Admin, router};
pub use databases::Databases;
pub use error::BuildError;
pub use live::snapshot::{ConnectionDelta, Delta, LiveSnapshot, MethodDelta, Missed};
pub use probes::{Liveness, Readiness, ReadinessStatus};
pub use problem::Problem;
pub use reports::{ConnectionPool, DatabaseEntry, DatabaseList};

/// Compiles the example of the endpoints.
#[cfg(doctest)]
#[doc = include_str!("../../docs/admin.md")]
struct Endpoints;
