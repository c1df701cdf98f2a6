//! Connections that the monitor replaces while they are used.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use resilient_sea_orm::{
    HealthSettings, ResilientConnection, Result, TransactOptions, health::HealthEvent,
};
use sea_orm::ConnectionTrait;
use support::{Engine, TestDb, TestResult, engine_tests, wait_until};
use tokio::sync::broadcast::error::TryRecvError;

use super::{bare, often, open};
use crate::{
    health::{fill, hold, release, settings},
    rig::PATIENCE,
};

/// Replaced for this reason, each once, until there were so many.
async fn replaced(
    hears: &mut tokio::sync::broadcast::Receiver<HealthEvent>,
    wanted: &str,
    number: usize,
) -> TestResult {
    let mut ids = Vec::new();
    let enough = async || {
        loop {
            match hears.try_recv() {
                Ok(HealthEvent::ConnectionReplaced {
                    connection, reason, ..
                }) => {
                    assert_eq!(reason, wanted);
                    assert!(!ids.contains(&connection), "{connection} twice: {ids:?}");
                    ids.push(connection);
                }
                Ok(_) => {}
                Err(TryRecvError::Empty) => return Ok(ids.len() >= number),
                Err(error) => panic!("{error}"),
            }
        }
    };
    wait_until("replaced connections", PATIENCE, enough).await?;
    Ok(())
}

/// Uses the pool and never finds it empty, until told to stop.
fn load(db: &ResilientConnection, stop: &Arc<AtomicBool>) -> tokio::task::JoinHandle<Result<u32>> {
    let (db, stop) = (db.clone(), Arc::clone(stop));
    tokio::spawn(async move {
        let mut done = 0;
        while !stop.load(SeqCst) {
            let options = TransactOptions::new().retries(0).read_only();
            db.transact(options, || async {
                db.execute_unprepared("SELECT 1").await?;
                assert!(db.pool_status().open >= 1, "{:?}", db.pool_status());
                Ok::<_, resilient_sea_orm::Error>(())
            })
            .await?;
            done += 1;
        }
        Ok(done)
    })
}

async fn worn_out_ones_go_under_load_and_nobody_notices(engine: Engine) -> TestResult {
    let floor = HealthSettings {
        min_healthy_connections: 3,
        ..settings()
    };
    let old = HealthSettings {
        max_age: Duration::from_millis(300),
        ..floor.clone()
    };
    let used = HealthSettings {
        max_usage: 5,
        ..floor
    };
    for settings in [old, used] {
        let test = TestDb::new(engine).await?;
        let db = open(bare(), &test, 6, PATIENCE, settings).await;
        fill(&db, 6).await;
        let mut hears = db.health_events();
        db.start_monitoring_with(often());
        let stop = Arc::new(AtomicBool::new(false));
        let users = [load(&db, &stop), load(&db, &stop)];
        replaced(&mut hears, "expired", 6).await?;
        stop.store(true, SeqCst);
        for user in users {
            assert!(user.await?? > 0);
        }
        let floor = async || Ok(db.pool_status().open >= 3);
        wait_until("the floor", PATIENCE, floor).await?;
        assert!(db.stop_monitoring().await);
    }
    Ok(())
}

async fn stale_ones_go_in_batches_down_to_the_floor(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let settings = HealthSettings {
        max_idle_time: Duration::from_secs(1),
        min_healthy_connections: 2,
        batch_size: 2,
        ..settings()
    };
    let db = open(bare(), &test, 6, PATIENCE, settings).await;
    fill(&db, 6).await;
    let mut hears = db.health_events();
    db.start_monitoring_with(often());
    // Looks are no use: without that none would ever be stale.
    replaced(&mut hears, "stale", 4).await?;
    let floor = async || Ok(db.pool_status().open >= 2);
    wait_until("the floor", PATIENCE, floor).await?;
    // What is in use is left alone.
    let held = hold(&db, 2).await;
    super::looks(&db, 30).await?;
    for slot in &held {
        slot.execute_unprepared("SELECT 1").await?;
    }
    release(held).await;
    Ok(())
}

/// With as many minimal connections as places, nobody would get one while sqlx waits to open them
/// again.
async fn the_last_place_is_left_to_callers(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    // What was used once is replaced. Nobody else asks for a connection meanwhile.
    let settings = HealthSettings {
        min_healthy_connections: 2,
        max_usage: 1,
        ..settings()
    };
    for places in [2, 3] {
        let db = open(bare(), &test, places, PATIENCE, settings.clone()).await;
        fill(&db, places).await;
        let idle = async || Ok(db.pool_status().in_use == 0);
        wait_until("idle connections", PATIENCE, idle).await?;
        let mut opened = 0;
        let replaced = async || {
            opened = db.check_connections().await.opened;
            Ok(opened > 0)
        };
        wait_until("new connections", PATIENCE, replaced).await?;
        let open = db.pool_status().open;
        assert!(
            opened < places && open < places,
            "{open} of {places} places"
        );
    }
    Ok(())
}

engine_tests! {
    the_last_place_is_left_to_callers,
    worn_out_ones_go_under_load_and_nobody_notices,
    stale_ones_go_in_batches_down_to_the_floor,
}
