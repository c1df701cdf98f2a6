//! Many calls at once on few connections.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
    },
    time::Duration,
};

use resilient_sea_orm::{ResilientConnection, Result, prelude::*};
use support::{Engine, TestResult, engine_tests};
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
    assert!(status.most_waiting > 5_000, "{status:?}");
    Ok(())
}

engine_tests! { thousands_of_calls_share_few_connections }
