//! Which constraint, table and columns an error is about, read from text where the protocol
//! has no field for it.
//!
//! Values of rows appear in some of these texts and belong to whoever wrote the row. So each
//! parser starts at the end of the text that no value can reach, and gives up rather than
//! guess.

mod mysql;
mod postgres;
mod sqlite;

pub(super) use mysql::mysql;
pub(super) use postgres::postgres;
pub(super) use sqlite::sqlite;

/// What an error names. Empty where it names nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) constraint: Option<String>,
    pub(super) table: Option<String>,
    pub(super) columns: Vec<String>,
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
