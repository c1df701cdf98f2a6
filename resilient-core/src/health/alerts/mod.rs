//! Alerts: raised once when a threshold is passed, cleared once when it is good again.

mod board;
mod deliver;
mod rule;

use std::fmt;

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

pub use board::{AlertBoard, AlertReport};
pub use deliver::AlertCallback;
pub use rule::{AlertConfig, AlertRule};

/// What an alert is about. The unit of its value and threshold is [`AlertKind::unit`].
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
pub enum AlertKind {
    /// The average time of statements; 100 ms.
    ResponseTime,
    /// Soft-deleted rows in all rows of a table; 25 %.
    DeletionRatio,
    /// Soft-deleted rows that are old; 10,000.
    OldDeletedRows,
    /// One statement changed many rows; 10,000.
    BulkOperation,
    /// Connections in use of those that the pool may have; 90 %.
    PoolUtilisation,
    /// How severe deadlocks are: 1 low, 2 medium, 3 high; 2.
    DeadlockSeverity,
    /// Statements that fail; 5 %.
    ErrorRate,
    /// Failed checks in a row; 1.
    ConnectionFailure,
    /// Failed recoveries in a row; 1.
    RecoveryFailure,
    /// Retries were refused as the budget was empty; 1.
    BudgetExhausted,
    /// The age of a transaction; 60 s.
    LongTransaction,
}

impl AlertKind {
    /// Every kind.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The `snake_case` name.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// What values of this kind count.
    pub fn unit(self) -> Unit {
        match self {
            Self::ResponseTime => Unit::Milliseconds,
            Self::DeletionRatio | Self::PoolUtilisation | Self::ErrorRate => Unit::Ratio,
            Self::OldDeletedRows | Self::BulkOperation => Unit::Rows,
            Self::LongTransaction => Unit::Seconds,
            Self::DeadlockSeverity => Unit::Level,
            Self::ConnectionFailure | Self::RecoveryFailure | Self::BudgetExhausted => Unit::Times,
        }
    }

    /// Whether its values come at intervals, as opposed to single events.
    fn is_measured(self) -> bool {
        !matches!(self, Self::BulkOperation | Self::BudgetExhausted)
    }

    fn says(self) -> &'static str {
        match self {
            Self::ResponseTime => "statements take on average",
            Self::DeletionRatio => "soft-deleted rows are",
            Self::OldDeletedRows => "old soft-deleted rows are",
            Self::BulkOperation => "one statement changed",
            Self::PoolUtilisation => "the pool is in use to",
            Self::DeadlockSeverity => "deadlocks are of severity",
            Self::ErrorRate => "failing statements are",
            Self::ConnectionFailure => "checks failed in a row:",
            Self::RecoveryFailure => "recoveries failed in a row:",
            Self::BudgetExhausted => "retries refused for want of budget:",
            Self::LongTransaction => "a transaction has been open for",
        }
    }
}

/// What a value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Unit {
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// A part of the whole, 0 to 1.
    Ratio,
    /// Rows.
    Rows,
    /// 1 low, 2 medium, 3 high.
    Level,
    /// Occurrences.
    Times,
}

impl Unit {
    fn show(self, value: f64) -> String {
        match self {
            Self::Milliseconds => format!("{value:.0} ms"),
            Self::Seconds => format!("{value:.0} s"),
            Self::Ratio => format!("{:.1} %", value * 100.0),
            Self::Rows => format!("{value:.0} rows"),
            Self::Level | Self::Times => format!("{value:.0}"),
        }
    }
}

/// How bad it is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Display, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "AlertSeverity"))]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Severity {
    /// The threshold is passed.
    Warning,
    /// The rule's critical value is reached too.
    Critical,
}

/// A threshold that was passed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Alert {
    /// The database's name.
    pub database: String,
    /// What it is about.
    pub kind: AlertKind,
    /// How bad it is.
    pub severity: Severity,
    /// Which table, method, session or pool.
    pub subject: String,
    /// The worst value while it stands, in [`AlertKind::unit`].
    pub value: f64,
    /// The threshold, in the same unit.
    pub threshold: f64,
    /// What is known about the cause, in words and without data of users.
    pub detail: Option<String>,
    /// All of this in words.
    pub message: String,
    /// When it was raised, in milliseconds since 1970.
    pub since_unix_ms: u64,
    /// When it was cleared, in milliseconds since 1970.
    pub cleared_unix_ms: Option<u64>,
}

impl Alert {
    fn describe(&mut self) {
        let unit = self.kind.unit();
        self.message = format!(
            "{}: {} {} (threshold {})",
            self.subject,
            self.kind.says(),
            unit.show(self.value),
            unit.show(self.threshold)
        );
        if let Some(detail) = &self.detail {
            self.message.push_str("; ");
            self.message.push_str(detail);
        }
    }
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} on {}", self.severity, self.kind, self.message)
    }
}

/// What became of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Change {
    /// It was raised.
    Raised,
    /// It has become critical.
    Escalated,
    /// It is over.
    Cleared,
}

#[cfg(test)]
mod tests;
