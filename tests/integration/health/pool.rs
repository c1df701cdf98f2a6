//! How full a pool is and who waits for it.

use resilient_sea_orm::HealthSettings;
use sea_orm::ConnectionTrait;
use support::{Engine, TestDb, TestResult, engine_tests, wait_until};

use super::{fill, hold, open, release, settings};
use crate::rig::PATIENCE;

async fn sizes_add_up(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let settings = HealthSettings {
        pool_size: Some(2),
        ..settings()
    };
    let db = open(&test, 4, PATIENCE, settings).await;
    let held = hold(&db, 3).await;
    let status = db.pool_status();
    assert_eq!((status.max_connections, status.size), (4, 2));
    assert_eq!((status.in_use, status.available), (3, 1), "{status:?}");
    assert_eq!(status.overflow_in_use, 1);
    assert!((status.utilisation - 0.75).abs() < 1e-9);
    assert_eq!(status.warning, None);
    release(held).await;
    fill(&db, 4).await;
    let settled = async || Ok(db.pool_status().in_use == 0);
    wait_until("none in use", PATIENCE, settled).await?;
    let status = db.pool_status();
    assert_eq!((status.open, status.in_use, status.available), (4, 0, 4));
    assert_eq!(status.churn.opened, 4, "{status:?}");
    assert_eq!(db.connections().len(), 4);
    Ok(())
}

async fn who_waits_is_counted_and_for_how_long(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let db = open(&test, 1, PATIENCE, settings()).await;
    let held = hold(&db, 1).await;
    let before = db.pool_status().acquire.count;
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let db = db.clone();
            tokio::spawn(async move { db.execute_unprepared("SELECT 1").await.map(drop) })
        })
        .collect();
    let wait = async || Ok(db.pool_status().waiting == 3);
    wait_until("three that wait", PATIENCE, wait).await?;
    let status = db.pool_status();
    let warning = status.warning.unwrap();
    assert!(
        warning.contains("1 of 1") && warning.contains("3 waiting"),
        "{warning}"
    );
    release(held).await;
    for waiter in waiting {
        waiter.await??;
    }
    let status = db.pool_status();
    assert_eq!((status.waiting, status.most_waiting), (0, 3));
    assert_eq!(status.acquire.count - before, 3);
    assert!(status.acquire.max_seconds > 0.0);
    assert_eq!(status.warning, None);
    Ok(())
}

async fn nearly_full_for_long_is_warned_of_before_anyone_waits(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let settings = HealthSettings {
        utilisation_warning_after: std::time::Duration::ZERO,
        ..settings()
    };
    let db = open(&test, 5, PATIENCE, settings).await;
    let mut held = hold(&db, 4).await;
    let status = db.pool_status();
    assert_eq!((status.waiting, status.available), (0, 1));
    assert!(status.newly_warned, "{status:?}");
    assert!(!db.pool_status().newly_warned);
    release(held.split_off(2)).await;
    let calm = async || Ok(db.pool_status().warning.is_none());
    wait_until("calm", PATIENCE, calm).await?;
    release(held).await;
    Ok(())
}

engine_tests! {
    sizes_add_up,
    who_waits_is_counted_and_for_how_long,
    nearly_full_for_long_is_warned_of_before_anyone_waits,
}
