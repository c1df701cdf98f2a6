//! Connections from the pool: known again, and replaced when their time has come.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use resilient_core::{
    FaultKind,
    classify::Phase,
    health::{Closing, Connections, Lease, connections::Introduction},
};
use sea_orm::ConnectOptions;
use sqlx::pool::{PoolConnection, PoolConnectionMetadata};

use super::{PoolHealth, checks::CHECK, identity::Known};
use crate::extract;

/// How long closing a connection may take.
pub(super) const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// Takes a connection from the pool, which `method` is said to hold.
///
/// One that was not used for too long is closed, and another one opened in its place, while
/// nobody else waits. One that is not trusted any more is closed in any case. `waits` for a server
/// that is away.
pub(crate) async fn take<DB: Known>(
    pool: &sqlx::Pool<DB>,
    health: &PoolHealth,
    method: Option<&'static str>,
    waits: bool,
) -> Result<(PoolConnection<DB>, Option<Lease>), sqlx::Error> {
    if health.connections.takes_distrusted() {
        drop_idle(pool, health);
    }
    let mut renews = true;
    loop {
        let taken = match pool.acquire().await {
            // Boxed, as it is rare and would make every call's future larger.
            Err(error) if waits && is_away(&error) => Box::pin(reach(pool, error)).await?,
            taken => taken?,
        };
        let (conn, lease) = meet(taken, pool, health).await?;
        let Some(mut lease) = lease else {
            return Ok((conn, None));
        };
        if lease.is_distrusted() {
            // A pool that does not ask. Each is closed, so they come to an end.
            lease.close(Closing::Distrusted);
            drop(conn.detach());
            continue;
        }
        let alone = health.connections.meter().waiting() <= 1;
        if renews && alone && lease.was_stale() {
            renews = false;
            lease.close(Closing::Stale);
            drop(lease);
            let _ = tokio::time::timeout(CLOSE_LIMIT, Box::pin(conn.close())).await;
            continue;
        }
        hold(&lease, method);
        return Ok((conn, Some(lease)));
    }
}

/// Books who holds a connection from now on.
pub(crate) fn hold(lease: &Lease, method: Option<&'static str>) {
    if method == Some(CHECK) {
        lease.hold_for_check(CHECK);
    } else {
        lease.hold(method);
    }
}

/// Drops connections that nobody uses, without a word to a server that may be gone: the pool
/// would ask each whether it answers, and wait for those whose network is silent. One that was
/// opened meanwhile goes too, and is opened again.
fn drop_idle<DB: Known>(pool: &sqlx::Pool<DB>, health: &PoolHealth) {
    let idle = std::iter::from_fn(|| pool.try_acquire()).take(pool.num_idle());
    let dropped = idle.map(|conn| drop(conn.detach())).count();
    health.connections.dropped(dropped);
}

/// Tries again to connect, as long as the pool's own patience lasts, where nobody was there.
///
/// sqlx does that where the address refuses; what stands before a server that is away (a proxy, a
/// load balancer) rather takes connections and ends them.
async fn reach<DB: Known>(
    pool: &sqlx::Pool<DB>,
    mut error: sqlx::Error,
) -> Result<PoolConnection<DB>, sqlx::Error> {
    const LONGEST: Duration = Duration::from_millis(500);
    let until = Instant::now() + pool.options().get_acquire_timeout();
    let mut delay = Duration::from_millis(10);
    while Instant::now() + delay < until {
        tokio::time::sleep(delay).await;
        delay = LONGEST.min(delay * 2);
        match pool.acquire().await {
            Err(again) if is_away(&again) => error = again,
            taken => return taken,
        }
    }
    Err(error)
}

/// Whether nobody was reached who could say no.
fn is_away(error: &sqlx::Error) -> bool {
    let fault = extract::sqlx_fault(error, Phase::Connect, None);
    !matches!(error, sqlx::Error::PoolTimedOut)
        && matches!(
            fault.kind(),
            FaultKind::ConnectionLost | FaultKind::ServerUnavailable
        )
}

/// Finds out which connection it is.
pub(super) async fn meet<DB: Known>(
    conn: PoolConnection<DB>,
    pool: &sqlx::Pool<DB>,
    health: &PoolHealth,
) -> Result<(PoolConnection<DB>, Option<Lease>), sqlx::Error> {
    let mut stranger = Stranger::<DB>(Some(conn));
    let limit = pool.options().get_acquire_timeout();
    let known = tokio::time::timeout(limit, identify(&mut stranger, pool, health)).await;
    let lease = known.map_err(|_| sqlx::Error::PoolTimedOut)?;
    match stranger.0.take() {
        Some(conn) => Ok((conn, lease)),
        None => Err(sqlx::Error::PoolClosed),
    }
}

async fn identify<DB: Known>(
    stranger: &mut Stranger<DB>,
    pool: &sqlx::Pool<DB>,
    health: &PoolHealth,
) -> Option<Lease> {
    let conn = stranger.0.as_mut()?;
    let nameless = || {
        health
            .connections
            .introduce(Introduction::default(), u32::MAX)
    };
    if health.nameless.load(Ordering::Relaxed) {
        return Some(nameless());
    }
    match DB::key(conn).await {
        Ok(Some((key, anchor))) => {
            if let Some(lease) = health.connections.take(key) {
                return Some(lease);
            }
            let who = Introduction {
                key: Some(key),
                anchor: Some(Box::new(anchor)),
                // Without it the connection works as well.
                server_pid: Box::pin(DB::server_pid(conn)).await.unwrap_or_default(),
            };
            Some(health.connections.introduce(who, pool.size()))
        }
        // The next statement says what is the matter.
        Err(sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed) => Some(nameless()),
        Ok(None) | Err(_) => {
            health.nameless.store(true, Ordering::Relaxed);
            Some(nameless())
        }
    }
}

/// A connection in the middle of an exchange: closed if that is cancelled.
pub(super) struct Stranger<DB: Known>(pub(super) Option<PoolConnection<DB>>);

impl<DB: Known> Drop for Stranger<DB> {
    fn drop(&mut self) {
        let Some(mut conn) = self.0.take() else {
            return;
        };
        if tokio::runtime::Handle::try_current().is_err() {
            // The runtime is gone, and sqlx needs it even to take a connection back.
            drop(conn.detach());
        } else if !DB::CANCEL_SAFE {
            conn.close_on_drop();
        }
    }
}

/// Makes the pool ask before it hands a connection out. What is rejected, sqlx closes, and opens
/// another one for the same caller.
pub(super) fn hook(connections: &Arc<Connections>, options: &mut ConnectOptions) {
    #[allow(unused_macros)]
    macro_rules! hook {
        ($set:ident) => {{
            let connections = Arc::clone(connections);
            options.$set(move |_, meta| {
                let keep = fit(&connections, &meta);
                Box::pin(std::future::ready(Ok(keep)))
            });
        }};
    }
    #[cfg(feature = "sqlx-postgres")]
    hook!(map_sqlx_postgres_before_acquire);
    #[cfg(feature = "sqlx-mysql")]
    hook!(map_sqlx_mysql_before_acquire);
    #[cfg(feature = "sqlx-sqlite")]
    hook!(map_sqlx_sqlite_before_acquire);
}

fn fit(connections: &Connections, meta: &PoolConnectionMetadata) -> bool {
    connections.reject(meta.age, meta.idle_for).is_none()
}
