//! One session that is lost, or is not to be written to any more, stands for all that are as old.

use std::{
    collections::HashSet,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use resilient_sea_orm::{Closing, Error, FaultKind, ResilientConnection, Result, TransactOptions};
use sea_orm::ConnectionTrait;
use support::{Ending, Engine, Proxy, Server, TestDb, TestResult, engine_tests};

use super::{fill, hold, open, release, settings};
use crate::rig::PATIENCE;

const POOL: u32 = 20;

fn distrusted(db: &ResilientConnection) -> u64 {
    let churn = db.pool_status().churn;
    churn.closed.get(&Closing::Distrusted).copied().unwrap_or(0)
}

fn ids(db: &ResilientConnection) -> HashSet<u64> {
    db.connections().iter().map(|c| c.id).collect()
}

async fn table(test: &TestDb) -> TestResult {
    let sql = "CREATE TABLE entry (id INTEGER PRIMARY KEY)";
    test.admin().execute_unprepared(sql).await?;
    Ok(())
}

/// Enters a row with the default retries; how often the body ran.
async fn enter(db: &ResilientConnection, id: u32) -> (Result<()>, u32) {
    let runs = AtomicU32::new(0);
    let insert = format!("INSERT INTO entry VALUES ({id})");
    let result = db
        .transact(TransactOptions::new(), || async {
            runs.fetch_add(1, Ordering::SeqCst);
            db.execute_unprepared(&insert).await?;
            Ok(())
        })
        .await;
    (result, runs.into_inner())
}

/// Ends one session while it is in use, by its own statement.
async fn kill_own(engine: Engine, db: &ResilientConnection) -> Result<()> {
    let sql = match engine {
        Engine::Postgres => "SELECT pg_terminate_backend(pg_backend_pid())",
        _ => "KILL CONNECTION_ID()",
    };
    let options = TransactOptions::new().retries(0);
    db.transact(options, || async {
        db.execute_unprepared(sql).await?;
        Ok(())
    })
    .await
}

async fn after_one_disconnect_no_older_connection_is_used(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    table(&test).await?;
    let db = open(&test, POOL, PATIENCE, settings()).await;
    fill(&db, POOL).await;
    let before = ids(&db);
    let error = kill_own(engine, &db).await.expect_err("it ends itself");
    assert_eq!(error.kind(), FaultKind::ConnectionLost, "{error}");
    let (result, runs) = enter(&db, 1).await;
    result?;
    assert_eq!(runs, 1, "a new connection was opened at once");
    fill(&db, 3).await;
    assert!(ids(&db).is_disjoint(&before), "{:?}", db.connections());
    assert_eq!(
        distrusted(&db),
        u64::from(POOL) - 1,
        "{:?}",
        db.pool_status()
    );
    Ok(())
}

/// New ones cannot be opened, and those that are open work: that is no failure of theirs.
async fn a_connection_that_cannot_be_opened_speaks_against_none(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let proxy = Proxy::before(&test).await?;
    let mut options = sea_orm::ConnectOptions::new(proxy.url());
    options
        .max_connections(3)
        .acquire_timeout(Duration::from_secs(1))
        .sqlx_logging(false);
    let db = ResilientConnection::builder(options)
        .name(crate::bank::unique_name())
        .health(settings())
        .connect()
        .await?;
    fill(&db, 2).await;
    let before = ids(&db);
    let held = hold(&db, 2).await;
    proxy.cut_handshakes(Some(Ending::Reset));
    let refused = db.execute_unprepared("SELECT 1").await;
    assert!(refused.is_err(), "there is no third one");
    release(held).await;
    for _ in 0..4 {
        db.execute_unprepared("SELECT 1").await?;
    }
    assert_eq!((ids(&db), distrusted(&db)), (before, 0));
    db.close().await?;
    Ok(())
}

async fn an_expired_session_speaks_for_itself_alone(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let db = open(&test, 3, PATIENCE, settings()).await;
    fill(&db, 3).await;
    let result: Result<()> = db
        .transact(TransactOptions::new().retries(0), || async {
            let sql = "SET LOCAL idle_in_transaction_session_timeout = '1ms'";
            db.execute_unprepared(sql).await?;
            let ended = async || Ok(test.sessions().await? < 3);
            support::wait_until("the end of the session", PATIENCE, ended)
                .await
                .map_err(|error| Error::custom(error.to_string()))?;
            db.execute_unprepared("SELECT 1").await?;
            Ok(())
        })
        .await;
    assert_eq!(
        result.expect_err("expired").kind(),
        FaultKind::SessionExpired
    );
    fill(&db, 3).await;
    assert_eq!(distrusted(&db), 0);
    Ok(())
}

/// A server that was restarted has ended every session. Nobody is told of it twenty times.
async fn a_pool_of_dead_connections_is_survived_with_the_default_retries(
    engine: Engine,
) -> TestResult {
    let server = Server::start_private(engine, &[])?;
    let test = TestDb::on(&server).await?;
    table(&test).await?;
    let mut options = sea_orm::ConnectOptions::new(test.url());
    // The pool does not ask, as many configure it: each dead connection would be an error.
    options
        .max_connections(POOL)
        .test_before_acquire(false)
        .sqlx_logging(false);
    let db = ResilientConnection::builder(options)
        .name(crate::bank::unique_name())
        .health(settings())
        .connect()
        .await?;
    fill(&db, POOL).await;
    server.kill()?;
    server.restart()?;
    let mut calls = tokio::task::JoinSet::new();
    for id in 0..POOL {
        let db = db.clone();
        calls.spawn(async move { enter(&db, id).await });
    }
    let mut most = 0;
    while let Some(call) = calls.join_next().await {
        let (result, runs) = call?;
        result?;
        most = most.max(runs);
    }
    assert!(most <= 2, "{most} attempts");
    Ok(())
}

/// What a failover leaves: sessions that answer, and take no writes. New ones lead elsewhere; here
/// the setting that makes them read-only is taken back for those.
async fn sessions_that_take_no_writes_are_dropped(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    table(&test).await?;
    let sql = "ALTER DATABASE {} SET default_transaction_read_only = ";
    let name = test.url().rsplit('/').next().unwrap_or_default();
    let sql = sql.replace("{}", name);
    test.admin()
        .execute_unprepared(&format!("{sql} on"))
        .await?;
    let db = open(&test, POOL, PATIENCE, settings()).await;
    fill(&db, POOL).await;
    let before = ids(&db);
    test.admin()
        .execute_unprepared(&format!("{sql} off"))
        .await?;
    // A method that declares itself read-only, and writes, is wrong by itself.
    let declared: Result<()> = db
        .transact(TransactOptions::new().read_only(), || async {
            db.execute_unprepared("INSERT INTO entry VALUES (0)")
                .await?;
            Ok(())
        })
        .await;
    assert_eq!(declared.expect_err("declared").kind(), FaultKind::ReadOnly);
    assert_eq!(distrusted(&db), 0);
    let (result, runs) = enter(&db, 1).await;
    result?;
    assert_eq!(runs, 2, "the second connection was a new one");
    assert!(ids(&db).is_disjoint(&before), "{:?}", db.connections());
    assert_eq!(distrusted(&db), u64::from(POOL), "{:?}", db.pool_status());
    Ok(())
}

/// Adopted as it is, a pool has no hook.
async fn a_pool_that_does_not_ask_gets_rid_of_them_too(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    table(&test).await?;
    let db = ResilientConnection::from(test.connect(5).await?);
    fill(&db, 5).await;
    let held = super::hold(&db, 2).await;
    let before = ids(&db);
    kill_own(engine, &db).await.expect_err("it ends itself");
    super::release(held).await;
    let (result, runs) = enter(&db, 1).await;
    result?;
    assert_eq!(runs, 1);
    fill(&db, 5).await;
    assert!(ids(&db).is_disjoint(&before), "{:?}", db.connections());
    Ok(())
}

engine_tests! { on_postgres on_mariadb:
    a_connection_that_cannot_be_opened_speaks_against_none,
    after_one_disconnect_no_older_connection_is_used,
    a_pool_of_dead_connections_is_survived_with_the_default_retries,
    a_pool_that_does_not_ask_gets_rid_of_them_too,
}
engine_tests! { on_postgres:
    sessions_that_take_no_writes_are_dropped,
    an_expired_session_speaks_for_itself_alone,
}
