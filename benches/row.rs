//! What is reported.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A line of the report: figures by the name of their column.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Row {
    /// Part of which table.
    pub group: String,
    /// Unique in its group.
    pub name: String,
    /// The name of the row in this group that it is compared with; its own if with none.
    pub beside: String,
    /// Whether the baseline has it.
    pub kept: bool,
    /// The figures.
    pub figures: BTreeMap<String, f64>,
}

impl Row {
    /// A row without figures.
    pub fn new(group: &str, name: &str) -> Self {
        Self {
            group: group.to_owned(),
            name: name.to_owned(),
            beside: name.to_owned(),
            kept: false,
            figures: BTreeMap::new(),
        }
    }

    /// Compared with another row.
    #[must_use]
    pub fn beside(mut self, name: &str) -> Self {
        name.clone_into(&mut self.beside);
        self
    }

    /// With one more figure.
    #[must_use]
    pub fn with(mut self, column: &str, figure: f64) -> Self {
        self.figures.insert(column.to_owned(), figure);
        self
    }

    /// `group/name`.
    pub fn id(&self) -> String {
        format!("{}/{}", self.group, self.name)
    }
}

/// Instructions of a call; exact for the same compiler and dependencies.
pub const INSTRUCTIONS: &str = "instructions";
/// Instructions more than the row it is compared with.
pub const OVER: &str = "over";
/// Heap allocations of a call; exact.
pub const ALLOCATIONS: &str = "allocations";
/// Bytes that they ask for; exact.
pub const BYTES: &str = "bytes";
/// The size of a call's future, in bytes; exact.
pub const FUTURE: &str = "future";
/// Round trips of a call on PostgreSQL; exact.
pub const TRIPS_POSTGRES: &str = "on postgres";
/// Round trips of a call on MariaDB; exact.
pub const TRIPS_MARIADB: &str = "on mariadb";
/// Nanoseconds of a call, the median of rounds; not to be compared between runs.
pub const NANOSECONDS: &str = "ns";
/// Wall time by that of the row it is compared with, the median of interleaved rounds.
pub const WALL: &str = "wall ratio";

/// The order in which columns are shown; others follow by name.
pub const ORDER: [&str; 9] = [
    INSTRUCTIONS,
    OVER,
    ALLOCATIONS,
    BYTES,
    FUTURE,
    TRIPS_POSTGRES,
    TRIPS_MARIADB,
    NANOSECONDS,
    WALL,
];
