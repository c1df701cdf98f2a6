//! A look at the connections that nobody uses.

use std::time::Duration;

use resilient_core::health::{Closing, ConnectionState, Lease, Sweep};
use sqlx::{Connection, pool::PoolConnection};

use super::{PoolHealth, identity::Known, lifecycle::meet};

/// Goes once around the idle connections, holding one at a time, so that callers find the rest.
pub(super) async fn sweep<DB: Known>(pool: &sqlx::Pool<DB>, health: &PoolHealth) -> Sweep {
    let settings = health.connections.settings();
    let mut done = Sweep::default();
    for _ in 0..pool.num_idle() {
        // Handed out without a test; this is the test.
        let Some(conn) = pool.try_acquire() else {
            break;
        };
        done.checked += 1;
        let Ok((mut conn, lease)) = meet(conn, pool, health).await else {
            done.failed += 1;
            done.closed += 1;
            continue;
        };
        let answers = answers(&mut conn, settings.timeout).await;
        done.failed += u32::from(!answers);
        done.closed += u32::from(back(conn, lease, answers).await);
    }
    let floor = settings.min_healthy_connections;
    let floor = floor.min(pool.options().get_max_connections());
    while settings.enabled && done.closed > 0 && pool.size() < floor {
        let opened = tokio::time::timeout(settings.timeout, pool.acquire()).await;
        let Ok(Ok(conn)) = opened else {
            break;
        };
        match meet(conn, pool, health).await {
            Ok((conn, lease)) => {
                done.opened += 1;
                back(conn, lease, true).await;
            }
            Err(_) => break,
        }
    }
    done
}

async fn answers<DB: Known>(conn: &mut PoolConnection<DB>, limit: Duration) -> bool {
    let answer = tokio::time::timeout(limit, conn.ping()).await;
    matches!(answer, Ok(Ok(())))
}

/// Gives it back, or closes it; whether it was closed.
async fn back<DB: Known>(
    mut conn: PoolConnection<DB>,
    lease: Option<Lease>,
    answers: bool,
) -> bool {
    let mut why = None;
    if let Some(mut lease) = lease {
        if !answers {
            lease.broken();
        }
        why = match lease.checked(answers) {
            ConnectionState::Stale => lease.was_stale().then_some(Closing::Stale),
            _ => lease.is_due(),
        };
        if let Some(why) = why {
            lease.close(why);
        }
    }
    if why.is_none() && answers {
        conn.return_to_pool().await;
        return false;
    }
    conn.close_on_drop();
    true
}
