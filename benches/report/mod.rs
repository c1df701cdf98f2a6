//! From rows to what people and programs read.

pub mod baseline;
pub mod plot;
pub mod table;

use std::{fs, path::Path, process::Command};

use serde::{Deserialize, Serialize};

use crate::{Result, Row};

/// What one run has measured.
#[derive(Debug, Deserialize, Serialize)]
pub struct Report {
    /// The compiler, by `rustc --version`.
    pub rustc: String,
    /// How many processors the machine has.
    pub processors: usize,
    /// All rows, by group.
    pub rows: Vec<Row>,
}

impl Report {
    /// A report of these rows, made here and now.
    pub fn new(rows: Vec<Row>) -> Self {
        Self {
            rustc: rustc(),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            rows,
        }
    }

    /// Writes it as JSON.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: &Path) -> Result {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, serde_json::to_string_pretty(self)? + "\n")?;
        Ok(())
    }

    /// The groups, in the order of their first rows.
    pub fn groups(&self) -> Vec<&str> {
        let mut groups: Vec<&str> = Vec::new();
        for row in &self.rows {
            if !groups.contains(&row.group.as_str()) {
                groups.push(&row.group);
            }
        }
        groups
    }

    /// The rows of a group.
    pub fn of<'a>(&'a self, group: &'a str) -> impl Iterator<Item = &'a Row> {
        self.rows.iter().filter(move |row| row.group == group)
    }
}

/// The compiler that builds what is measured, without its commit.
pub fn rustc() -> String {
    let output = Command::new("rustc").arg("--version").output();
    let version = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let version = version.unwrap_or_default();
    let words: Vec<_> = version.split_whitespace().take(2).collect();
    words.join(" ")
}
