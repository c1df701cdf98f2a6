//! What can go wrong, and where.

use std::{fmt, time::Duration};

use resilient_core::{
    FaultKind,
    classify::{Backend, ErrorReport},
};
use serde::{Serialize, Serializer};

/// What is done to one round trip to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Disturbance {
    /// It fails as if the engine had reported this kind, and the server is left as that would
    /// leave it: after a MySQL deadlock the transaction is rolled back, after a PostgreSQL error
    /// it is aborted, after `connection_lost` the session is over. At COMMIT the server refuses,
    /// and rolls back where a refusal does.
    Fault(FaultKind),
    /// It is carried out, and the connection ends before the answer arrives.
    ReplyLost,
    /// The connection ends before the server sees it.
    NotApplied,
    /// For COMMIT: the connection ends, and the server carries it out so much later. Until then
    /// the transaction is open, with its locks, and the pool is one connection short.
    Late(Duration),
    /// It is sent so much later.
    Slow(Duration),
    /// No answer ever comes, and the server does not see it. The limits of the connection
    /// (`Builder::statement_limit`, `Builder::control_limit`) or of the call have to end it.
    Hung,
}

impl From<FaultKind> for Disturbance {
    fn from(kind: FaultKind) -> Self {
        Self::Fault(kind)
    }
}

impl fmt::Display for Disturbance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(kind) => write!(f, "{kind}"),
            Self::ReplyLost => f.write_str("reply lost"),
            Self::NotApplied => f.write_str("not applied"),
            Self::Late(by) => write!(f, "applied {by:?} late"),
            Self::Slow(by) => write!(f, "slow by {by:?}"),
            Self::Hung => f.write_str("hung"),
        }
    }
}

impl Serialize for Disturbance {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The kinds of step that a call takes. One round trip may hold two of them: a BEGIN and the
/// SAVEPOINT of a nested call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Point {
    /// A connection is taken from the pool.
    Acquire,
    /// BEGIN.
    Begin,
    /// SAVEPOINT.
    Savepoint,
    /// A statement of the caller's, in a transaction or outside.
    Statement,
    /// COMMIT, with its marker if it is a verified one.
    Commit,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Acquire => "acquire",
            Self::Begin => "BEGIN",
            Self::Savepoint => "SAVEPOINT",
            Self::Statement => "statement",
            Self::Commit => "COMMIT",
        })
    }
}

impl Serialize for Point {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Disturbance {
    /// Whether this can happen there: no SQLite database reports a deadlock, and no BEGIN a
    /// duplicate key.
    pub fn is_possible(self, point: Point, backend: Backend) -> bool {
        use FaultKind as K;
        match (self, point) {
            (Self::Slow(_), _) | (Self::Fault(K::PoolTimeout), Point::Acquire) => true,
            (
                Self::Fault(K::ServerUnavailable | K::TooManyConnections | K::Authentication),
                Point::Acquire,
            ) => self.has_example(backend),
            (_, Point::Acquire)
            | (Self::Fault(K::PoolTimeout | K::TooManyConnections | K::Authentication), _) => false,
            (
                Self::Fault(K::ConnectionLost) | Self::ReplyLost | Self::NotApplied | Self::Hung,
                _,
            ) => true,
            (Self::Late(_), point) => point == Point::Commit,
            (Self::Fault(kind), Point::Begin | Point::Savepoint)
                if kind.constraint_kind().is_some() =>
            {
                false
            }
            (Self::Fault(_), _) => self.has_example(backend),
        }
    }

    /// As it is written in a test.
    pub(super) fn code(self) -> String {
        let millis = |d: Duration| format!("Duration::from_millis({})", d.as_millis());
        match self {
            Self::Fault(kind) => format!("FaultKind::{kind:?}"),
            Self::ReplyLost => "Disturbance::ReplyLost".to_owned(),
            Self::NotApplied => "Disturbance::NotApplied".to_owned(),
            Self::Late(by) => format!("Disturbance::Late({})", millis(by)),
            Self::Slow(by) => format!("Disturbance::Slow({})", millis(by)),
            Self::Hung => "Disturbance::Hung".to_owned(),
        }
    }

    fn has_example(self, backend: Backend) -> bool {
        match self {
            Self::Fault(kind) => ErrorReport::example(backend, kind).is_some(),
            _ => true,
        }
    }
}
