//! What an engine typically says for a kind of fault: for tests that need such an error. The
//! verdict on it comes from the tables, as on any other.

use super::{Backend, ErrorReport};
use crate::fault::FaultKind as K;

impl ErrorReport<'static> {
    /// The error that `backend` most often reports for `kind`: its code, its English text, and
    /// what else the verdict depends on. `None` where the engine has no such error, or where no
    /// server sends it (`pool_timeout`, `commit_unknown`).
    ///
    /// [`classify`](Self::classify) answers `kind` for it, except that `MySQL` and `SQLite` have
    /// one number for both directions of a foreign key, so that their `restrict` reads
    /// `foreign_key` there; [`is_still_referenced`](Self::is_still_referenced) tells.
    ///
    /// ```
    /// use resilient_core::FaultKind;
    /// use resilient_core::classify::{Backend, ErrorReport};
    ///
    /// let report = ErrorReport::example(Backend::MySql, FaultKind::Deadlock).unwrap();
    /// assert_eq!(report.code(), "1213");
    /// assert_eq!(report.classify().kind(), FaultKind::Deadlock);
    /// assert!(ErrorReport::example(Backend::Sqlite, FaultKind::Deadlock).is_none());
    /// ```
    pub fn example(backend: Backend, kind: K) -> Option<Self> {
        let (code, message) = match backend {
            Backend::Postgres => postgres(kind),
            Backend::MySql => mysql(kind),
            Backend::Sqlite => sqlite(kind),
        }?;
        let report = Self::new(backend, code, message);
        Some(match (backend, code) {
            (Backend::MySql, "4025" | "1062" | "1451" | "1452" | "1048") => {
                report.sqlstate("23000")
            }
            (Backend::MySql, "1213") => report.sqlstate("40001"),
            _ => report,
        })
    }
}

fn postgres(kind: K) -> Option<(&'static str, &'static str)> {
    Some(match kind {
        K::Deadlock => ("40P01", "deadlock detected"),
        K::SerializationFailure => (
            "40001",
            "could not serialize access due to concurrent update",
        ),
        K::LockTimeout => ("55P03", "canceling statement due to lock timeout"),
        K::StatementTimeout => ("57014", "canceling statement due to statement timeout"),
        K::ConnectionLost => (
            "57P01",
            "terminating connection due to administrator command",
        ),
        K::ServerUnavailable => ("57P03", "the database system is shutting down"),
        K::TooManyConnections => ("53300", "sorry, too many clients already"),
        K::SessionExpired => (
            "25P03",
            "terminating connection due to idle-in-transaction timeout",
        ),
        K::PendingRollback => (
            "25P02",
            "current transaction is aborted, commands ignored until end of transaction block",
        ),
        K::ReadOnly => ("25006", "cannot execute UPDATE in a read-only transaction"),
        K::StalePlan => ("26000", "prepared statement does not exist"),
        K::Unique => ("23505", "duplicate key value violates unique constraint"),
        K::ForeignKey => ("23503", "violates foreign key constraint"),
        K::NotNull => ("23502", "null value violates not-null constraint"),
        K::Check => ("23514", "new row violates check constraint"),
        K::Exclusion => (
            "23P01",
            "conflicting key value violates exclusion constraint",
        ),
        K::Restrict => (
            "23001",
            "violates RESTRICT setting of foreign key constraint",
        ),
        K::DataTooLong => ("22001", "value too long for type character varying"),
        K::NumericOutOfRange => ("22003", "integer out of range"),
        K::InvalidValue => ("22P02", "invalid input syntax"),
        K::UndefinedObject => ("42P01", "relation does not exist"),
        K::Syntax => ("42601", "syntax error"),
        K::Permission => ("42501", "permission denied"),
        K::Authentication => ("28P01", "password authentication failed"),
        K::ResourceExhausted => ("53200", "out of memory"),
        K::DiskFull => ("53100", "could not extend file: No space left on device"),
        K::Corruption => ("XX001", "invalid page in block"),
        K::Internal => ("XX000", "cache lookup failed"),
        K::Other => ("55000", "object not in prerequisite state"),
        K::PoolTimeout | K::CommitUnknown => return None,
    })
}

fn mysql(kind: K) -> Option<(&'static str, &'static str)> {
    Some(match kind {
        K::Deadlock => (
            "1213",
            "Deadlock found when trying to get lock; try restarting transaction",
        ),
        K::SerializationFailure => ("1020", "Record has changed since last read in table"),
        K::LockTimeout => (
            "1205",
            "Lock wait timeout exceeded; try restarting transaction",
        ),
        K::StatementTimeout => ("1317", "Query execution was interrupted"),
        K::ConnectionLost => ("1927", "Connection was killed"),
        K::ServerUnavailable => (
            "1047",
            "WSREP has not yet prepared node for application use",
        ),
        K::TooManyConnections => ("1040", "Too many connections"),
        K::SessionExpired => (
            "4031",
            "The client was disconnected by the server because of inactivity.",
        ),
        K::ReadOnly => (
            "1792",
            "Cannot execute statement in a READ ONLY transaction",
        ),
        K::StalePlan => ("1615", "Prepared statement needs to be re-prepared"),
        K::Unique => ("1062", "Duplicate entry"),
        K::ForeignKey => (
            "1452",
            "Cannot add or update a child row: a foreign key constraint fails",
        ),
        K::NotNull => ("1048", "Column cannot be null"),
        K::Check => ("4025", "CONSTRAINT failed"),
        K::Restrict => (
            "1451",
            "Cannot delete or update a parent row: a foreign key constraint fails",
        ),
        K::DataTooLong => ("1406", "Data too long for column"),
        K::NumericOutOfRange => ("1264", "Out of range value for column"),
        K::InvalidValue => ("1366", "Incorrect value for column"),
        K::UndefinedObject => ("1146", "Table doesn't exist"),
        K::Syntax => ("1064", "You have an error in your SQL syntax"),
        K::Permission => ("1142", "command denied to user"),
        K::Authentication => ("1045", "Access denied for user"),
        K::ResourceExhausted => ("1041", "Out of memory."),
        K::DiskFull => (
            "1021",
            "Disk full; waiting for someone to free some space...",
        ),
        K::Corruption => ("1034", "Index for table is corrupt; try to repair it"),
        K::Internal => ("1815", "Internal error"),
        K::Other => ("1644", "Unhandled user-defined exception condition"),
        K::PendingRollback | K::Exclusion | K::PoolTimeout | K::CommitUnknown => return None,
    })
}

fn sqlite(kind: K) -> Option<(&'static str, &'static str)> {
    Some(match kind {
        // BUSY_SNAPSHOT.
        K::SerializationFailure => ("517", "database is locked"),
        K::LockTimeout => ("5", "database is locked"),
        K::StatementTimeout => ("9", "interrupted"),
        K::ServerUnavailable => ("14", "unable to open database file"),
        K::ReadOnly => ("8", "attempt to write a readonly database"),
        K::StalePlan => ("17", "database schema has changed"),
        K::Unique => ("2067", "UNIQUE constraint failed"),
        K::ForeignKey => ("787", "FOREIGN KEY constraint failed"),
        K::NotNull => ("1299", "NOT NULL constraint failed"),
        K::Check => ("275", "CHECK constraint failed"),
        K::Restrict => ("1811", "FOREIGN KEY constraint failed"),
        K::DataTooLong => ("18", "string or blob too big"),
        K::NumericOutOfRange => ("1", "integer overflow"),
        K::InvalidValue => ("20", "datatype mismatch"),
        K::UndefinedObject => ("1", "no such table"),
        K::Syntax => ("1", "incomplete input"),
        K::Permission => ("23", "not authorized"),
        K::ResourceExhausted => ("7", "out of memory"),
        K::DiskFull => ("13", "database or disk is full"),
        K::Corruption => ("11", "database disk image is malformed"),
        K::Internal => ("10", "disk I/O error"),
        K::Other => ("4", "query aborted"),
        K::Deadlock
        | K::ConnectionLost
        | K::TooManyConnections
        | K::SessionExpired
        | K::PendingRollback
        | K::Exclusion
        | K::Authentication
        | K::PoolTimeout
        | K::CommitUnknown => return None,
    })
}

#[cfg(test)]
mod tests {
    use strum::VariantArray;

    use super::*;

    #[test]
    fn the_tables_read_every_example_as_what_it_stands_for() {
        for backend in Backend::VARIANTS {
            for kind in K::ALL {
                let Some(report) = ErrorReport::example(*backend, *kind) else {
                    continue;
                };
                let read = report.classify().kind();
                let direction = (*kind, read) == (K::Restrict, K::ForeignKey);
                assert!(
                    read == *kind || direction,
                    "{backend} {}: {read}, not {kind}",
                    report.code()
                );
                // In a text of SQL it stands between quotes.
                let (code, text) = (report.code(), report.message());
                assert!(!text.contains('\\') && code.is_ascii(), "{text}");
                assert!(text.len() < 128, "more than SIGNAL takes: {text}");
            }
        }
    }
}
