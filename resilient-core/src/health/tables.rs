//! Tables with soft-deleted rows: how many there are, and whether they should be cleaned up.

use serde::{Deserialize, Serialize};
use strum::{AsRefStr, Display};

use super::indexes::MissingIndex;

/// From where on soft-deleted rows are a burden. Each is exceeded by more, not by as much.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct TableThresholds {
    /// The share of deleted rows above which a table is poor, from 0 to 1; 0.5 by default.
    pub poor_ratio: f64,
    /// The share above which it is fair; 0.25 by default.
    pub fair_ratio: f64,
    /// How many old deleted rows make it poor; more than 10 000 by default.
    pub poor_old_rows: u64,
    /// How many make it fair; more than 1 000 by default.
    pub fair_old_rows: u64,
    /// After how many days a deleted row is old, which nobody will want back; 30 by default.
    pub old_after_days: u32,
}

impl Default for TableThresholds {
    fn default() -> Self {
        Self {
            poor_ratio: 0.5,
            fair_ratio: 0.25,
            poor_old_rows: 10_000,
            fair_old_rows: 1_000,
            old_after_days: 30,
        }
    }
}

/// How well a table does as to its deleted rows.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, AsRefStr, Display,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum TableStatus {
    /// Few are deleted.
    Good,
    /// Worth an eye.
    Fair,
    /// They cost every query.
    Poor,
    /// It could not be found out.
    #[default]
    Unknown,
}

/// The rows of a table, as far as they are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowCounts {
    /// All of them.
    pub total: u64,
    /// The deleted ones; `None` where the table has no soft-delete column.
    pub deleted: Option<u64>,
    /// Those that are deleted for longer than [`TableThresholds::old_after_days`]; `None` where
    /// the column does not tell when.
    pub old_deleted: Option<u64>,
    /// Whether these are estimates and not counts.
    pub estimated: bool,
}

/// What is known about a table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TableReport {
    /// The schema (on MySQL: the database); `None` where the engine has none, or none was named
    /// and the table is not there.
    pub schema: Option<String>,
    /// The table.
    pub table: String,
    /// Who declared it: the entity, else the table.
    pub entity: String,
    /// The column by which rows count as deleted, if one is declared.
    pub soft_delete_column: Option<String>,
    /// Rows that are not deleted.
    pub active_rows: Option<u64>,
    /// Rows that are.
    pub deleted_rows: Option<u64>,
    /// All rows.
    pub total_rows: Option<u64>,
    /// The share of deleted rows, from 0 to 1.
    pub deletion_ratio: Option<f64>,
    /// Rows that are deleted for long; `None` also where the column does not tell when.
    pub old_deleted_rows: Option<u64>,
    /// Whether the numbers are estimates.
    pub estimated: bool,
    /// What to think of it.
    pub status: TableStatus,
    /// Why.
    pub reason: String,
    /// Whether to remove deleted rows for good.
    pub cleanup_recommended: bool,
    /// Indexes that look-ups need and the table does not have.
    pub missing_indexes: Vec<MissingIndex>,
}

impl TableReport {
    /// A table about whose rows nothing could be found out.
    pub fn unknown(table: impl Into<String>, reason: impl Into<String>) -> Self {
        let table = table.into();
        Self {
            entity: table.clone(),
            table,
            reason: reason.into(),
            ..Self::default()
        }
    }

    /// Fills in the numbers, and what to think of them.
    #[must_use]
    pub fn judged(mut self, rows: RowCounts, thresholds: &TableThresholds) -> Self {
        // Estimates of the two need not agree.
        let deleted = rows.deleted.map(|deleted| deleted.min(rows.total));
        let old = rows.old_deleted.map(|old| old.min(rows.total));
        let verdict = judge(
            RowCounts {
                deleted,
                old_deleted: old,
                ..rows
            },
            thresholds,
        );
        self.total_rows = Some(rows.total);
        self.deleted_rows = deleted;
        self.active_rows = Some(rows.total - deleted.unwrap_or_default());
        self.deletion_ratio = deleted.map(|deleted| ratio(deleted, rows.total));
        self.old_deleted_rows = old;
        self.estimated = rows.estimated;
        (self.status, self.reason, self.cleanup_recommended) = verdict;
        self
    }
}

/// Status, reason, and whether to clean up.
fn judge(rows: RowCounts, thresholds: &TableThresholds) -> (TableStatus, String, bool) {
    let Some(deleted) = rows.deleted else {
        let reason = "no soft-delete column is declared".to_owned();
        return (TableStatus::Good, reason, false);
    };
    let share = ratio(deleted, rows.total);
    let old = rows.old_deleted.unwrap_or_default();
    let about = if rows.estimated { "about " } else { "" };
    let days = thresholds.old_after_days;
    let mostly = |limit: f64| {
        format!(
            "{about}{} of the rows are deleted, more than {}",
            percent(share),
            percent(limit)
        )
    };
    let aged = |limit: u64| {
        format!("{about}{old} rows are deleted for more than {days} days, more than {limit}")
    };
    let (status, mut reason) = if share > thresholds.poor_ratio {
        (TableStatus::Poor, mostly(thresholds.poor_ratio))
    } else if old > thresholds.poor_old_rows {
        (TableStatus::Poor, aged(thresholds.poor_old_rows))
    } else if share > thresholds.fair_ratio {
        (TableStatus::Fair, mostly(thresholds.fair_ratio))
    } else if old > thresholds.fair_old_rows {
        (TableStatus::Fair, aged(thresholds.fair_old_rows))
    } else {
        let reason = format!("{about}{} of the rows are deleted", percent(share));
        (TableStatus::Good, reason)
    };
    if rows.old_deleted.is_none() {
        reason.push_str("; how long ago is not known, as the column does not tell when");
    }
    // A fair table whose deleted rows are all recent has nothing yet that nobody wants back.
    let clean_up = status == TableStatus::Poor || old > thresholds.fair_old_rows;
    (status, reason, clean_up)
}

#[allow(clippy::cast_precision_loss)] // a share needs no more than 52 bits
fn ratio(deleted: u64, total: u64) -> f64 {
    if total == 0 {
        0.0
    } else {
        deleted as f64 / total as f64
    }
}

fn percent(share: f64) -> String {
    // One decimal, if it says anything: 25.1 % is more than 25 %.
    let text = format!("{:.1}", share * 100.0);
    format!("{} %", text.strip_suffix(".0").unwrap_or(&text))
}

#[cfg(test)]
#[path = "tables_tests.rs"]
mod tests;
