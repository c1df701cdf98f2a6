//! The table of markers, as SQL text.

use std::{sync::OnceLock, time::Duration};

use resilient_core::{CommitToken, Effect, Fault, FaultKind};
use sea_orm::DbBackend;

/// The name of the table of markers, unless [`Builder::marker_table`](crate::Builder::marker_table)
/// says otherwise.
pub const MARKER_TABLE: &str = "resilient_commits";

/// A table of markers: tokens, and whether each is a fence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MarkerTable {
    schema: Option<String>,
    table: String,
    /// Where the table was found, if its schema is not named: marks and fences must mean the
    /// same one, whatever transactions do to `search_path`, or with `USE`.
    home: OnceLock<String>,
    /// Whether the server is a node of a Galera cluster.
    pub(crate) in_cluster: OnceLock<bool>,
}

impl Default for MarkerTable {
    fn default() -> Self {
        Self::named(MARKER_TABLE)
    }
}

impl MarkerTable {
    pub(crate) fn named(name: &str) -> Self {
        match name.split_once('.') {
            Some((schema, table)) => Self {
                schema: Some(schema.to_owned()),
                table: table.to_owned(),
                home: OnceLock::new(),
                in_cluster: OnceLock::new(),
            },
            None => Self {
                schema: None,
                table: name.to_owned(),
                home: OnceLock::new(),
                in_cluster: OnceLock::new(),
            },
        }
    }

    /// What asks where the table is, where that is to be found out.
    pub(crate) fn ask_home(&self, backend: DbBackend) -> Option<String> {
        if self.schema.is_some() || self.home.get().is_some() {
            return None;
        }
        match backend {
            DbBackend::Postgres => {
                let name = self.quoted(backend).replace('\'', "''");
                Some(format!(
                    "SELECT n.nspname::text AS home FROM pg_class c JOIN pg_namespace n \
                     ON n.oid=c.relnamespace WHERE c.oid=to_regclass('{name}')"
                ))
            }
            DbBackend::MySql => {
                let table = self.table.replace('\\', "\\\\").replace('\'', "''");
                Some(format!(
                    "SELECT table_schema AS home FROM information_schema.tables \
                     WHERE table_schema=DATABASE() AND table_name='{table}'"
                ))
            }
            _ => None,
        }
    }

    /// The table is there from now on.
    pub(crate) fn settle(&self, home: String) {
        // Who comes second has found the same, or keeps to the first.
        let _ = self.home.set(home);
    }

    /// What a refused marker or COMMIT means, and what to do about it.
    pub(crate) fn judge(&self, fault: Fault, backend: DbBackend) -> (Fault, Option<String>) {
        let ours = fault.table().is_none_or(|table| table == self.table);
        // PostgreSQL names the table, unless a trigger has made the error up.
        let named = fault.table().is_some() || backend != DbBackend::Postgres;
        match fault.kind() {
            FaultKind::UndefinedObject if ours => {
                let advice = format!(
                    "verified commits need the table {}: call ensure_marker_table() when the \
                     program starts, or add the migration CreateMarkerTable",
                    self.table
                );
                (fault, Some(advice))
            }
            FaultKind::Permission if ours => {
                let advice = format!(
                    "verified commits need the rights to INSERT, SELECT, UPDATE and DELETE in the \
                     table {}",
                    self.table
                );
                (fault, Some(advice))
            }
            // Of no other table's: deferred constraints name theirs, and MySQL has none.
            FaultKind::Unique if ours && named => {
                let fenced = Fault::new(FaultKind::SerializationFailure, Effect::Transaction);
                let advice = "somebody asked what became of this commit before it was sent, which \
                              settled that it never happens";
                (fenced, Some(advice.to_owned()))
            }
            _ => (fault, None),
        }
    }

    fn quoted(&self, backend: DbBackend) -> String {
        let quote = if backend == DbBackend::MySql {
            '`'
        } else {
            '"'
        };
        let quoted = |name: &str| {
            let doubled = name.replace(quote, &format!("{quote}{quote}"));
            format!("{quote}{doubled}{quote}")
        };
        match self.schema.as_ref().or(self.home.get()) {
            Some(schema) => format!("{}.{}", quoted(schema), quoted(&self.table)),
            None => quoted(&self.table),
        }
    }

    /// Makes the table if there is none.
    pub(crate) fn create(&self, backend: DbBackend) -> String {
        let (bytes, time, engine) = match backend {
            // Not the transaction's time, which may be long past.
            DbBackend::Postgres => (
                "bytea",
                "timestamptz NOT NULL DEFAULT clock_timestamp()",
                "",
            ),
            DbBackend::MySql => (
                "binary(16)",
                "timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP",
                " ENGINE=InnoDB",
            ),
            _ => (
                "blob",
                "text NOT NULL DEFAULT CURRENT_TIMESTAMP",
                " WITHOUT ROWID",
            ),
        };
        format!(
            "CREATE TABLE IF NOT EXISTS {} (token {bytes} NOT NULL PRIMARY KEY,\
             fenced boolean NOT NULL,created_at {time}){engine}",
            self.quoted(backend)
        )
    }

    #[cfg(feature = "migration")]
    pub(crate) fn drop_table(&self, backend: DbBackend) -> String {
        format!("DROP TABLE IF EXISTS {}", self.quoted(backend))
    }

    /// The row of a transaction that is about to commit.
    pub(crate) fn mark(&self, token: CommitToken, backend: DbBackend) -> String {
        self.insert(token, false, backend)
    }

    fn insert(&self, token: CommitToken, fenced: bool, backend: DbBackend) -> String {
        let fenced = if fenced { "TRUE" } else { "FALSE" };
        format!(
            "INSERT INTO {} (token,fenced) VALUES ({},{fenced})",
            self.quoted(backend),
            bytes(token, backend)
        )
    }

    /// The row of a fence, stored at once, unless a row is there; the last row of the answer
    /// says 1 if the row that stands is a fence. A COMMIT that fails, as it may in a cluster, fails
    /// all of it.
    pub(crate) fn fence(&self, token: CommitToken, backend: DbBackend) -> String {
        let insert = self.insert(token, true, backend);
        match backend {
            // Whatever the session's defaults are: it must write, and must see what was
            // committed while it waited.
            DbBackend::Postgres => format!(
                "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;{insert} \
                 ON CONFLICT (token) DO UPDATE SET token=EXCLUDED.token \
                 RETURNING CASE WHEN fenced THEN 1::bigint ELSE 0::bigint END;COMMIT"
            ),
            // Its snapshot is made by the SELECT, after the wait.
            DbBackend::MySql => format!(
                "START TRANSACTION READ WRITE;{insert} ON DUPLICATE KEY UPDATE fenced=fenced;\
                 SELECT CAST(fenced AS SIGNED) FROM {} WHERE token={};COMMIT",
                self.quoted(backend),
                bytes(token, backend)
            ),
            _ => format!(
                "BEGIN IMMEDIATE;{insert} ON CONFLICT (token) DO UPDATE SET token=excluded.token \
                 RETURNING fenced;COMMIT"
            ),
        }
    }

    /// Deletes at most `most` rows that are older than `age`, by the clock of this machine, which
    /// finds them in the order of the key, and by the server's, which has the last word: with a
    /// wrong clock here, a marker that is still asked for would be gone.
    pub(crate) fn delete_older(&self, age: Duration, most: u32, backend: DbBackend) -> String {
        let ms = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        let bound = bytes(CommitToken::bound(ms), backend);
        let (table, seconds) = (self.quoted(backend), age.as_secs());
        let old = match backend {
            DbBackend::MySql => {
                format!("UNIX_TIMESTAMP(created_at)<UNIX_TIMESTAMP()-{seconds}")
            }
            DbBackend::Postgres => {
                format!("created_at<clock_timestamp()-{seconds}*interval '1 second'")
            }
            _ => format!("created_at<datetime('now','-{seconds} seconds')"),
        };
        let old = format!("token<{bound} AND {old} ORDER BY token LIMIT {most}");
        match backend {
            DbBackend::MySql => format!("DELETE FROM {table} WHERE {old}"),
            DbBackend::Postgres => format!(
                "DELETE FROM {table} WHERE token IN \
                 (SELECT token FROM {table} WHERE {old} FOR UPDATE SKIP LOCKED)"
            ),
            _ => format!(
                "DELETE FROM {table} WHERE token IN (SELECT token FROM {table} WHERE {old})"
            ),
        }
    }
}

/// A token as a literal. PostgreSQL reads `'\x…'` in two ways, by a setting; this in one.
fn bytes(token: CommitToken, backend: DbBackend) -> String {
    match backend {
        DbBackend::Postgres => format!("decode('{token}','hex')"),
        _ => format!("X'{token}'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_and_schemas_told_apart() {
        let plain = MarkerTable::default().create(DbBackend::Postgres);
        assert!(plain.contains("EXISTS \"resilient_commits\" ("), "{plain}");
        let named = MarkerTable::named("bank.my`marks").create(DbBackend::MySql);
        assert!(named.contains("EXISTS `bank`.`my``marks` ("), "{named}");
    }
}
