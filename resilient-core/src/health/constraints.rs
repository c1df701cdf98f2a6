//! [`ConstraintsHealth`]: what is declared, whether it is there, and how often it was violated.

use serde::Serialize;

use crate::{
    Effect, Fault, FaultKind,
    constraint::{ConstraintReport, Declaration, Violation, declarations},
    metrics::{self, Snapshot, ViolationSnapshot},
};

/// The constraints of one database.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ConstraintsHealth {
    /// The database's name.
    pub database: String,
    /// What is declared: rules by table.
    pub declared: Vec<Declaration>,
    /// Declared and live constraints compared; `None` if the schema could not be read.
    pub compared: Option<ConstraintReport>,
    /// Why the schema could not be read; `None` if it was.
    pub not_read: Option<String>,
    /// The constraints that were violated since the start, the most frequent first.
    pub violations: Vec<ViolationCount>,
}

/// How often one constraint was violated, and what people were told.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ViolationCount {
    /// Which, and how often.
    #[serde(flatten)]
    pub violation: ViolationSnapshot,
    /// The message, without values.
    pub message: String,
    /// What programs read.
    pub code: String,
    /// Whether the message was declared.
    pub declared: bool,
}

impl ConstraintsHealth {
    /// What is known of the database of this name, and what the look at its schema came to.
    pub fn of(database: &str, compared: Result<ConstraintReport, String>) -> Self {
        let (compared, not_read) = match compared {
            Ok(report) => (Some(report), None),
            Err(why) => (None, Some(why)),
        };
        let here = |one: &&Declaration| one.database_name().is_none_or(|name| name == database);
        Self {
            database: database.to_owned(),
            declared: declarations().iter().filter(here).cloned().collect(),
            compared,
            not_read,
            violations: violations(database, &metrics::global().snapshot()),
        }
    }

    /// The same with the counts as they are now.
    #[must_use]
    pub fn counted(mut self) -> Self {
        self.violations = violations(&self.database, &metrics::global().snapshot());
        self
    }
}

/// How often constraints of the database of this name were violated since the start, the most
/// frequent first.
pub fn violations(database: &str, counted: &Snapshot) -> Vec<ViolationCount> {
    let all = counted.violations.iter();
    let mut here: Vec<_> = all
        .filter(|violation| violation.connection == database)
        .cloned()
        .filter_map(ViolationCount::of)
        .collect();
    here.sort_by_key(|count| std::cmp::Reverse(count.violation.count));
    here
}

impl ViolationCount {
    fn of(violation: ViolationSnapshot) -> Option<Self> {
        let kinds = FaultKind::ALL.iter();
        let kind = kinds
            .copied()
            .find(|kind| kind.constraint_kind() == Some(violation.kind))?;
        let mut fault = Fault::new(kind, Effect::Statement)
            .with_constraint(violation.constraint.as_deref())
            .with_columns(violation.columns.iter())
            .with_database(&violation.connection);
        if let Some(table) = &violation.table {
            fault = fault.with_table(None::<String>, table);
        }
        let told = Violation::of(&fault)?;
        Some(Self {
            message: told.message().to_owned(),
            code: told.code().to_owned(),
            declared: told.is_declared(),
            violation,
        })
    }
}
