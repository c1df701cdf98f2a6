//! When a monitor begins and when it ends.

use std::{sync::Arc, time::Duration};

use resilient_sea_orm::{
    Builder, Config, ResilientConnection,
    config::{Environment, HealthConfig, PoolConfig},
};
use sea_orm::{ConnectionTrait, DatabaseBackend, MockDatabase};
use support::{Engine, TestDb, TestResult, engine_tests, wait_until};

use super::{looks, often, open};
use crate::{health::settings, rig::PATIENCE};

const EVERY: Duration = Duration::from_millis(20);

/// A check that hangs, and something that is gone when the monitor is.
fn hanging() -> (resilient_sea_orm::health::MonitorOptions, Arc<()>) {
    let alive = Arc::new(());
    let held = Arc::clone(&alive);
    let check = move || {
        let held = Arc::clone(&held);
        async move {
            std::future::pending::<()>().await;
            drop(held);
            Ok::<_, String>(())
        }
    };
    (often().check_custom("hangs", EVERY, check), alive)
}

async fn the_last_clone_takes_the_monitor_and_the_pool_with_it(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let short = resilient_sea_orm::HealthSettings {
        // For so long a look that is under way may keep the pool.
        timeout: Duration::from_millis(500),
        ..settings()
    };
    let db = open(Builder::default(), &test, 3, PATIENCE, short).await;
    let (options, alive) = hanging();
    db.start_monitoring_with(options);
    let clone = db.clone();
    drop(db);
    looks(&clone, 3).await?;
    assert!(clone.monitoring().unwrap().running);
    drop(clone);
    let gone = async || Ok(Arc::strong_count(&alive) == 1);
    wait_until("the end of the monitor", PATIENCE, gone).await?;
    if engine != Engine::Sqlite {
        let closed = async || Ok(test.sessions().await? == 0);
        wait_until("the end of the pool", PATIENCE, closed).await?;
    }
    Ok(())
}

async fn closing_ends_it_first_and_stopping_waits(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    for how in 0..3 {
        let db = open(Builder::default(), &test, 3, PATIENCE, settings()).await;
        let (options, alive) = hanging();
        db.start_monitoring_with(options);
        looks(&db, 2).await?;
        match how {
            0 => {
                assert!(db.stop_monitoring().await);
                assert_eq!(Arc::strong_count(&alive), 1, "its task has ended");
                assert!(!db.stop_monitoring().await);
                db.execute_unprepared("SELECT 1").await?;
            }
            1 => {
                let mut hears = db.health_events();
                db.close_by_ref().await?;
                assert_eq!(Arc::strong_count(&alive), 1);
                assert!(hears.try_recv().is_err(), "nothing is told of its end");
            }
            // Behind its back.
            _ => {
                db.as_sea_orm().close_by_ref().await?;
                let ended = async || Ok(db.monitoring().is_none());
                wait_until("its end", PATIENCE, ended).await?;
            }
        }
        assert!(db.monitoring().is_none());
        let gone = async || Ok(Arc::strong_count(&alive) == 1);
        wait_until("the end of the monitor", PATIENCE, gone).await?;
    }
    Ok(())
}

async fn starting_it_again_ends_the_one_before(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let db = open(Builder::default(), &test, 3, PATIENCE, settings()).await;
    let (options, alive) = hanging();
    db.start_monitoring_with(options);
    looks(&db, 2).await?;
    db.start_monitoring_with(often());
    let gone = async || Ok(Arc::strong_count(&alive) == 1);
    wait_until("the end of the first", PATIENCE, gone).await?;
    looks(&db, 2).await?;
    Ok(())
}

fn watched(health: HealthConfig) -> Config {
    let health = health.with_interval(Duration::from_secs(1));
    let pool = PoolConfig::default().with_size(2).with_overflow(0);
    Config::default().with_health(health).with_pool(pool)
}

async fn a_configuration_starts_it_and_nothing_else_does(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let runs = |db: &ResilientConnection| db.monitoring().is_some_and(|report| report.running);
    let health = HealthConfig::default();
    for (health, expected) in [
        (health.clone(), true),
        (health.clone().with_background_monitoring(false), false),
        (health.clone().with_enabled(false), false),
    ] {
        let config = watched(health);
        let builder = ResilientConnection::builder(test.url()).config(&config);
        let db = builder.connect().await?;
        assert_eq!(runs(&db), expected, "{config:?}");
        let existing = Builder::default()
            .config(&config)
            .to(test.connect(1).await?)
            .connect()
            .await?;
        assert_eq!(runs(&existing), expected);
        if expected {
            looks(&db, 2).await?;
        }
    }
    let off = Environment::of([("DB_ENABLE_BACKGROUND_MONITORING", "off")]);
    let db = Builder::from_environment(&off)?
        .to(test.url())
        .connect()
        .await?;
    assert!(db.monitoring().is_none());
    assert!(!runs(&ResilientConnection::connect(test.url()).await?));
    assert!(!runs(&ResilientConnection::from(test.connect(1).await?)));
    let mock = MockDatabase::new(DatabaseBackend::Postgres).into_connection();
    let mock = Builder::default()
        .config(&watched(health))
        .to(mock)
        .connect()
        .await?;
    assert!(!runs(&mock), "it would take the mock's answers");
    Ok(())
}

engine_tests! {
    the_last_clone_takes_the_monitor_and_the_pool_with_it,
    closing_ends_it_first_and_stopping_waits,
    starting_it_again_ends_the_one_before,
    a_configuration_starts_it_and_nothing_else_does,
}
