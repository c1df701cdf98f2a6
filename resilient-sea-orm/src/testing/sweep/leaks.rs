//! What a run has left behind.

use std::time::Duration;

use resilient_core::driver::{Disposal, Session as _};
use sea_orm::{DatabaseConnectionType, DbBackend};
use tokio::time::Instant;

use crate::{
    ResilientConnection, extract,
    session::{Request, Session},
};

/// The leaks, in words: transactions that are open, connections that the pool does not give.
/// Connections find their way back in the background, for which there is so much time.
pub(super) async fn look(db: &ResilientConnection, patience: Duration) -> Vec<String> {
    let mut leaks = Vec::new();
    let open = db.sessions().len();
    if open > 0 {
        leaks.push(format!("{open} transactions are still open"));
    }
    let end = Instant::now() + patience;
    let size = size(db);
    let mut held: Vec<Session> = Vec::new();
    for n in 0..size {
        let acquired = tokio::time::timeout_at(end, db.pool.acquire_for(None)).await;
        let Ok(Ok(session)) = acquired else {
            leaks.push(format!("the pool gives {n} of its {size} connections"));
            break;
        };
        held.push(session);
    }
    for mut session in held {
        let how = match tokio::time::timeout_at(end, inside(&mut session)).await {
            Ok(Some(false)) => Disposal::Clean,
            Ok(Some(true)) => {
                leaks.push("a connection in the pool is inside a transaction".to_owned());
                Disposal::Discard
            }
            Ok(None) | Err(_) => {
                leaks.push("a connection in the pool does not answer".to_owned());
                Disposal::Discard
            }
        };
        session.dispose(how);
    }
    leaks
}

/// Whether the connection is inside a transaction; `None` where it does not say.
async fn inside(session: &mut Session) -> Option<bool> {
    match session.backend() {
        DbBackend::Postgres => {
            // A text by itself begins its own transaction; prepared, it would begin earlier.
            let sql = "SELECT CASE WHEN now() < statement_timestamp() THEN 1::bigint \
                       ELSE 0::bigint END";
            let inside = session.last_number(sql.to_owned()).await.ok()?;
            inside.map(|inside| inside == 1)
        }
        DbBackend::MySql => {
            // Every transaction of ours has this savepoint.
            let sql = Request::Unprepared("ROLLBACK TO SAVEPOINT resilient_0");
            match session.send(sql).await {
                Ok(_) => Some(true),
                Err(error) => (extract::fault(&error)?.code() == "1305").then_some(false),
            }
        }
        _ => match session.send(Request::Unprepared("BEGIN")).await {
            Ok(_) => session
                .send(Request::Unprepared("ROLLBACK"))
                .await
                .ok()
                .map(|_| false),
            Err(error) => (extract::fault(&error)?.code() == "1").then_some(true),
        },
    }
}

/// The most connections that the pool has.
fn size(db: &ResilientConnection) -> u32 {
    let connection = db.as_sea_orm();
    match &connection.inner {
        #[cfg(feature = "sqlx-postgres")]
        DatabaseConnectionType::SqlxPostgresPoolConnection(_) => {
            let pool = connection.get_postgres_connection_pool();
            pool.options().get_max_connections()
        }
        #[cfg(feature = "sqlx-mysql")]
        DatabaseConnectionType::SqlxMySqlPoolConnection(_) => {
            let pool = connection.get_mysql_connection_pool();
            pool.options().get_max_connections()
        }
        #[cfg(feature = "sqlx-sqlite")]
        DatabaseConnectionType::SqlxSqlitePoolConnection(_) => {
            let pool = connection.get_sqlite_connection_pool();
            pool.options().get_max_connections()
        }
        _ => 0,
    }
}
