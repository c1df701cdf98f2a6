//! How connections go back to their pool.

use std::time::Duration;

use resilient_core::{
    DriverError,
    driver::{Control, Disposal},
    turns::HeldTurns,
};
use sea_orm::DbBackend;

use crate::{commit::MarkerTable, control::Restore, session::sqlx_control};

/// How long a rollback in the background may take before the connection is closed instead.
const CLEAN_UP_LIMIT: Duration = Duration::from_secs(5);

/// Gives a connection back: as it is, after a rollback in the background, or closed. `close` is
/// for one that is in order but has served its time. `turns` are over when its transaction is.
pub(crate) fn dispose<DB: Engine>(
    mut conn: sqlx::pool::PoolConnection<DB>,
    how: Disposal,
    close: bool,
    roll_back: bool,
    mut restore: Restore,
    turns: Option<HeldTurns>,
) where
    for<'c> &'c mut DB::Connection: sqlx::Executor<'c, Database = DB>,
{
    let Ok(runtime) = tokio::runtime::Handle::try_current() else {
        // The runtime is gone, and sqlx needs it even to take a connection back.
        drop(conn.detach());
        return;
    };
    if roll_back {
        runtime.spawn(async move {
            let rolled_back = async {
                let steps = [Control::Rollback];
                let backend = DB::BACKEND;
                let markers = MarkerTable::default();
                sqlx_control::<DB>(&mut conn, &steps, backend, &markers, &mut restore, false).await
            };
            match tokio::time::timeout(CLEAN_UP_LIMIT, rolled_back).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) if DB::no_transaction(&error) => {}
                // What cannot be rolled back ends with the connection.
                Ok(Err(_)) | Err(_) => {
                    let _ = tokio::time::timeout(CLEAN_UP_LIMIT, conn.close()).await;
                }
            }
            drop(turns);
        });
        return;
    }
    if close || how == Disposal::Discard {
        conn.close_on_drop();
        return;
    }
    // The pool tests the connection before it takes it back, and has no limit for that: behind
    // a network that has fallen silent the slot would be lost.
    runtime.spawn(async move {
        let _ = tokio::time::timeout(CLEAN_UP_LIMIT, conn.return_to_pool()).await;
    });
}

/// What differs between engines when a connection is given back.
pub(crate) trait Engine: sqlx::Database {
    const BACKEND: DbBackend;

    /// Whether a rollback failed only because there was nothing to roll back.
    fn no_transaction(_error: &DriverError) -> bool {
        false
    }
}

#[cfg(feature = "sqlx-postgres")]
impl Engine for sqlx::Postgres {
    const BACKEND: DbBackend = DbBackend::Postgres;
}

#[cfg(feature = "sqlx-mysql")]
impl Engine for sqlx::MySql {
    const BACKEND: DbBackend = DbBackend::MySql;
}

#[cfg(feature = "sqlx-sqlite")]
impl Engine for sqlx::Sqlite {
    const BACKEND: DbBackend = DbBackend::Sqlite;

    fn no_transaction(error: &DriverError) -> bool {
        // SQLITE_ERROR: "cannot rollback - no transaction is active".
        error.fault.code() == "1"
    }
}
