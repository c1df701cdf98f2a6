//! Connections from the pool: known again, and replaced when their time has come.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use resilient_core::health::{Closing, Connections, Lease, connections::Introduction};
use sea_orm::ConnectOptions;
use sqlx::pool::{PoolConnection, PoolConnectionMetadata};

use super::{PoolHealth, checks::CHECK, identity::Known};

/// How long closing a connection may take.
pub(super) const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// Takes a connection from the pool, which `method` is said to hold.
///
/// One that was not used for too long is closed, and another one opened in its place, while
/// nobody else waits.
pub(crate) async fn take<DB: Known>(
    pool: &sqlx::Pool<DB>,
    health: &PoolHealth,
    method: Option<&'static str>,
) -> Result<(PoolConnection<DB>, Option<Lease>), sqlx::Error> {
    let (mut conn, mut lease) = meet(pool.acquire().await?, pool, health).await?;
    let alone = health.connections.meter().waiting() <= 1;
    if let Some(stale) = &mut lease
        && alone
        && stale.was_stale()
    {
        stale.close(Closing::Stale);
        drop(lease.take());
        let _ = tokio::time::timeout(CLOSE_LIMIT, conn.close()).await;
        (conn, lease) = meet(pool.acquire().await?, pool, health).await?;
    }
    if let Some(lease) = &lease {
        if method == Some(CHECK) {
            lease.hold_for_check(CHECK);
        } else {
            lease.hold(method);
        }
    }
    Ok((conn, lease))
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
                server_pid: DB::server_pid(conn).await.unwrap_or_default(),
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
