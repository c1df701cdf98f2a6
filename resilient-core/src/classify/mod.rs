//! From a database error to a [`Fault`](crate::Fault): a pure function of what the server said.
//!
//! The verdict (kind and effect) follows from the code and, where one code means several
//! things, from structured context: the [`Engine`], the severity, the routine, the [`Phase`].
//! Message text decides only where the code alone cannot, and the names of constraints are
//! read from text only where the protocol has no field for them, starting at the end of the
//! message that no value of a row can reach. A localized server therefore classifies like an
//! English one, and a stored value cannot change a verdict.
//!
//! There is one table of codes per backend: `PostgreSQL`'s SQLSTATEs (its
//! Appendix A), `MySQL`, `MariaDB` and `TiDB` error numbers (their error references), and `SQLite`
//! result codes (sqlite.org/rescode.html).
//!
//! ```
//! use resilient_core::classify::{Backend, ErrorReport, Phase};
//! use resilient_core::{Effect, FaultKind};
//!
//! let fault = ErrorReport::new(Backend::Postgres, "40P01", "deadlock detected").classify();
//! assert_eq!(fault.kind(), FaultKind::Deadlock);
//! assert_eq!(fault.effect(), Effect::Aborted);
//!
//! let fault = ErrorReport::new(
//!     Backend::MySql,
//!     "1062",
//!     "Duplicate entry 'a' for key 'PRIMARY' for key 'users.email'",
//! )
//! .classify();
//! assert_eq!(fault.constraint(), Some("email"));
//! assert_eq!(fault.table(), Some("users"));
//!
//! let fault = ErrorReport::new(Backend::MySql, "2013", "Lost connection to MySQL server")
//!     .phase(Phase::Commit)
//!     .classify();
//! assert_eq!(fault.kind(), FaultKind::CommitUnknown);
//! ```

mod client;
mod example;
mod identity;
mod mysql;
mod postgres;
mod report;
mod sqlite;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

pub use client::ClientError;
pub use report::ErrorReport;

use crate::fault::{Effect, FaultKind};

/// The protocol that an error arrived by.
///
/// `Display`, `FromStr` and serde use `postgres`, `mysql` and `sqlite`.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
    Serialize,
    Deserialize,
)]
#[strum(serialize_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// `PostgreSQL` and what speaks its protocol; codes are SQLSTATEs.
    Postgres,
    /// `MySQL`, `MariaDB` and what speaks their protocol; codes are error numbers.
    MySql,
    /// `SQLite`; codes are extended result codes.
    Sqlite,
}

/// The server behind the protocol, for the codes that mean different things on different ones.
///
/// `Display`, `FromStr` and serde use the lower-case names, with `cockroach` and `yugabyte`
/// for the two whose names end in `Db`.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
    Serialize,
    Deserialize,
)]
#[strum(serialize_all = "lowercase")]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Engine {
    /// `PostgreSQL` itself.
    PostgreSql,
    /// `CockroachDB`.
    #[strum(serialize = "cockroach")]
    #[serde(rename = "cockroach")]
    CockroachDb,
    /// `YugabyteDB`.
    #[strum(serialize = "yugabyte")]
    #[serde(rename = "yugabyte")]
    YugabyteDb,
    /// Amazon Aurora, RDS and its proxy, of either protocol.
    Aurora,
    /// Amazon Redshift.
    Redshift,
    /// The `PgBouncer` pooler: errors of its own, which all carry one code.
    PgBouncer,
    /// `MariaDB`.
    MariaDb,
    /// Oracle's `MySQL` and Percona Server.
    MySql,
    /// `TiDB`.
    TiDb,
    /// A Galera cluster: `MariaDB` with wsrep, or Percona `XtraDB` Cluster.
    Galera,
    /// `SQLite`.
    Sqlite,
}

/// What the client was doing when the error arrived.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
    Serialize,
    Deserialize,
)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Opening the session.
    Connect,
    /// An ordinary statement.
    #[default]
    Statement,
    /// A statement that changes the schema.
    Ddl,
    /// COMMIT was sent: what ends the session now leaves the outcome unknown.
    Commit,
    /// Nothing: the server spoke unasked.
    Async,
}

/// A fault's kind and effect: what the tables of codes hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Verdict {
    kind: FaultKind,
    effect: Effect,
}

impl Verdict {
    const fn new(kind: FaultKind, effect: Effect) -> Self {
        Self { kind, effect }
    }

    /// Only the statement was undone.
    const fn statement(kind: FaultKind) -> Self {
        Self::new(kind, Effect::Statement)
    }

    /// The whole transaction was undone.
    const fn transaction(kind: FaultKind) -> Self {
        Self::new(kind, Effect::Transaction)
    }

    /// The session ended.
    const fn session(kind: FaultKind) -> Self {
        Self::new(kind, Effect::Connection)
    }

    /// COMMIT was sent and nobody can say what became of it.
    const COMMIT_UNKNOWN: Self = Self::new(FaultKind::CommitUnknown, Effect::Unknown);
}
