//! The words of the project: what went wrong ([`Fault`], [`FaultKind`]), what it did to the
//! transaction ([`Effect`]), and what became of the call ([`Outcome`]).

use std::fmt;

use crate::classify::Backend;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

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

/// A classified failure: what [`ErrorReport::classify`](crate::classify::ErrorReport::classify)
/// makes of an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    kind: FaultKind,
    effect: Effect,
    /// Boxed, as a fault travels through many results on its way.
    identity: Option<Box<Identity>>,
}

/// What the engine said about a fault beside its kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) backend: Option<Backend>,
    pub(crate) code: String,
    pub(crate) constraint: Option<String>,
    pub(crate) schema: Option<String>,
    pub(crate) table: Option<String>,
    pub(crate) columns: Vec<String>,
    /// Among the columns are expressions.
    pub(crate) expression: bool,
    pub(crate) referenced_schema: Option<String>,
    pub(crate) referenced_table: Option<String>,
    pub(crate) referenced_columns: Vec<String>,
    /// What only the adapter can know.
    pub(crate) database: Option<String>,
    pub(crate) visible: Option<bool>,
}

impl Fault {
    /// A fault that no server reported, such as a pool that had no connection to give.
    pub const fn new(kind: FaultKind, effect: Effect) -> Self {
        Self {
            kind,
            effect,
            identity: None,
        }
    }

    pub(crate) fn reported(kind: FaultKind, effect: Effect, identity: Identity) -> Self {
        Self {
            kind,
            effect,
            identity: Some(Box::new(identity)),
        }
    }

    pub(crate) fn set_effect(&mut self, effect: Effect) {
        self.effect = effect;
    }

    /// The same fault as a COMMIT that was never answered.
    pub(crate) fn unanswered_commit(mut self) -> Self {
        self.kind = FaultKind::CommitUnknown;
        self.effect = Effect::Unknown;
        self
    }

    /// The kind of failure.
    pub fn kind(&self) -> FaultKind {
        self.kind
    }

    /// The constraint kind, where the fault is a violation.
    pub fn constraint_kind(&self) -> Option<ConstraintKind> {
        self.kind.constraint_kind()
    }

    /// What is left of the transaction.
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// The same fault with another effect, where more is known than its code tells.
    #[must_use]
    pub fn with_effect(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }

    /// The same fault under another kind, where more is known than its code tells: a foreign
    /// key that refused a DELETE is a `restrict`.
    #[must_use]
    pub fn with_kind(mut self, kind: FaultKind) -> Self {
        self.kind = kind;
        self
    }

    /// Adds the violated constraint's name, from the catalogue.
    #[must_use]
    pub fn with_constraint(mut self, name: Option<impl Into<String>>) -> Self {
        self.identity_mut().constraint = name.map(Into::into);
        self
    }

    /// Adds the schema (on MySQL: the database) and the table of the constraint.
    #[must_use]
    pub fn with_table(
        mut self,
        schema: Option<impl Into<String>>,
        table: impl Into<String>,
    ) -> Self {
        let identity = self.identity_mut();
        identity.schema = schema.map(Into::into);
        identity.table = Some(table.into());
        self
    }

    /// Adds the columns of the constraint, in its order.
    #[must_use]
    pub fn with_columns<C: Into<String>>(mut self, columns: impl IntoIterator<Item = C>) -> Self {
        let identity = self.identity_mut();
        identity.columns = columns.into_iter().map(Into::into).collect();
        identity.expression = false;
        self
    }

    /// Adds the columns that the expressions of the constraint mention.
    #[must_use]
    pub fn with_expression_over<C: Into<String>>(
        mut self,
        columns: impl IntoIterator<Item = C>,
    ) -> Self {
        self = self.with_columns(columns);
        self.identity_mut().expression = true;
        self
    }

    /// Adds the table that a foreign key references, its schema where that is known, and the
    /// columns of it.
    #[must_use]
    pub fn with_reference<C: Into<String>>(
        mut self,
        schema: Option<impl Into<String>>,
        table: impl Into<String>,
        columns: impl IntoIterator<Item = C>,
    ) -> Self {
        let identity = self.identity_mut();
        identity.referenced_schema = schema.map(Into::into);
        identity.referenced_table = Some(table.into());
        identity.referenced_columns = columns.into_iter().map(Into::into).collect();
        self
    }

    /// Adds the name of the connection that it happened on.
    #[must_use]
    pub fn with_database(mut self, name: impl Into<String>) -> Self {
        self.identity_mut().database = Some(name.into());
        self
    }

    /// Says whether the bare name of the table, without its schema, means the same table on
    /// that connection.
    #[must_use]
    pub fn with_visibility(mut self, visible: bool) -> Self {
        self.identity_mut().visible = Some(visible);
        self
    }

    fn identity_mut(&mut self) -> &mut Identity {
        self.identity.get_or_insert_default()
    }

    /// The protocol that it arrived by; `None` where no server reported it.
    pub fn backend(&self) -> Option<Backend> {
        self.identity.as_ref()?.backend
    }

    /// The engine's code: SQLSTATE, error number or extended result code; empty where the
    /// failure did not come from a server.
    pub fn code(&self) -> &str {
        self.identity.as_ref().map_or("", |i| &i.code)
    }

    /// The violated constraint's name, where the engine gave one.
    pub fn constraint(&self) -> Option<&str> {
        self.identity.as_ref()?.constraint.as_deref()
    }

    /// The table, where the engine gave one.
    pub fn table(&self) -> Option<&str> {
        self.identity.as_ref()?.table.as_deref()
    }

    /// The schema of the table (on MySQL: its database), where the engine gave one.
    pub fn schema(&self) -> Option<&str> {
        self.identity.as_ref()?.schema.as_deref()
    }

    /// The table that a violated foreign key references, where that is known.
    pub fn referenced_table(&self) -> Option<&str> {
        self.identity.as_ref()?.referenced_table.as_deref()
    }

    /// The schema of that table, where it is known.
    pub fn referenced_schema(&self) -> Option<&str> {
        self.identity.as_ref()?.referenced_schema.as_deref()
    }

    /// The columns that a violated foreign key references; empty where they are not known.
    pub fn referenced_columns(&self) -> &[String] {
        let identity = self.identity.as_ref();
        identity.map_or(&[], |i| &i.referenced_columns)
    }

    /// The name of the connection that a violation happened on, where that is known.
    pub fn database(&self) -> Option<&str> {
        self.identity.as_ref()?.database.as_deref()
    }

    /// Whether the bare name of the table means the same table on that connection, where that
    /// is known.
    pub fn is_visible(&self) -> Option<bool> {
        self.identity.as_ref()?.visible
    }

    /// The columns, in the constraint's order; empty where the engine did not name them.
    pub fn columns(&self) -> &[String] {
        self.identity.as_ref().map_or(&[], |i| &i.columns)
    }

    /// Whether the constraint is over expressions: [`columns`](Self::columns) then holds them,
    /// or the columns that they mention.
    pub fn is_over_expressions(&self) -> bool {
        self.identity.as_ref().is_some_and(|i| i.expression)
    }

    /// Whether a retry can heal it.
    pub fn is_transient(&self) -> bool {
        self.kind.is_transient()
    }
}

/// One clear line without any user data: kind, code and the names of schema objects.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.as_str())?;
        if !self.code().is_empty() {
            write!(f, " ({})", self.code())?;
        }
        if let Some(constraint) = self.constraint() {
            write!(f, " on constraint {constraint:?}")?;
        }
        if let Some(table) = self.table() {
            write!(f, " of table {table:?}")?;
        }
        if !self.columns().is_empty() {
            write!(f, " ({})", self.columns().join(", "))?;
        }
        Ok(())
    }
}
