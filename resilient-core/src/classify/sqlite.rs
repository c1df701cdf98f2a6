//! The table of result codes: sqlite.org/rescode.html. The low byte is the primary code, the
//! rest refines it; whoever has not enabled extended codes reports the primary one alone.

use super::identity::{self, Identity};
use super::{ErrorReport, Phase, Verdict};
use crate::fault::FaultKind as K;

/// Verdict and identity.
pub(super) fn classify(report: &ErrorReport<'_>) -> (Verdict, Identity) {
    let Ok(code) = report.code.parse::<u32>() else {
        return (Verdict::statement(K::Other), Identity::default());
    };
    let verdict = verdict(code, report);
    (verdict, identity::sqlite(verdict.kind, code, report))
}

/// The table. `SQLite` undoes the statement and keeps the transaction open, also when COMMIT
/// fails (BUSY, a deferred foreign key): that COMMIT can be repeated. The codes on which it may
/// roll everything back by itself count as having done so, unless
/// [`transaction_open`](ErrorReport::transaction_open) says otherwise.
#[expect(
    clippy::match_same_arms,
    reason = "a table by meaning, with a reason on each line"
)]
fn verdict(code: u32, report: &ErrorReport<'_>) -> Verdict {
    let kind = match code {
        // 19 CONSTRAINT and its refinements.
        1555 | 2067 | 2579 => K::Unique, // primary key, unique, rowid
        787 => K::ForeignKey,
        1299 => K::NotNull,
        275 => K::Check,
        3091 => K::InvalidValue, // STRICT table: wrong type
        531 => return Verdict::transaction(K::Other), // a commit hook turned COMMIT down
        // 1811 is any RAISE() in a trigger, and the triggers behind RESTRICT and DROP TABLE.
        1811 if report.message.starts_with("FOREIGN KEY constraint failed") => K::ForeignKey,
        19 => return Verdict::statement(bare_constraint(report.message)),

        // 5 BUSY and 6 LOCKED.
        517 => K::SerializationFailure, // BUSY_SNAPSHOT: only a new transaction can write

        // 10 IOERR, refined; 7 and 10 leave open how far the rollback went.
        3082 => return Verdict::transaction(K::ResourceExhausted), // IOERR_NOMEM
        8202 | 8458 => return Verdict::transaction(K::Corruption), // IOERR_DATA, CORRUPTFS

        // 1 ERROR, refined.
        257 => K::UndefinedObject,      // a collation
        513 => K::StalePlan,            // to be prepared again
        769 => K::SerializationFailure, // ERROR_SNAPSHOT: the snapshot is no longer there

        516 => return Verdict::transaction(K::Other), // ABORT_ROLLBACK, by another statement

        _ => match code & 0xff {
            1 if report.phase == Phase::Commit && report.message.starts_with("cannot commit") => {
                // The transaction had already rolled itself back.
                return Verdict::transaction(K::PendingRollback);
            }
            1 => generic_error(report.message),
            2 | 12 | 21 | 25 => K::Internal, // INTERNAL, NOTFOUND, MISUSE, RANGE
            3 | 23 => K::Permission,         // PERM, AUTH
            5 | 6 | 15 => K::LockTimeout,    // BUSY, LOCKED, PROTOCOL
            7 => return Verdict::transaction(K::ResourceExhausted), // NOMEM
            8 => K::ReadOnly,
            9 => return Verdict::transaction(K::StatementTimeout), // INTERRUPT
            10 => return Verdict::transaction(K::Internal),        // IOERR
            11 | 24 => K::Corruption,                              // CORRUPT, FORMAT
            13 => return Verdict::transaction(K::DiskFull),        // FULL
            14 => return Verdict::session(K::ServerUnavailable),   // CANTOPEN
            26 => return Verdict::session(K::Corruption), // NOTADB: not a file to work with
            17 => K::StalePlan,                           // SCHEMA
            18 => K::DataTooLong,                         // TOOBIG
            20 => K::InvalidValue,                        // MISMATCH: not an integer for a rowid
            // 4 ABORT, 19 from functions, hooks and virtual tables, 22 NOLFS, 27 and 28 for
            // the log, and what a later version may add.
            _ => K::Other,
        },
    };
    Verdict::statement(kind)
}

/// 19 without a refinement: extended codes are off, a virtual table refused, or the library is
/// older than 3.8.2. Only the fixed beginning or end of the text tells.
fn bare_constraint(text: &str) -> K {
    let starts = |start| text.starts_with(start);
    if starts("UNIQUE constraint failed")
        || text.ends_with(" is not unique")
        || text.ends_with(" are not unique")
        || text == "PRIMARY KEY must be unique"
    {
        K::Unique
    } else if starts("FOREIGN KEY constraint failed") || text == "foreign key constraint failed" {
        K::ForeignKey
    } else if starts("NOT NULL constraint failed") || text.ends_with(" may not be NULL") {
        K::NotNull
    } else if starts("CHECK constraint failed")
        || starts("rtree constraint failed")
        || (starts("constraint ") && text.ends_with(" failed") && text.len() > 18)
    {
        K::Check
    } else if starts("datatype mismatch") || starts("cannot store ") {
        K::InvalidValue
    } else {
        K::Other
    }
}

/// 1 ERROR: everything that has no code of its own. Its texts are never translated.
fn generic_error(text: &str) -> K {
    let starts = |list: &[&str]| list.iter().any(|start| text.starts_with(start));
    let ends = |list: &[&str]| list.iter().any(|end| text.ends_with(end));
    if starts(&["no such ", "unknown database"]) || text.contains(" has no column named ") {
        K::UndefinedObject
    } else if text == "not authorized" || ends(&["is prohibited"]) {
        K::Permission
    } else if text == "integer overflow" {
        K::NumericOutOfRange
    } else if starts(&[
        "malformed JSON",
        "JSON path error",
        "bad JSON path",
        "JSON cannot",
    ]) {
        K::InvalidValue
    } else if starts(&[
        "Expression tree is too large",
        "too many ",
        "parser stack overflow",
        "LIKE or GLOB pattern too complex",
        "at most ",
    ]) {
        K::ResourceExhausted
    } else if ends(&[
        ": syntax error",
        "because it is a view",
        " values were supplied",
        "may not be modified",
    ]) || starts(&[
        "incomplete input",
        "unrecognized token",
        "unterminated string",
        "ambiguous column name",
        "misuse of ",
        "row value misused",
        "wrong number of arguments to function",
        "sub-select returns",
        "cannot INSERT into generated column",
        "cannot UPDATE generated column",
        "Cannot add a ",
        "ON CONFLICT clause does not match",
        "ESCAPE expression must be",
        "a GROUP BY clause is required",
        "HAVING clause on a non-aggregate",
        "aggregate functions are not allowed",
        "a JOIN clause is required",
        "cannot join using column",
        "AUTOINCREMENT is only allowed",
        "RAISE() may only be used",
    ]) || values_for_columns(text)
    {
        K::Syntax
    } else {
        // Objects that exist already, BEGIN and COMMIT out of place, foreign key mismatches,
        // and whatever a user's function says.
        K::Other
    }
}

/// `2 values for 1 columns`.
fn values_for_columns(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
        && text.contains(" values for ")
        && text.ends_with(" columns")
}
