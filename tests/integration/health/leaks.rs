//! Connections that are kept too long, by whom.

use std::{sync::Arc, time::Duration};

use resilient_sea_orm::{HealthSettings, Result, TransactOptions, prelude::*};
use sea_orm::ConnectionTrait;
use support::{Engine, TestDb, TestResult, engine_tests, wait_until};
use tokio::sync::Notify;

use super::{open, settings};
use crate::rig::PATIENCE;

fn impatient() -> HealthSettings {
    HealthSettings {
        leak_after: Duration::from_millis(50),
        ..settings()
    }
}

/// A method that keeps its connection until it is told to end. The first statement is sent by a
/// method inside it, which is not the one that keeps it.
fn keeps(db: &ResilientConnection, until: &Arc<Notify>) -> tokio::task::JoinHandle<Result<()>> {
    let (db, until) = (db.clone(), Arc::clone(until));
    tokio::spawn(async move {
        let outer = TransactOptions::new().name("Reports::export").read_only();
        db.transact(outer, || async {
            let inner = TransactOptions::new().name("Reports::first_page");
            let first = || async {
                db.execute_unprepared("SELECT 1").await?;
                Ok::<_, Error>(())
            };
            db.transact(inner, first).await?;
            until.notified().await;
            Ok(())
        })
        .await
    })
}

async fn a_leak_exhausts_the_pool_and_is_named(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let db = open(&test, 1, Duration::from_secs(1), impatient()).await;
    let until = Arc::new(Notify::new());
    let leaking = keeps(&db, &until);
    let suspected = async || Ok(!db.pool_status().suspected_leaks.is_empty());
    wait_until("a suspected leak", PATIENCE, suspected).await?;
    let leaks = db.pool_status().suspected_leaks;
    assert_eq!(leaks.len(), 1);
    assert_eq!(leaks[0].held_by, Some("Reports::export"));
    assert!(leaks[0].held_seconds.unwrap() >= 0.05);
    assert_eq!(leaks[0].server_pid.is_some(), engine != Engine::Sqlite);

    // Who finds no connection learns why.
    let options = TransactOptions::new().retries(0);
    let result: Result<()> = db
        .transact(options, || async {
            db.execute_unprepared("SELECT 1").await?;
            Ok(())
        })
        .await;
    let error = result.unwrap_err();
    assert_eq!(error.kind(), FaultKind::PoolTimeout, "{error}");
    assert!(error.to_string().contains("Reports::export"), "{error}");
    let status = db.pool_status();
    assert!(status.acquire_failures >= 1, "{status:?}");

    until.notify_one();
    leaking.await??;
    let returned = async || Ok(db.connections().iter().all(|c| c.held_by.is_none()));
    wait_until("the connection's return", PATIENCE, returned).await?;
    assert!(db.pool_status().suspected_leaks.is_empty());
    Ok(())
}

async fn a_statement_outside_of_methods_has_no_name(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let db = open(&test, 2, PATIENCE, impatient()).await;
    let held = super::hold(&db, 1).await;
    let known = db.connections();
    let mine: Vec<_> = known.iter().filter(|c| c.held_seconds.is_some()).collect();
    assert_eq!(mine.len(), 1, "{known:?}");
    assert_eq!(mine[0].held_by, None);
    super::release(held).await;
    Ok(())
}

engine_tests! {
    a_leak_exhausts_the_pool_and_is_named,
    a_statement_outside_of_methods_has_no_name,
}
