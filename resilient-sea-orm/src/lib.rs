//! SeaORM repositories made resilient by declaration.
//!
//! [`ResilientConnection`] stands wherever a `DatabaseConnection` stands; the [`resilient`]
//! attribute turns a repository method into a call that runs in a transaction, retries what can
//! heal, and says what became of it.
//!
//! # Features
//!
//! | feature | what it does |
//! | --- | --- |
//! | `sqlx-sqlite`, `sqlx-postgres`, `sqlx-mysql`, `sqlx-all` | the engines; at least one is wanted, and what an unused one needs is not compiled |
//! | `runtime-tokio` (default), `runtime-tokio-native-tls`, `runtime-tokio-rustls` | runtime and TLS, passed through to SeaORM. The framework's timers and background work are tokio's; async-std is discontinued and not supported |
//! | `macros` (default) | the attribute and the derives |
//! | `mock` | wraps `MockDatabase` connections in unit tests |
//! | `schema-sync`, `entity-registry` | SeaORM's features of that name, through our connection |
//! | `migration` | the table of verified commits as a migration of `sea-orm-migration` |
//! | `testing` | faults on purpose, and the sweep over a method, in `testing`; for tests: without it nothing of it is compiled |
//! | `openmetrics` | `metrics::global().openmetrics()`: what was counted as text for Prometheus |
//! | `backoff` | policies of the `backoff` crate as delays; unmaintained, so off by default |

// Without an engine there are mocks alone, and what serves engines is not used.
#![cfg_attr(
    not(feature = "sqlx-dep"),
    allow(
        dead_code,
        unused_imports,
        unused_variables,
        clippy::needless_pass_by_value
    )
)]

mod advice;
mod builder;
pub mod commit;
mod compat;
mod configured;
mod connection;
mod connection_trait;
#[cfg(feature = "sqlx-dep")]
mod constraints;
#[cfg(not(feature = "sqlx-dep"))]
#[path = "constraints/without.rs"]
mod constraints;
mod control;
mod diagnosis;
mod error;
mod extract;
#[cfg(feature = "sqlx-sqlite")]
mod file;
#[cfg(feature = "sqlx-dep")]
mod giveback;
mod handover;
pub mod health;
pub mod hooks;
mod keywords;
pub mod manager;
#[cfg(feature = "sqlx-dep")]
mod named;
mod observed;
mod pool;
pub mod prelude;
#[cfg(all(feature = "schema-sync", feature = "sqlx-dep"))]
mod schema_sync;
mod session;
mod stream;
#[cfg(feature = "testing")]
pub mod testing;
mod transact;
mod transaction;
mod vitals;

#[doc(hidden)]
#[path = "private/mod.rs"]
pub mod __private;

pub use builder::{Builder, Target};
pub use commit::{CommitMode, CommitStatus, CommitToken};
pub use connection::ResilientConnection;
pub use error::{Error, Result};
pub use extract::{classify, violation};
pub use manager::DatabaseManager;
pub use resilient_core as core;
pub use resilient_core::{
    Config, ConstraintKind, Effect, Fault, FaultKind, FaultSet, Outcome, Propagation,
    admission::{Admission, AdmissionSnapshot},
    config,
    constraint::{self, ConstraintReport, Problem, Violation},
    driver::{Locking, WireLimits},
    health::{
        CheckOptions, CheckReport, CheckStatus, CheckStrategy, Closing, ConnectionReport,
        ConnectionState, HealthSettings, PoolReport, Sweep,
        report::{Diagnostics, HealthReport, HealthSummary, OverallStatus},
    },
    metrics, policy, time, turns,
};
#[cfg(feature = "macros")]
pub use resilient_macros::{ConstraintMessages, RepositoryError, SoftDelete, resilient};
pub use sea_orm;
pub use sea_orm::IsolationLevel;
pub use stream::ResilientStream;
pub use transact::{SerializedOptions, TransactOptions};
pub use transaction::ResilientTransaction;

/// Compiles and runs the README's example.
#[cfg(all(doctest, feature = "macros", feature = "sqlx-sqlite"))]
#[doc = include_str!("../../README.md")]
struct Readme;

/// Compiles the examples of verified commits.
#[cfg(all(doctest, feature = "macros"))]
#[doc = include_str!("../../docs/exactly-once.md")]
struct ExactlyOnce;

/// Compiles the example of the configuration.
#[cfg(doctest)]
#[doc = include_str!("../../docs/configuration.md")]
struct Configuration;

/// Compiles the examples of turns.
#[cfg(all(doctest, feature = "macros"))]
#[doc = include_str!("../../docs/turns.md")]
struct Turns;

/// Compiles the example of admission.
#[cfg(all(doctest, feature = "macros"))]
#[doc = include_str!("../../docs/contention.md")]
struct Contention;

/// Compiles the example of the sessions.
#[cfg(doctest)]
#[doc = include_str!("../../docs/sessions.md")]
struct Sessions;
/// Compiles the example of the health reports.
#[cfg(all(doctest, feature = "sqlx-dep"))]
#[doc = include_str!("../../docs/health.md")]
struct HealthReports;
/// Compiles the example of monitoring.
#[cfg(doctest)]
#[doc = include_str!("../../docs/monitoring.md")]
struct Monitoring;
/// Compiles and runs the example of the testing kit.
#[cfg(all(
    doctest,
    feature = "testing",
    feature = "macros",
    feature = "sqlx-sqlite"
))]
#[doc = include_str!("../../docs/testing.md")]
struct Testing;

/// Compiles the examples of the engines.
#[cfg(doctest)]
#[doc = include_str!("../../docs/engines/postgresql.md")]
#[doc = include_str!("../../docs/engines/mysql.md")]
#[doc = include_str!("../../docs/engines/sqlite.md")]
#[doc = include_str!("../../docs/engines/pgbouncer.md")]
#[doc = include_str!("../../docs/engines/distributed.md")]
struct Engines;

/// Compiles and runs the examples of the derives.
#[cfg(all(doctest, feature = "macros"))]
#[doc = include_str!("../../resilient-macros/doc/constraint_messages.md")]
#[doc = include_str!("../../resilient-macros/doc/repository_error.md")]
#[doc = include_str!("../../resilient-macros/doc/soft_delete.md")]
struct Derives;
