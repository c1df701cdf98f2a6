//! Connections that have served their time, one at a time.

use std::time::Duration;

use resilient_sea_orm::{
    Closing, ConnectionState, HealthSettings, ResilientConnection, Result, TransactOptions,
};
use sea_orm::{ConnectionTrait, Statement};
use support::{Engine, TestDb, TestResult, engine_tests, wait_until};

use super::{fill, open, settings};
use crate::rig::PATIENCE;

fn closed(db: &ResilientConnection, why: Closing) -> u64 {
    let churn = db.pool_status().churn;
    churn.closed.get(&why).copied().unwrap_or(0)
}

async fn one_that_was_idle_for_too_long_is_stale_and_replaced(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let settings = HealthSettings {
        // The pool itself closes them after twice that.
        max_idle_time: Duration::from_secs(1),
        ..settings()
    };
    let db = open(&test, 3, PATIENCE, settings).await;
    fill(&db, 3).await;
    let before: Vec<_> = db.connections().iter().map(|c| c.id).collect();
    let stale = async || {
        let all = db.connections();
        Ok(all.iter().all(|c| c.state == ConnectionState::Stale))
    };
    wait_until("stale connections", PATIENCE, stale).await?;
    // In use by a statement, it is another one.
    db.execute_unprepared("SELECT 1").await?;
    let replaced = async || Ok(closed(&db, Closing::Stale) > 0);
    wait_until("a replacement", PATIENCE, replaced).await?;
    // The pool has room for another one, which it opens when it is wanted.
    fill(&db, 3).await;
    let new = db.connections().iter().any(|c| !before.contains(&c.id));
    assert!(new, "{:?}", db.connections());
    Ok(())
}

async fn a_sweep_keeps_a_floor_and_goes_in_batches(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let settings = HealthSettings {
        max_age: Duration::from_secs(5),
        batch_size: 3,
        min_healthy_connections: 4,
        ..settings()
    };
    let db = open(&test, 8, PATIENCE, settings).await;
    fill(&db, 8).await;
    let sweep = db.check_connections().await;
    assert_eq!(
        (sweep.checked, sweep.failed, sweep.closed),
        (8, 0, 0),
        "{sweep:?}"
    );
    let all = db.connections();
    assert!(
        all.iter().all(|c| c.check_success_rate == Some(1.0)),
        "{all:?}"
    );
    let expired = async || {
        let all = db.connections();
        Ok(all.iter().all(|c| c.state == ConnectionState::Expired))
    };
    wait_until("expired connections", PATIENCE, expired).await?;
    let sweep = db.check_connections().await;
    assert_eq!(sweep.closed, 3, "a batch: {sweep:?}");
    assert_eq!(closed(&db, Closing::Expired), 3);
    assert!(db.pool_status().open >= 4);
    Ok(())
}

async fn numbers_of_a_connection_are_its_own(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let db = open(&test, 2, PATIENCE, settings()).await;
    let sql = match engine {
        Engine::Postgres => "SELECT CAST(pg_backend_pid() AS text) AS n",
        Engine::MariaDb | Engine::MySql => "SELECT CAST(connection_id() AS char) AS n",
        Engine::Sqlite => "SELECT '0' AS n",
    };
    let statement = Statement::from_string(db.get_database_backend(), sql);
    for _ in 0..20 {
        let options = TransactOptions::new().name("Numbers::read").read_only();
        let result: Result<()> = db
            .transact(options, || async {
                let row = db.query_one_raw(statement.clone()).await?.unwrap();
                let pid: String = row.try_get("", "n")?;
                let all = db.connections();
                let mine = all.iter().find(|c| c.held_by == Some("Numbers::read"));
                let known = mine
                    .unwrap()
                    .server_pid
                    .map_or("0".to_owned(), |n| n.to_string());
                assert_eq!(known, pid, "{all:?}");
                Ok(())
            })
            .await;
        result?;
    }
    let all = db.connections();
    assert!(all.len() <= 2, "each is known again: {all:?}");
    assert!(all.iter().map(|c| c.uses).sum::<u64>() >= 20);
    assert!(all.iter().map(|c| c.statements).sum::<u64>() >= 20);
    assert!(all.iter().any(|c| c.average_statement_seconds.is_some()));
    Ok(())
}

/// It would take its data with it.
async fn an_in_memory_database_is_never_replaced(_: Engine) -> TestResult {
    let strict = HealthSettings {
        max_usage: 1,
        max_age: Duration::ZERO,
        max_idle_time: Duration::ZERO,
        ..settings()
    };
    for hooks in [true, false] {
        let db = ResilientConnection::builder("sqlite::memory:")
            .health(strict.clone())
            .lifecycle_hooks(hooks)
            .connect()
            .await?;
        db.execute_unprepared("CREATE TABLE t (n INTEGER)").await?;
        for _ in 0..5 {
            db.execute_unprepared("INSERT INTO t VALUES (1)").await?;
            db.check_connections().await;
        }
    }
    let existing = sea_orm::Database::connect("sqlite::memory:").await?;
    let db = resilient_sea_orm::Builder::default()
        .health(strict)
        .to(existing)
        .connect()
        .await?;
    db.execute_unprepared("CREATE TABLE t (n INTEGER)").await?;
    db.execute_unprepared("INSERT INTO t VALUES (1)").await?;
    Ok(())
}

async fn an_existing_pool_is_tracked_and_said_to_be_without_hooks(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let db = ResilientConnection::from(test.connect(2).await?);
    db.execute_unprepared("SELECT 1").await?;
    assert!(!db.pool_status().lifecycle_hooks);
    assert_eq!(db.connections().len(), 1);
    let hooked = ResilientConnection::builder(test.url()).connect().await?;
    assert!(hooked.pool_status().lifecycle_hooks);
    Ok(())
}

engine_tests! {
    one_that_was_idle_for_too_long_is_stale_and_replaced,
    a_sweep_keeps_a_floor_and_goes_in_batches,
    numbers_of_a_connection_are_its_own,
    an_existing_pool_is_tracked_and_said_to_be_without_hooks,
}
engine_tests! { on_sqlite: an_in_memory_database_is_never_replaced }
