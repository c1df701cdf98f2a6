//! Markers that nobody can ask for any more are deleted, a few at a time.

use std::{sync::Arc, time::Duration};

use resilient_core::driver::{Database as _, Disposal, Session as _};

use crate::{
    pool::Pool,
    session::{Request, Session, limited},
};

/// Rows in one statement: a few milliseconds, in which a writer on `SQLite` waits.
const BATCH: u32 = 500;

/// Statements in a row. At one round a minute this keeps up with 1,600 commits a second.
const BATCHES: u32 = 200;

/// Between statements, for those who wait.
const PAUSE: Duration = Duration::from_millis(50);

/// How often an idle connection is looked for. A pool that never has one would never be cleaned,
/// so after that a turn is waited for like everybody's.
const TRIES: u32 = 20;

/// Deletes old markers in the background, on a connection that nobody uses if there is one.
pub(crate) fn tidy(pool: &Arc<Pool>) {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else {
        return;
    };
    // The task is not to keep the pool open.
    let weak = Arc::downgrade(pool);
    runtime.spawn(async move {
        let (mut batches, mut tries) = (0, 0);
        while batches < BATCHES {
            let Some(pool) = weak.upgrade() else {
                return;
            };
            let session = match pool.idle_session() {
                None if tries < TRIES => None,
                None => match pool.acquire().await {
                    Ok(session) => Some(session),
                    Err(_) => return,
                },
                idle => idle,
            };
            if let Some(session) = session {
                if batch(&pool, session).await != Some(u64::from(BATCH)) {
                    return;
                }
                batches += 1;
            } else {
                tries += 1;
            }
            drop(pool);
            tokio::time::sleep(PAUSE).await;
        }
    });
}

/// Answers how many rows were deleted; `None` if it could not be done now.
async fn batch(pool: &Pool, mut session: Session) -> Option<u64> {
    let backend = pool.connection.get_database_backend();
    let retention = pool.context().verify().retention;
    let sql = pool.markers.delete_older(retention, BATCH, backend);
    let limit = pool.context().limits().control;
    let answer = limited(limit, session.send(Request::Unprepared(&sql))).await;
    let deleted = match answer {
        Ok(reply) => reply.done().ok().map(|done| done.rows_affected()),
        Err(error) => {
            // Nothing depends on it; but a table that only grows should not go unnoticed.
            let fault = crate::extract::fault(&error);
            let kind = fault.map_or("other", |fault| fault.kind().as_str());
            tracing::warn!(
                target: "resilient",
                fault = kind,
                db.namespace = pool.context().name(),
                "old commit markers could not be deleted",
            );
            None
        }
    };
    session.dispose(if deleted.is_some() {
        Disposal::Clean
    } else {
        Disposal::Discard
    });
    deleted
}
