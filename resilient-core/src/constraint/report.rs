//! [`ConstraintReport`]: where declarations and the live schema differ.

use std::fmt;

use serde::Serialize;
use strum::{Display, IntoStaticStr};

use super::{Constraint, Declaration, Rule};
use crate::ConstraintKind;

/// How a declaration and the live schema differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Display, IntoStaticStr, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Drift {
    /// The declared table does not exist.
    MissingTable,
    /// A rule whose constraint does not exist.
    Missing,
    /// A rule whose constraint has another name.
    Renamed,
    /// A rule whose constraint is on other columns.
    WrongColumns,
    /// Two entities speak of one constraint.
    Duplicate,
    /// A constraint without a rule: violations of it get a default message.
    Undeclared,
}

impl Drift {
    /// Whether a declared message is never, or wrongly, shown; an undeclared constraint only
    /// has a plainer one.
    pub fn is_error(self) -> bool {
        self != Self::Undeclared
    }
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Finding {
    /// How they differ.
    pub drift: Drift,
    /// The entity, or the table where it was registered by hand.
    pub entity: String,
    /// The schema, if the entity names one.
    pub schema: Option<String>,
    /// The table.
    pub table: String,
    /// The kind of constraint; `None` where the table itself is missing.
    pub kind: Option<ConstraintKind>,
    /// The constraint's name: the live one where there is one, else the declared.
    pub constraint: Option<String>,
    /// The constraint's columns: the declared ones where there are any, else the live.
    pub columns: Vec<String>,
    /// What was declared: `unique (email)`.
    pub declared: Option<String>,
    /// What is there instead, or what to write.
    pub help: String,
}

impl Finding {
    pub(super) fn new(drift: Drift, declaration: &Declaration, help: String) -> Self {
        Self {
            drift,
            entity: declaration.title().to_owned(),
            schema: declaration.schema_name().map(str::to_owned),
            table: declaration.table().to_owned(),
            kind: None,
            constraint: None,
            columns: Vec::new(),
            declared: None,
            help,
        }
    }

    pub(super) fn of_rule(
        drift: Drift,
        declaration: &Declaration,
        rule: &Rule,
        help: String,
    ) -> Self {
        Self {
            kind: Some(rule.kind),
            constraint: rule.name.as_deref().map(str::to_owned),
            columns: rule.columns().map(str::to_owned).collect(),
            declared: Some(rule.title()),
            ..Self::new(drift, declaration, help)
        }
    }

    pub(super) fn of_live(
        drift: Drift,
        declaration: &Declaration,
        rule: &Rule,
        live: &Constraint,
        help: String,
    ) -> Self {
        let mut finding = Self::of_rule(drift, declaration, rule, help);
        finding.constraint.clone_from(&live.name);
        finding
    }
}

/// `users: missing: unique (email): the table has unique "users_handle_key" (handle) [app::user]`.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{schema}.")?;
        }
        let drift = self.drift.to_string().replace('_', " ");
        write!(f, "{}: {drift}", self.table)?;
        if let Some(declared) = &self.declared {
            write!(f, ": {declared}")?;
        }
        write!(f, ": {}", self.help)?;
        if self.entity != self.table {
            write!(f, " [{}]", self.entity)?;
        }
        Ok(())
    }
}

/// The differences between what was declared and the live schema of one connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ConstraintReport {
    /// The connection's name.
    pub database: String,
    /// How many declared tables exist.
    pub tables: usize,
    /// How many rules were compared.
    pub rules: usize,
    /// The differences.
    pub findings: Vec<Finding>,
}

impl ConstraintReport {
    pub(super) fn new(database: &str) -> Self {
        Self {
            database: database.to_owned(),
            tables: 0,
            rules: 0,
            findings: Vec::new(),
        }
    }

    /// Whether everything declared is there and everything there is declared.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// The findings by which a declared message is never, or wrongly, shown.
    pub fn errors(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|f| f.drift.is_error())
    }

    /// Constraints that only have a default message.
    pub fn undeclared(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|f| !f.drift.is_error())
    }

    /// Writes each finding to the log, target `resilient`: errors as warnings, undeclared
    /// constraints as `debug`. The one line for start-up:
    /// `db.verify_constraints().await?.log();`
    pub fn log(&self) -> &Self {
        for finding in self.errors() {
            tracing::warn!(target: "resilient", finding = %finding, db.namespace = self.database.as_str(), "constraints differ");
        }
        for finding in self.undeclared() {
            tracing::debug!(target: "resilient", finding = %finding, db.namespace = self.database.as_str(), "constraints differ");
        }
        self
    }
}

/// A line of summary, and a line for each finding.
impl fmt::Display for ConstraintReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        write!(
            f,
            "constraints of {:?}: {} on {}: ",
            self.database,
            count(self.rules, "rule"),
            count(self.tables, "table"),
        )?;
        if self.is_clean() {
            return f.write_str("all there, all declared");
        }
        let (errors, undeclared) = (self.errors().count(), self.undeclared().count());
        write!(f, "{}, {undeclared} undeclared", count(errors, "error"))?;
        for finding in self.errors().chain(self.undeclared()) {
            write!(f, "\n  {finding}")?;
        }
        Ok(())
    }
}
