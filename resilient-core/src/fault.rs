//! The words of the project: what went wrong ([`Fault`], [`FaultKind`]), what it did to the
//! transaction ([`Effect`]), and what became of the call ([`Outcome`]).

mod record;

use std::fmt;

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

pub use record::Fault;
pub(crate) use record::Identity;

/// What kind of failure a database error is.
///
/// `Display` and `FromStr` use the `snake_case` names that `on = [...]` takes.
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
#[repr(u8)]
pub enum FaultKind {
    /// Two transactions waited for each other and the server ended this one.
    Deadlock,
    /// The transaction could not be placed in a serial order with the others.
    SerializationFailure,
    /// A lock was not granted in time, or at once where waiting was refused.
    LockTimeout,
    /// A statement ran too long, or was cancelled.
    StatementTimeout,
    /// The session ended while it was in use.
    ConnectionLost,
    /// The server refuses work: starting, shutting down, unreachable, without a quorum.
    ServerUnavailable,
    /// The server's own limit of connections is reached.
    TooManyConnections,
    /// No connection of the pool became free in time.
    PoolTimeout,
    /// An idle or transaction timeout of the server ended the session.
    SessionExpired,
    /// The transaction is already aborted; only a rollback is accepted.
    PendingRollback,
    /// A write reached a server or transaction that only reads.
    ReadOnly,
    /// A prepared statement no longer fits the schema or the session.
    StalePlan,
    /// COMMIT was sent and its answer never arrived.
    CommitUnknown,
    /// A unique or primary key already holds the value.
    Unique,
    /// A foreign key has no matching parent row.
    ForeignKey,
    /// A column that must have a value got none.
    NotNull,
    /// A check constraint refused the row.
    Check,
    /// An exclusion constraint found a conflicting row.
    Exclusion,
    /// A row is still referenced by another one.
    Restrict,
    /// A value is longer than its column.
    DataTooLong,
    /// A number lies outside the range of its type.
    NumericOutOfRange,
    /// A value does not fit its type or place.
    InvalidValue,
    /// A table, column, function or other object does not exist.
    UndefinedObject,
    /// The statement is not valid SQL.
    Syntax,
    /// The role may not do this.
    Permission,
    /// The server did not accept the credentials.
    Authentication,
    /// A limit of the server (memory, nesting, statement size) is reached.
    ResourceExhausted,
    /// The server's disk or a quota is full.
    DiskFull,
    /// The server found its data or index damaged.
    Corruption,
    /// The server failed in a way it did not expect itself.
    Internal,
    /// Anything else.
    Other,
}

impl FaultKind {
    /// Every kind, in the order of declaration.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The `snake_case` name.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether a retry can heal this kind: the members of [`FaultSet::TRANSIENT`].
    pub const fn is_transient(self) -> bool {
        FaultSet::TRANSIENT.contains(self)
    }

    /// The constraint kind, for the six kinds that are violations.
    pub const fn constraint_kind(self) -> Option<ConstraintKind> {
        Some(match self {
            Self::Unique => ConstraintKind::Unique,
            Self::ForeignKey => ConstraintKind::ForeignKey,
            Self::NotNull => ConstraintKind::NotNull,
            Self::Check => ConstraintKind::Check,
            Self::Exclusion => ConstraintKind::Exclusion,
            Self::Restrict => ConstraintKind::Restrict,
            _ => return None,
        })
    }
}

/// The six kinds of constraint that a statement can violate.
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ConstraintKind {
    /// A unique or primary key.
    Unique,
    /// A foreign key without its parent row.
    ForeignKey,
    /// A missing value.
    NotNull,
    /// A check constraint.
    Check,
    /// An exclusion constraint.
    Exclusion,
    /// A row that others still reference.
    Restrict,
}

/// What is left of the transaction after a fault.
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Effect {
    /// Only the failed statement was undone.
    Statement,
    /// Usable again after rolling back to a savepoint.
    Aborted,
    /// All of it is gone, savepoints too.
    Transaction,
    /// The session is gone.
    Connection,
    /// Not known.
    Unknown,
}

/// What became of a call's work.
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// No statement of the call reached the server.
    NotSent,
    /// Nothing of it is stored.
    RolledBack,
    /// All of it is stored.
    Committed,
    /// It may or may not be stored.
    Unknown,
}

/// A set of fault kinds, as given by `on = [...]`.
///
/// ```
/// use resilient_core::{FaultKind, FaultSet};
/// let on = FaultSet::CONTENTION.with(FaultKind::StalePlan);
/// assert!(on.contains(FaultKind::Deadlock) && on.contains(FaultKind::StalePlan));
/// assert!(!on.contains(FaultKind::Unique));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FaultSet(u64);

impl FaultSet {
    /// No kind at all: nothing is retried.
    pub const NONE: Self = Self(0);

    /// `contention`: other transactions were in the way.
    pub const CONTENTION: Self = Self::of(&[
        FaultKind::Deadlock,
        FaultKind::SerializationFailure,
        FaultKind::LockTimeout,
    ]);

    /// `connection`: the session or the server was lost, busy or in the wrong role.
    pub const CONNECTION: Self = Self::of(&[
        FaultKind::ConnectionLost,
        FaultKind::ServerUnavailable,
        FaultKind::SessionExpired,
        FaultKind::ReadOnly,
        FaultKind::TooManyConnections,
        FaultKind::PoolTimeout,
    ]);

    /// `transient`: all that a retry can heal; the default.
    ///
    /// `statement_timeout` is left out: what ran into its limit once will most likely do so
    /// again, and a cancel is somebody's wish. `commit_unknown` is never retried blindly.
    pub const TRANSIENT: Self = Self::CONTENTION
        .union(Self::CONNECTION)
        .with(FaultKind::PendingRollback)
        .with(FaultKind::StalePlan);

    /// The set of the given kinds.
    pub const fn of(kinds: &[FaultKind]) -> Self {
        let mut bits = 0;
        let mut i = 0;
        while i < kinds.len() {
            bits |= 1 << kinds[i] as u8;
            i += 1;
        }
        Self(bits)
    }

    /// This set and one more kind.
    #[must_use]
    pub const fn with(self, kind: FaultKind) -> Self {
        Self(self.0 | 1 << kind as u8)
    }

    /// The members of either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether `kind` is a member.
    pub const fn contains(self, kind: FaultKind) -> bool {
        self.0 & (1 << kind as u8) != 0
    }

    /// The members, in the order of declaration.
    pub fn iter(self) -> impl Iterator<Item = FaultKind> {
        FaultKind::ALL
            .iter()
            .copied()
            .filter(move |k| self.contains(*k))
    }
}

impl fmt::Debug for FaultSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
