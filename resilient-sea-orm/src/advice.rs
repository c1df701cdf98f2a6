//! What to say where a pool has no connection to give.

use std::fmt::Write as _;

use resilient_core::{
    Failure, FaultKind,
    driver::{Context, Database},
    scope::{held_by_task, write_lock_held_by_task},
};
use sea_orm::{DatabaseConnectionType, DbBackend};

use crate::pool::Pool;

/// Size, idle connections and acquire timeout in seconds, where there is a pool.
fn pool_state(pool: &Pool) -> Option<(u32, u32, usize, f64)> {
    #[allow(unused_macros)]
    macro_rules! state {
        ($pool:expr) => {{
            let pool = $pool;
            Some((
                pool.options().get_max_connections(),
                pool.size(),
                pool.num_idle(),
                pool.options().get_acquire_timeout().as_secs_f64(),
            ))
        }};
    }
    match &pool.connection.inner {
        #[cfg(feature = "sqlx-postgres")]
        DatabaseConnectionType::SqlxPostgresPoolConnection(_) => {
            state!(pool.connection.get_postgres_connection_pool())
        }
        #[cfg(feature = "sqlx-mysql")]
        DatabaseConnectionType::SqlxMySqlPoolConnection(_) => {
            state!(pool.connection.get_mysql_connection_pool())
        }
        #[cfg(feature = "sqlx-sqlite")]
        DatabaseConnectionType::SqlxSqlitePoolConnection(_) => {
            state!(pool.connection.get_sqlite_connection_pool())
        }
        _ => None,
    }
}

/// Refuses at once what could only wait for itself: the callers of this very task already hold
/// every connection that the pool may have.
pub(crate) fn check_room(pool: &Pool) -> Result<(), Failure> {
    let held = held_by_task(pool);
    let Some((max, ..)) = pool_state(pool).filter(|(max, ..)| held > 0 && held >= *max) else {
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
    let mut text = match pool_state(pool) {
        Some((max, size, idle, timeout)) => format!(
            "no connection of {:?} became free within {timeout:.1} s ({} of {max} in use)",
            context.name(),
            size as usize - idle.min(size as usize),
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
    text.push_str("; raise max_connections or hold transactions for a shorter time");
    text
}

/// What to say if the pool had room for one more connection: then it was not the pool that the
/// wait was for, but a server that let nobody in.
pub(crate) fn unreachable(pool: &Pool) -> Option<String> {
    let (_, _, _, timeout) = pool_state(pool).filter(|(max, size, ..)| size < max)?;
    let name = pool.context().name();
    Some(format!(
        "the server of {name:?} let no connection in within {timeout:.1} s"
    ))
}
