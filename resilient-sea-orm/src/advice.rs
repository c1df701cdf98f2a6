//! What to say where a pool has no connection to give.

use std::fmt::Write as _;

use resilient_core::{
    DriverError, Failure, FaultKind,
    driver::{Context, Database},
    health::PoolGauge,
    scope::{held_by_task, write_lock_held_by_task},
};
use sea_orm::{DatabaseConnection, DatabaseConnectionType, DbBackend};

use crate::pool::Pool;

/// How full the pool is, where there is one.
pub(crate) fn gauge(pool: &Pool) -> Option<PoolGauge> {
    gauge_of(&pool.connection, pool.health.hooks)
}

/// The same of a connection alone. `hooks` says whether its pool asks us before it hands a
/// connection out.
pub(crate) fn gauge_of(connection: &DatabaseConnection, hooks: bool) -> Option<PoolGauge> {
    #[allow(unused_macros)]
    macro_rules! state {
        ($pool:expr) => {{
            let pool = $pool;
            Some(PoolGauge {
                max: pool.options().get_max_connections(),
                open: pool.size(),
                idle: u32::try_from(pool.num_idle()).unwrap_or(u32::MAX),
                acquire_timeout: pool.options().get_acquire_timeout(),
                hooks,
            })
        }};
    }
    match &connection.inner {
        #[cfg(feature = "sqlx-postgres")]
        DatabaseConnectionType::SqlxPostgresPoolConnection(_) => {
            state!(connection.get_postgres_connection_pool())
        }
        #[cfg(feature = "sqlx-mysql")]
        DatabaseConnectionType::SqlxMySqlPoolConnection(_) => {
            state!(connection.get_mysql_connection_pool())
        }
        #[cfg(feature = "sqlx-sqlite")]
        DatabaseConnectionType::SqlxSqlitePoolConnection(_) => {
            state!(connection.get_sqlite_connection_pool())
        }
        _ => None,
    }
}

/// How many connections the pool keeps open; 0 where there is none.
pub(crate) fn min_connections(pool: &Pool) -> u32 {
    match &pool.connection.inner {
        #[cfg(feature = "sqlx-postgres")]
        DatabaseConnectionType::SqlxPostgresPoolConnection(_) => {
            let pool = pool.connection.get_postgres_connection_pool();
            pool.options().get_min_connections()
        }
        #[cfg(feature = "sqlx-mysql")]
        DatabaseConnectionType::SqlxMySqlPoolConnection(_) => {
            let pool = pool.connection.get_mysql_connection_pool();
            pool.options().get_min_connections()
        }
        #[cfg(feature = "sqlx-sqlite")]
        DatabaseConnectionType::SqlxSqlitePoolConnection(_) => {
            let pool = pool.connection.get_sqlite_connection_pool();
            pool.options().get_min_connections()
        }
        _ => 0,
    }
}

/// Whether the pool was closed.
pub(crate) fn is_closed(pool: &Pool) -> bool {
    match &pool.connection.inner {
        #[cfg(feature = "sqlx-postgres")]
        DatabaseConnectionType::SqlxPostgresPoolConnection(_) => {
            pool.connection.get_postgres_connection_pool().is_closed()
        }
        #[cfg(feature = "sqlx-mysql")]
        DatabaseConnectionType::SqlxMySqlPoolConnection(_) => {
            pool.connection.get_mysql_connection_pool().is_closed()
        }
        #[cfg(feature = "sqlx-sqlite")]
        DatabaseConnectionType::SqlxSqlitePoolConnection(_) => {
            pool.connection.get_sqlite_connection_pool().is_closed()
        }
        _ => false,
    }
}

/// Refuses at once what could only wait for itself: the callers of this very task already hold
/// every connection that the pool may have.
pub(crate) fn check_room(pool: &Pool) -> Result<(), Failure> {
    let held = held_by_task(pool);
    let full = |gauge: &PoolGauge| held > 0 && held >= gauge.max;
    let Some(PoolGauge { max, .. }) = gauge(pool).filter(full) else {
        return Ok(());
    };
    Err(Failure::misuse(format!(
        "the callers of this method hold {held} of {max} connections, and another transaction \
         of its own (propagation \"requires_new\", or begin() outside of their scope) needs one \
         more: raise max_connections above the nesting depth"
    ))
    .of_kind(FaultKind::PoolTimeout))
}

/// The same for SQLite's one write lock, which a caller of this very task holds until after this
/// has ended.
pub(crate) fn check_write_lock(pool: &Pool, wanted: bool) -> Result<(), Failure> {
    let sqlite = || pool.connection.get_database_backend() == DbBackend::Sqlite;
    // A disconnected one, which has no backend, is held by nobody.
    if !(wanted && write_lock_held_by_task(pool) && sqlite()) {
        return Ok(());
    }
    Err(Failure::misuse(
        "the caller's transaction holds SQLite's only write lock until this call has ended, so a \
         write on a second connection would wait for itself: use propagation \"nested\" or \
         \"required\", make one of the two read_only, or call it after the transaction",
    )
    .of_kind(FaultKind::LockTimeout))
}

/// Why the wait for a connection was in vain.
pub(crate) fn pool_exhausted(pool: &Pool) -> String {
    let held = held_by_task(pool);
    let context: &Context = pool.context();
    let mut text = match gauge(pool) {
        Some(gauge) => format!(
            "no connection of {:?} became free within {:.1} s ({} of {} in use)",
            context.name(),
            gauge.acquire_timeout.as_secs_f64(),
            gauge.in_use(),
            gauge.max,
        ),
        None => format!("no connection of {:?} became free in time", context.name()),
    };
    if held > 0 {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "; the callers of this method hold {held} of them, and a transaction of its own \
             needs one more"
        );
    }
    pool.health.tell_leaks(context.name());
    let longest = pool.health.connections.longest_held();
    if let Some(longest) = longest.filter(|held| held.suspected_leak) {
        let _ = write!(text, "; {}, perhaps for ever", longest.held_text());
    }
    text.push_str("; raise max_connections or hold transactions for a shorter time");
    text
}

/// What to say if the pool had room for one more connection: then it was not the pool that the
/// wait was for, but a server that let nobody in.
pub(crate) fn unreachable(pool: &Pool) -> Option<String> {
    let gauge = gauge(pool).filter(|gauge| gauge.open < gauge.max)?;
    let timeout = gauge.acquire_timeout.as_secs_f64();
    let name = pool.context().name();
    Some(format!(
        "the server of {name:?} let no connection in within {timeout:.1} s"
    ))
}

/// What to say to a statement's failure that has a cause outside of the statement.
pub(crate) fn on_statement(error: DriverError) -> DriverError {
    // PostgreSQL's: there is a prepared statement of that name already, or none.
    let mixed = matches!(error.fault.code(), "42P05" | "26000");
    if mixed && error.fault.kind() == FaultKind::StalePlan {
        error.with_advice(
            "a pooler such as PgBouncer seems to give the server's sessions to others between \
             transactions, which prepared statements do not survive: use PgBouncer 1.21 or later \
             with max_prepared_statements, or pool_mode = session, or add \
             statement-cache-capacity=0 to the connection's URL",
        )
    } else {
        error
    }
}
