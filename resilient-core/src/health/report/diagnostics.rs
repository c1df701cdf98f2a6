//! [`Diagnostics`]: everything that can be looked at, and what to do.

use serde::Serialize;
use strum::{Display, IntoStaticStr};

use super::{HealthReport, Recommendation, Shown, recommend};
use crate::{constraint::ConstraintReport, time::unix_ms};

/// What one part of the diagnostics came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Display, IntoStaticStr, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PartOutcome {
    /// Nothing is wrong.
    Good,
    /// Something is; the text says what.
    Found,
    /// It could not be looked at; the text says why.
    Failed,
    /// It was not done when the time was up.
    TimedOut,
    /// It was left out; the text says why.
    Skipped,
}

/// One part of the diagnostics.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Part {
    /// What was looked at: `write check`, `tables`.
    pub name: String,
    /// What it came to.
    pub outcome: PartOutcome,
    /// The outcome in words.
    pub text: String,
    /// How long it took, in seconds.
    pub took_seconds: f64,
}

impl Part {
    /// A part that was looked at, or was to be.
    pub fn new(
        name: impl Into<String>,
        outcome: PartOutcome,
        text: impl Into<String>,
        took_seconds: f64,
    ) -> Self {
        Self {
            name: name.into(),
            outcome,
            text: text.into(),
            took_seconds,
        }
    }
}

/// Everything that can be looked at, one part after the other, and what to do.
///
/// Its `Display` is for a terminal, as that of [`HealthReport`] is.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Diagnostics {
    /// The database's name.
    pub database: String,
    /// When it was done, in milliseconds since 1970.
    pub at_unix_ms: u64,
    /// How long it took, in seconds.
    pub took_seconds: f64,
    /// Whether every part could be looked at.
    pub complete: bool,
    /// The parts, in the order in which they were done.
    pub parts: Vec<Part>,
    /// The report on what was seen.
    pub report: HealthReport,
    /// The declared constraints, compared with the live ones; `None` if that was not possible.
    pub constraints: Option<ConstraintReport>,
    /// What to do about all of it, the most urgent first.
    pub recommendations: Vec<Recommendation>,
}

impl Diagnostics {
    /// Puts the parts together. `more` is what is to be done beside what the report recommends.
    pub fn of(
        report: HealthReport,
        parts: Vec<Part>,
        constraints: Option<ConstraintReport>,
        more: Vec<Recommendation>,
        took_seconds: f64,
    ) -> Self {
        let all = report.recommendations.iter().cloned().chain(more).collect();
        let looked_at =
            |part: &Part| matches!(part.outcome, PartOutcome::Good | PartOutcome::Found);
        Self {
            database: report.summary.database.clone(),
            at_unix_ms: unix_ms(),
            took_seconds,
            complete: parts.iter().all(looked_at),
            parts,
            report,
            constraints,
            recommendations: recommend::sorted(all),
        }
    }

    /// The diagnostics for a terminal, in colour if that is asked for.
    pub fn display(&self) -> Shown<'_> {
        Shown::diagnostics(self)
    }
}
