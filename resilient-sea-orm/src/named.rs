//! Whether statements are prepared under names.

/// Whether a connection keeps prepared statements under names.
///
/// A PostgreSQL connection whose cache is off would name them all the same, and leave them behind
/// in a session that a pooler then gives to somebody else. Where the cache is on, the statement
/// that tells connections apart is in it.
pub(crate) trait Remembers {
    fn remembers(&self) -> bool {
        true
    }
}

#[cfg(feature = "sqlx-postgres")]
impl Remembers for sqlx::PgConnection {
    fn remembers(&self) -> bool {
        sqlx::Connection::cached_statements_size(self) > 0
    }
}

#[cfg(feature = "sqlx-mysql")]
impl Remembers for sqlx::MySqlConnection {}

#[cfg(feature = "sqlx-sqlite")]
impl Remembers for sqlx::SqliteConnection {}
