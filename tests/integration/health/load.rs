//! Connections are replaced under a load, which does not notice.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use resilient_sea_orm::{
    Builder, Closing, HealthSettings, ResilientConnection, Result, TransactOptions,
};
use sea_orm::{ConnectOptions, ConnectionTrait};
use support::{Engine, TestDb, TestResult, engine_tests, wait_until};

use super::{fill, settings};
use crate::{bank::unique_name, rig::PATIENCE};

const POOL: u32 = 6;

async fn transfers(db: &ResilientConnection) -> Result<()> {
    // No retries: nobody may notice.
    let options = TransactOptions::new().retries(0).read_only();
    db.transact(options, || async {
        db.execute_unprepared("SELECT 1").await?;
        Ok::<_, resilient_sea_orm::Error>(())
    })
    .await?;
    db.execute_unprepared("SELECT 2").await?;
    Ok(())
}

/// Runs a load until so many were closed for this reason, and more than all of the first ones.
async fn replaces(
    engine: Engine,
    hooks: bool,
    settings: HealthSettings,
    why: Closing,
) -> TestResult {
    let test = TestDb::new(engine).await?;
    let mut options = ConnectOptions::new(test.url());
    options
        .max_connections(POOL)
        .acquire_timeout(PATIENCE)
        .sqlx_logging(false);
    let db = Builder::default()
        .name(unique_name())
        .health(settings)
        .lifecycle_hooks(hooks)
        .to(options)
        .connect()
        .await?;
    fill(&db, POOL).await;
    let first: BTreeSet<u64> = db.connections().iter().map(|c| c.id).collect();
    let stop = Arc::new(AtomicBool::new(false));
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let (db, stop) = (db.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    transfers(&db).await?;
                }
                Ok::<_, resilient_sea_orm::Error>(())
            })
        })
        .collect();
    let mut fewest = POOL;
    let renewed = async || {
        let status = db.pool_status();
        fewest = fewest.min(status.open);
        let closed = status.churn.closed.get(&why).copied().unwrap_or(0);
        let known: BTreeSet<u64> = db.connections().iter().map(|c| c.id).collect();
        Ok(closed >= u64::from(POOL) && known.is_disjoint(&first))
    };
    let done = wait_until("a renewed pool", PATIENCE, renewed).await;
    stop.store(true, Ordering::SeqCst);
    for task in tasks {
        task.await??;
    }
    done.map_err(|error| format!("{error}: {:?}", db.pool_status()))?;
    assert!(fewest >= 1, "the pool was empty");
    assert_eq!(db.pool_status().acquire_failures, 0);
    Ok(())
}

async fn those_used_too_often_are_replaced_under_load(engine: Engine) -> TestResult {
    let settings = HealthSettings {
        max_usage: 20,
        ..settings()
    };
    replaces(engine, false, settings, Closing::Expired).await
}

fn aged() -> HealthSettings {
    HealthSettings {
        max_age: Duration::from_millis(500),
        ..settings()
    }
}

async fn those_too_old_are_replaced_under_load(engine: Engine) -> TestResult {
    replaces(engine, false, aged(), Closing::Expired).await
}

async fn the_pools_own_hook_replaces_them_under_load(engine: Engine) -> TestResult {
    replaces(engine, true, aged(), Closing::Expired).await
}

engine_tests! {
    those_used_too_often_are_replaced_under_load,
    those_too_old_are_replaced_under_load,
    the_pools_own_hook_replaces_them_under_load,
}
