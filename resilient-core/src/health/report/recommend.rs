//! [`Recommendation`]: what to do, in order of urgency.

use std::fmt;

use serde::Serialize;
use strum::{Display, IntoStaticStr};

/// How urgent it is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Display, IntoStaticStr, Serialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "RecommendationSeverity"))]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// It costs something, or soon will.
    Warning,
    /// Calls fail, or data is at risk.
    Critical,
}

/// What a reason or recommendation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Display, IntoStaticStr, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Area {
    /// Whether the database answers, and the connections to it.
    Connection,
    /// The pool's size and use.
    Pool,
    /// Times.
    Performance,
    /// Errors, retries, deadlocks, recoveries.
    Reliability,
    /// Open transactions.
    Sessions,
    /// Rows and indexes.
    Tables,
    /// Constraints, as declared and as they are.
    Schema,
    /// Settings that contradict each other.
    Configuration,
}

/// Something to do, as it follows from what was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Recommendation {
    /// How urgent it is.
    pub severity: Severity,
    /// What it is about.
    pub area: Area,
    /// What was seen, and what to do.
    pub text: String,
    /// The statement that does it, in the engine's words, where one statement does.
    pub statement: Option<String>,
}

impl Recommendation {
    /// Something to do.
    pub fn new(severity: Severity, area: Area, text: impl Into<String>) -> Self {
        Self {
            severity,
            area,
            text: text.into(),
            statement: None,
        }
    }

    /// Something that this statement does.
    #[must_use]
    pub fn by(mut self, statement: impl Into<String>) -> Self {
        self.statement = Some(statement.into());
        self
    }
}

/// `warning tables: 60 % of the rows of users are deleted ...`.
impl fmt::Display for Recommendation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.severity, self.area, self.text)?;
        if let Some(statement) = &self.statement {
            write!(f, ": {statement}")?;
        }
        Ok(())
    }
}

/// The most urgent first, each thing said once. Within a severity the order stays.
pub(super) fn sorted(mut all: Vec<Recommendation>) -> Vec<Recommendation> {
    all.sort_by_key(|one| std::cmp::Reverse(one.severity));
    let mut kept: Vec<Recommendation> = Vec::with_capacity(all.len());
    for one in all {
        let same = |known: &Recommendation| {
            known.area == one.area && known.text == one.text && known.statement == one.statement
        };
        if !kept.iter().any(same) {
            kept.push(one);
        }
    }
    kept
}
