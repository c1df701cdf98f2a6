//! [`Fault`]: a classified failure, with what is known about the constraint that it violates.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ConstraintKind, Effect, FaultKind};
use crate::classify::Backend;

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

    /// The same fault, once it is known that the COMMIT it came in answer to is not stored: the
    /// session is all that was lost.
    pub(crate) fn answered_commit(mut self) -> Self {
        if self.kind == FaultKind::CommitUnknown {
            self.kind = FaultKind::ConnectionLost;
            self.effect = Effect::Connection;
        }
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
