//! A look at the connections that nobody uses.

use std::time::Duration;

use resilient_core::health::{Closing, ConnectionState, Lease, Sweep};
use sqlx::{Connection, pool::PoolConnection};

use super::{
    PoolHealth,
    identity::Known,
    lifecycle::{CLOSE_LIMIT, Stranger, meet},
};

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
        let Ok((conn, lease)) = meet(conn, pool, health).await else {
            done.failed += 1;
            done.closed += 1;
            continue;
        };
        let mut tested = Stranger(Some(conn));
        let answers = answers(&mut tested, settings.timeout).await;
        let Some(conn) = tested.0.take() else {
            continue;
        };
        done.failed += u32::from(!answers);
        done.closed += u32::from(back(conn, lease, answers).await);
    }
    let floor = settings.min_healthy_connections;
    let floor = floor.min(pool.options().get_max_connections());
    // Held until there are enough: the pool opens another one only when none is idle.
    let mut held = Vec::new();
    while settings.enabled && done.closed > 0 && pool.size() < floor {
        let opened = tokio::time::timeout(settings.timeout, pool.acquire()).await;
        let Ok(Ok(conn)) = opened else {
            break;
        };
        let Ok(known) = meet(conn, pool, health).await else {
            break;
        };
        held.push(known);
    }
    for (mut conn, _lease) in held {
        done.opened += 1;
        conn.return_to_pool().await;
    }
    done
}

async fn answers<DB: Known>(conn: &mut Stranger<DB>, limit: Duration) -> bool {
    let Some(conn) = &mut conn.0 else {
        return false;
    };
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
    // At once, so that its slot is free when this returns.
    if answers {
        let _ = tokio::time::timeout(CLOSE_LIMIT, conn.close()).await;
    } else {
        drop(conn.detach());
    }
    true
}
