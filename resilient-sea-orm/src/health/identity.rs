//! Tells pooled connections apart.
//!
//! sqlx gives connections no identity, and moves them about. What stays at its place is what
//! they point to. On PostgreSQL and MySQL that is the description of a prepared statement in the
//! connection's own cache: preparing a statement that is in the cache sends nothing and returns
//! the description that is there. The statement is the one that asks for the server's number of
//! the session. On SQLite it is the database handle.

use std::future::Future;

use crate::giveback::Engine;

/// How an engine's connections are told apart.
pub(crate) trait Known: Engine {
    /// Keeps the key from being given to another connection.
    type Anchor: Send + Sync + 'static;

    /// Whether a connection may be used on after one of these was dropped.
    const CANCEL_SAFE: bool;

    /// The connection's key. Costs a round trip the first time. `None` if it has none: its
    /// statement cache is off, as it is behind some poolers.
    fn key(
        conn: &mut Self::Connection,
    ) -> impl Future<Output = Result<Option<(usize, Self::Anchor)>, sqlx::Error>> + Send;

    /// The server's number for the session.
    fn server_pid(
        conn: &mut Self::Connection,
    ) -> impl Future<Output = Result<Option<u64>, sqlx::Error>> + Send;
}

#[cfg(any(feature = "sqlx-postgres", feature = "sqlx-mysql"))]
macro_rules! by_statement {
    ($engine:ty, $statement:ty, $sql:literal, $number:ty) => {
        impl Known for $engine {
            type Anchor = $statement;
            const CANCEL_SAFE: bool = false;

            async fn key(
                conn: &mut Self::Connection,
            ) -> Result<Option<(usize, Self::Anchor)>, sqlx::Error> {
                use sqlx::{Connection, Executor, SqlSafeStr, Statement};
                let statement = (&mut *conn).prepare($sql.into_sql_str()).await?;
                let key = statement.columns().as_ptr().addr();
                Ok((conn.cached_statements_size() > 0).then_some((key, statement)))
            }

            async fn server_pid(conn: &mut Self::Connection) -> Result<Option<u64>, sqlx::Error> {
                let number: $number = sqlx::query_scalar($sql).fetch_one(conn).await?;
                Ok(u64::try_from(number).ok())
            }
        }
    };
}

#[cfg(feature = "sqlx-postgres")]
by_statement!(
    sqlx::Postgres,
    sqlx::postgres::PgStatement,
    "SELECT pg_backend_pid()",
    i32
);

#[cfg(feature = "sqlx-mysql")]
by_statement!(
    sqlx::MySql,
    sqlx::mysql::MySqlStatement,
    "SELECT CAST(CONNECTION_ID() AS UNSIGNED)",
    u64
);

#[cfg(feature = "sqlx-sqlite")]
impl Known for sqlx::Sqlite {
    /// An address may come again after its connection was closed by others; then the new one
    /// counts as old, and is at worst replaced early.
    type Anchor = ();
    const CANCEL_SAFE: bool = true;

    async fn key(
        conn: &mut Self::Connection,
    ) -> Result<Option<(usize, Self::Anchor)>, sqlx::Error> {
        let mut handle = conn.lock_handle().await?;
        Ok(Some((handle.as_raw_handle().addr().get(), ())))
    }

    async fn server_pid(_: &mut Self::Connection) -> Result<Option<u64>, sqlx::Error> {
        Ok(None)
    }
}
