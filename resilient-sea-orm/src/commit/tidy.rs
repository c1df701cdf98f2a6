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

/// Between statements, for those who wait. Also before the first one: the commit that led here is
/// only just giving its connection back.
const PAUSE: Duration = Duration::from_millis(50);

/// How often it looks for a connection that nobody uses, once a second.
const LOOKS: u32 = 30;

/// Deletes old markers in the background, on a connection that nobody uses; where there is none
/// for half a minute, the next round does it.
pub(crate) fn tidy(pool: &Arc<Pool>) {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else {
        return;
    };
    // The task is not to keep the pool open.
    let weak = Arc::downgrade(pool);
    runtime.spawn(async move {
        let (mut batches, mut looks) = (0, 0);
        let mut pause = PAUSE;
        while batches < BATCHES && looks < LOOKS {
            tokio::time::sleep(pause).await;
            let Some(pool) = weak.upgrade() else {
                return;
            };
            match pool.idle_session() {
                None => {
                    looks += 1;
                    pause = Duration::from_secs(1);
                }
                Some(session) => {
                    batches += 1;
                    pause = PAUSE;
                    if batch(&pool, session).await < u64::from(BATCH) {
                        return;
                    }
                }
            }
        }
    });
}

/// Answers how many rows were deleted.
async fn batch(pool: &Pool, mut session: Session) -> u64 {
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
    deleted.unwrap_or_default()
}
