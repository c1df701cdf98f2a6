//! Many calls at once on few connections.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
    },
    time::Duration,
};

use resilient_sea_orm::{HealthSettings, ResilientConnection, Result, prelude::*};
use sea_orm::ConnectOptions;
use support::{Engine, Proxy, TestResult, engine_tests, unique_name};
use tokio::task::JoinSet;

use crate::{Stand, enter};

struct Repo {
    db: ResilientConnection,
    next: AtomicI32,
}

#[resilient]
impl Repo {
    pub async fn note(&self) -> Result<()> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        enter(&self.db, id.into()).await
    }
}

/// Everybody waits for a connection, and everybody gets one.
async fn thousands_of_calls_share_few_connections(engine: Engine) -> TestResult {
    const CALLS: i32 = 10_000;
    let stand = Stand::open(engine, |options| {
        // On a machine that does ten other things.
        let patience = Duration::from_mins(5);
        options.max_connections(20).acquire_timeout(patience);
    })
    .await?;
    let repo = Arc::new(Repo {
        db: stand.db.clone(),
        next: AtomicI32::new(1),
    });
    let mut calls = JoinSet::new();
    for _ in 0..CALLS {
        let repo = Arc::clone(&repo);
        calls.spawn(async move { repo.note().await });
    }
    while let Some(call) = calls.join_next().await {
        call??;
    }
    assert_eq!(stand.entries().await?, i64::from(CALLS));
    let metrics = resilient_sea_orm::metrics::global()
        .snapshot()
        .connection(stand.db.name());
    assert_eq!(metrics.committed, u64::from(CALLS.unsigned_abs()));
    let timeouts = metrics.faults.get(&FaultKind::PoolTimeout);
    assert_eq!(timeouts, None, "{metrics:?}");
    let status = stand.db.pool_status();
    assert_eq!(
        (status.waiting, status.max_connections),
        (0, 20),
        "{status:?}"
    );
    // SQLite's writers wait for their turn before they wait for a connection.
    let waited = match engine {
        Engine::Sqlite => metrics.turns_waited,
        _ => u64::from(status.most_waiting),
    };
    assert!(waited > 5_000, "{status:?}");
    Ok(())
}

/// Whoever opens a connection in place of a worn one is not called off by another that comes free.
async fn worn_connections_are_replaced_once_each(engine: Engine) -> TestResult {
    const CALLS: u64 = 2_000;
    const USES: u64 = 20;
    let stand = Stand::open(engine, |_| {}).await?;
    let proxy = Proxy::before(&stand.test).await?;
    let mut options = ConnectOptions::new(proxy.url());
    let patience = Duration::from_mins(5);
    options
        .max_connections(4)
        .acquire_timeout(patience)
        .sqlx_logging(false);
    let settings = HealthSettings {
        max_usage: USES,
        min_healthy_connections: 0,
        batch_size: u32::MAX,
        ..HealthSettings::default()
    };
    let builder = ResilientConnection::builder(options).name(unique_name());
    let repo = Arc::new(Repo {
        db: builder.health(settings).connect().await?,
        next: AtomicI32::new(1),
    });
    let mut calls = JoinSet::new();
    for _ in 0..CALLS {
        let repo = Arc::clone(&repo);
        calls.spawn(async move { repo.note().await });
    }
    while let Some(call) = calls.join_next().await {
        call??;
    }
    let opened = proxy.connections();
    assert!(opened > 4, "{opened}: none was worn");
    assert!(opened <= CALLS / USES + 20, "{opened} were opened");
    Ok(())
}

engine_tests! { on_postgres on_mariadb: worn_connections_are_replaced_once_each }
engine_tests! { thousands_of_calls_share_few_connections }
