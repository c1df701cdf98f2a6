//! `SQLite` prints names as they are: `UNIQUE constraint failed: t.a, t.b`. No value appears in
//! these texts, but names may hold dots, commas and quotes.

use super::super::ErrorReport;
use super::Identity;
use crate::fault::FaultKind as K;

/// For the violations, and for a value refused by a STRICT table.
pub(in super::super) fn sqlite(kind: K, code: u32, report: &ErrorReport<'_>) -> Identity {
    // A RAISE in a trigger says what it likes.
    if code == 1811 {
        return Identity::default();
    }
    let text = without_code(report.message, code);
    match kind {
        K::Unique => unique(text, report.table),
        K::NotNull => after(text, "NOT NULL constraint failed: ")
            .or_else(|| text.strip_suffix(" may not be NULL")) // before 3.8.2
            .map(|column| columns(column, report.table))
            .unwrap_or_default(),
        K::Check => check(text),
        K::InvalidValue if matches!(code, 19 | 3091) => text
            .strip_prefix("cannot store ")
            .and_then(|rest| after(rest, " column "))
            .map(|column| columns(column, report.table))
            .unwrap_or_default(),
        _ => Identity::default(),
    }
}

fn unique(text: &str, table: Option<&str>) -> Identity {
    if let Some(list) = after(text, "UNIQUE constraint failed: ") {
        // An index over an expression has no columns to print.
        return match super::between(list, "index '", "'") {
            Some(index) => Identity::constraint(Some(&index.replace("''", "'"))),
            None => columns(list, table),
        };
    }
    // Before 3.8.2.
    let names = super::between(text, "column ", " is not unique")
        .or_else(|| super::between(text, "columns ", " are not unique"));
    Identity {
        columns: names
            .map(|names| names.split(", ").map(str::to_owned).collect())
            .unwrap_or_default(),
        ..Identity::default()
    }
}

fn check(text: &str) -> Identity {
    if let Some(rest) = text.strip_prefix("rtree constraint failed: ") {
        return Identity::table(rest.split_once(".(").map(|(table, _)| table));
    }
    Identity::constraint(
        after(text, "CHECK constraint failed: ")
            .or_else(|| super::between(text, "constraint ", " failed")), // before 3.8.2
    )
}

/// Splits `table.column, table.column`, where either may contain dots and commas.
///
/// All columns are of one table, so with several of them the table is what they share. With
/// one, the last dot is the border: more columns than tables have no dot in their name.
fn columns(list: &str, table: Option<&str>) -> Identity {
    let pieces: Vec<&str> = list.split(", ").collect();
    let known = table.filter(|table| starts_column(list, table));
    let dots = || pieces[0].rmatch_indices('.').map(|(at, _)| &list[..at]);
    let shared = || dots().find(|table| pieces.iter().all(|p| starts_column(p, table)));
    let Some(table) = known.or_else(shared).or_else(|| dots().next()) else {
        return Identity::default();
    };
    let mut names: Vec<String> = Vec::new();
    for piece in pieces {
        match names.last_mut() {
            // A comma inside a column's name.
            Some(name) if !starts_column(piece, table) => {
                name.push_str(", ");
                name.push_str(piece);
            }
            _ => names.push(piece[table.len() + 1..].to_owned()),
        }
    }
    Identity {
        table: Some(table.to_owned()),
        columns: names,
        ..Identity::default()
    }
}

fn starts_column(piece: &str, table: &str) -> bool {
    piece
        .strip_prefix(table)
        .is_some_and(|column| column.starts_with('.'))
}

/// What follows the first occurrence: some drivers put words of their own in front.
fn after<'a>(text: &'a str, marker: &str) -> Option<&'a str> {
    text.split_once(marker).map(|(_, rest)| rest)
}

/// Without the code that some drivers append: `... (2067)`, `...: Error code 2067: ...`.
fn without_code(text: &str, code: u32) -> &str {
    let text = match text.rsplit_once(": Error code ") {
        Some((text, rest)) if starts_number(rest, code) => text,
        _ => text,
    };
    match text.rsplit_once(" (") {
        Some((before, rest)) if starts_number(rest, code) && rest.ends_with(')') => before,
        _ => text,
    }
}

fn starts_number(text: &str, number: u32) -> bool {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    text[..digits].parse() == Ok(number)
}
