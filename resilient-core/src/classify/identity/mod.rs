//! Which constraint, table and columns an error is about, read from text where the protocol
//! has no field for it.
//!
//! Values of rows appear in some of these texts and belong to whoever wrote the row. So each
//! parser starts at the end of the text that no value can reach, and gives up rather than
//! guess.

mod mysql;
mod postgres;
mod sqlite;

use super::{Backend, ErrorReport};
pub(super) use mysql::mysql;
pub(super) use postgres::postgres;
pub(super) use sqlite::sqlite;

/// What an error names. Empty where it names nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) constraint: Option<String>,
    pub(super) schema: Option<String>,
    pub(super) table: Option<String>,
    pub(super) columns: Vec<String>,
    /// Among the columns are expressions.
    pub(super) expression: bool,
    pub(super) referenced_table: Option<String>,
    pub(super) referenced_columns: Vec<String>,
}

/// Which side of a foreign key was written to.
pub(super) fn is_still_referenced(report: &ErrorReport<'_>) -> Option<bool> {
    match (report.backend, report.code) {
        (Backend::Postgres, "23001") | (Backend::MySql, "1451" | "1217") => Some(true),
        (Backend::Postgres, "23503") => postgres::is_still_referenced(report),
        (Backend::MySql, "1452" | "1216") => Some(false),
        _ => None,
    }
}

/// The value of a violated key, a user's data.
pub(super) fn key_value<'a>(report: &ErrorReport<'a>) -> Option<&'a str> {
    match report.backend {
        Backend::Postgres => postgres::key_value(report),
        Backend::MySql => mysql::key_value(report),
        // Prints no values.
        Backend::Sqlite => None,
    }
}

impl Identity {
    fn constraint(name: Option<&str>) -> Self {
        Self {
            constraint: name.map(str::to_owned),
            ..Self::default()
        }
    }

    fn table(name: Option<&str>) -> Self {
        Self {
            table: name.map(str::to_owned),
            ..Self::default()
        }
    }

    fn column(name: Option<&str>) -> Self {
        Self {
            columns: name.map(str::to_owned).into_iter().collect(),
            ..Self::default()
        }
    }
}

/// What stands between a fixed beginning and a fixed end.
fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    text.strip_prefix(start)?.strip_suffix(end)
}
