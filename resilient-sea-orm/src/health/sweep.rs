//! A look at the connections that nobody uses.

use std::time::Duration;

use resilient_core::health::{Closing, ConnectionState, Lease, Sweep};
use sqlx::{Connection, pool::PoolConnection};

use super::{
    PoolHealth,
    identity::Known,
    lifecycle::{CLOSE_LIMIT, Stranger, meet},
};

/// How far a look goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach {
    /// So many are tested, those that were idle for longest. The rest is met only while some are
    /// known to be due, and tested only if one of these did not answer.
    pub(crate) tested: u32,
    /// None is looked at after this time: behind a silent network each test takes its full time.
    pub(crate) limit: Duration,
    /// Whether there have to be enough also if none was closed.
    pub(crate) fill: bool,
}

impl Reach {
    /// Every one that is idle.
    pub(crate) const ALL: Self = Self {
        tested: u32::MAX,
        limit: Duration::MAX,
        fill: false,
    };
}

/// Goes once around the idle connections, holding one at a time, so that callers find the rest.
pub(super) async fn sweep<DB: Known>(
    pool: &sqlx::Pool<DB>,
    health: &PoolHealth,
    reach: Reach,
) -> Sweep {
    let settings = health.connections.settings();
    let begun = tokio::time::Instant::now();
    let mut done = Sweep::default();
    let mut due = health.connections.due();
    for met in 0..u32::try_from(pool.num_idle()).unwrap_or(u32::MAX) {
        let tests = met < reach.tested || done.failed > 0;
        // More than a batch is not closed at a time, so there is no use in meeting the others.
        let wanted = tests || (due > 0 && done.closed < settings.batch_size.max(1));
        if !wanted || begun.elapsed() >= reach.limit {
            break;
        }
        // Handed out without a test; this is the test.
        let Some(conn) = pool.try_acquire() else {
            break;
        };
        done.checked += u32::from(tests);
        let Ok((conn, lease)) = meet(conn, pool, health).await else {
            done.failed += 1;
            done.closed += 1;
            continue;
        };
        let found = lease.as_ref().map(Lease::found);
        due -= usize::from(due > 0 && found != Some(ConnectionState::Healthy));
        if !tests {
            done.closed += u32::from(back(conn, lease, None).await);
            continue;
        }
        let mut tested = Stranger(Some(conn));
        let answers = answers(&mut tested, settings.timeout).await;
        let Some(conn) = tested.0.take() else {
            continue;
        };
        done.failed += u32::from(!answers);
        done.closed += u32::from(back(conn, lease, Some(answers)).await);
    }
    let fill = done.closed > 0 || (reach.fill && health.connections.replaces());
    if settings.enabled && fill {
        done.opened = refill(pool, health).await;
    }
    done
}

/// Opens connections until there are enough; how many.
async fn refill<DB: Known>(pool: &sqlx::Pool<DB>, health: &PoolHealth) -> u32 {
    let settings = health.connections.settings();
    // One place is left to callers.
    let some = pool.options().get_max_connections().saturating_sub(1);
    let floor = settings.min_healthy_connections.min(some);
    // Held until there are enough: the pool opens another one only when none is idle.
    let mut held = Vec::new();
    while pool.size() < floor {
        let opened = tokio::time::timeout(settings.timeout, pool.acquire()).await;
        let Ok(Ok(conn)) = opened else {
            break;
        };
        let Ok(known) = meet(conn, pool, health).await else {
            break;
        };
        held.push(known);
    }
    let mut opened = 0;
    for (mut conn, lease) in held {
        opened += 1;
        // Whoever gets it next may lease it at once.
        drop(lease);
        conn.return_to_pool().await;
    }
    opened
}

async fn answers<DB: Known>(conn: &mut Stranger<DB>, limit: Duration) -> bool {
    let Some(conn) = &mut conn.0 else {
        return false;
    };
    let answer = tokio::time::timeout(limit, conn.ping()).await;
    matches!(answer, Ok(Ok(())))
}

/// Gives it back, or closes it; whether it was closed. `answers` is `None` if it was not tested.
async fn back<DB: Known>(
    mut conn: PoolConnection<DB>,
    lease: Option<Lease>,
    answers: Option<bool>,
) -> bool {
    let mut why = (answers == Some(false)).then_some(Closing::Unhealthy);
    if let Some(mut lease) = lease {
        let state = match answers {
            None => lease.found(),
            Some(answers) => {
                if !answers {
                    lease.broken();
                }
                lease.checked(answers)
            }
        };
        if why.is_none() {
            why = match state {
                ConnectionState::Stale => lease.was_stale().then_some(Closing::Stale),
                _ => lease.is_due(),
            };
        }
        if let Some(why) = why {
            lease.close(why);
        }
    }
    match why {
        None => {
            conn.return_to_pool().await;
            return false;
        }
        Some(Closing::Unhealthy) => drop(conn.detach()),
        // At once, so that its slot is free when this returns.
        Some(_) => {
            let _ = tokio::time::timeout(CLOSE_LIMIT, conn.close()).await;
        }
    }
    true
}
