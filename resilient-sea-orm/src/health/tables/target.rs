//! A live table, in the words of its engine.

use std::time::{SystemTime, UNIX_EPOCH};

use resilient_core::{constraint::Table, health::soft_delete::Marker};
use sea_orm::DbBackend;

/// Integers from here on are milliseconds: as seconds it would be the year 5138.
const MILLISECONDS_FROM: u64 = 100_000_000_000;

/// A table that is there.
#[derive(Debug)]
pub(super) struct Target<'a> {
    pub(super) backend: DbBackend,
    pub(super) table: &'a Table,
    /// The column as the table spells it, if one is declared and there.
    pub(super) column: Option<(&'a str, Marker)>,
    complete: bool,
}

impl<'a> Target<'a> {
    pub(super) fn new(
        backend: DbBackend,
        table: &'a Table,
        soft_delete: Option<&(String, Marker)>,
    ) -> Self {
        let column = soft_delete.and_then(|(name, marker)| {
            let named = |same: fn(&str, &str) -> bool| {
                table.columns.iter().find(|column| same(&column.name, name))
            };
            let column = named(|a, b| a == b).or_else(|| named(str::eq_ignore_ascii_case))?;
            Some((&*column.name, *marker))
        });
        Self {
            backend,
            table,
            complete: column.is_some() || soft_delete.is_none(),
            column,
        }
    }

    /// Whether the declared column, if any, is there.
    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    /// The table's name in statements.
    pub(super) fn name(&self) -> String {
        let table = self.quoted(&self.table.name);
        match (&self.table.schema, self.backend) {
            (Some(schema), _) => format!("{}.{table}", self.quoted(schema)),
            // Not a temporary table of that name.
            (None, DbBackend::Sqlite) => format!("main.{table}"),
            (None, _) => table,
        }
    }

    /// A name in quotes.
    pub(super) fn quoted(&self, name: &str) -> String {
        quoted(self.backend, name)
    }

    /// What is read of a row, as `gone`.
    pub(super) fn reads(&self) -> String {
        let column = self.column.map(|(column, _)| self.quoted(column));
        format!("{} AS gone", column.as_deref().unwrap_or("NULL"))
    }

    /// The condition that a row is deleted, over this expression.
    pub(super) fn deleted(&self, value: &str) -> Option<String> {
        let (_, marker) = self.column?;
        Some(match (marker, self.backend) {
            (Marker::Timestamp, _) => format!("{value} IS NOT NULL"),
            (Marker::Flag, DbBackend::Postgres) => value.to_owned(),
            (Marker::Flag | Marker::Number | Marker::UnixTime, _) => format!("{value} <> 0"),
        })
    }

    /// The condition that it is so for more than these days.
    pub(super) fn old(&self, value: &str, days: u32) -> Option<String> {
        let (_, marker) = self.column?;
        Some(match (marker, self.backend) {
            (Marker::Flag | Marker::Number, _) => return None,
            (Marker::UnixTime, _) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH);
                let now = now.map_or(0, |now| now.as_secs());
                let before = now.saturating_sub(u64::from(days) * 86_400).max(2);
                let (seconds, millis) = (before - 1, before.saturating_mul(1000) - 1);
                format!(
                    "({value} BETWEEN 1 AND {seconds} OR {value} BETWEEN {MILLISECONDS_FROM} AND {millis})"
                )
            }
            // Sessions of ours are in UTC, so that columns without a zone mean that.
            (Marker::Timestamp, DbBackend::Postgres) => {
                format!("{value} < CURRENT_TIMESTAMP - INTERVAL '{days} days'")
            }
            (Marker::Timestamp, DbBackend::MySql) => {
                format!("{value} < UTC_TIMESTAMP() - INTERVAL {days} DAY")
            }
            // With and without a zone, with `T` or a blank.
            (Marker::Timestamp, _) => {
                format!("julianday({value}) < julianday('now') - {days}")
            }
        })
    }

    /// The columns `total`, `deleted` and `old_deleted` over rows that have `gone`.
    pub(super) fn counts(&self, days: u32) -> String {
        let count = |condition: Option<String>| match condition {
            Some(condition) => format!("COUNT(CASE WHEN {condition} THEN 1 END)"),
            None => "COUNT(NULL)".to_owned(),
        };
        format!(
            "COUNT(*) AS total, {} AS deleted, {} AS old_deleted",
            count(self.deleted("q.gone")),
            count(self.old("q.gone", days)),
        )
    }
}

/// A name in the quotes of its engine.
pub(super) fn quoted(backend: DbBackend, name: &str) -> String {
    match backend {
        DbBackend::MySql => format!("`{}`", name.replace('`', "``")),
        _ => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}
