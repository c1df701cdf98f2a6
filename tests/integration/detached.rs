//! Calls that suspend the transaction: what they stored is there whatever becomes of them, so
//! they run again only as long as they have read.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use resilient_sea_orm::{Propagation, ResilientConnection, core::Reason, prelude::*};
use sea_orm::{
    ConnectOptions, ConnectionTrait, DatabaseTransaction, Statement, StreamTrait, TransactionTrait,
};
use support::{Engine, TestResult, engine_tests};

use crate::bank::{Bank, add, without_hanging};

const ONCE: TransactOptions = TransactOptions::new().retries(0);
const DETACHED: TransactOptions = TransactOptions::new().propagation(Propagation::NotSupported);

const ADD_5: &str = "UPDATE account SET balance = balance + 5 WHERE id = 1";
const TAKE_3: &str = "UPDATE account SET balance = balance + 1 WHERE id = 3";

fn statement(db: &ResilientConnection, sql: &str) -> Statement {
    Statement::from_string(db.get_database_backend(), sql)
}

async fn query(db: &ResilientConnection, sql: &str) -> Result<()> {
    db.query_all_raw(statement(db, sql)).await?;
    Ok(())
}

/// Fails transiently, as long as somebody else [holds](Bank::holds) `TAKE_3`.
async fn impatient_read(db: &ResilientConnection) -> Result<()> {
    let sql = "SELECT balance FROM account WHERE id = 3 FOR UPDATE NOWAIT";
    query(db, sql).await
}

/// Runs a detached call that stores 5 in account 1 and then fails transiently: it is not run
/// again, as its work is there.
async fn runs_once(bank: &Bank, store: impl AsyncFn(&ResilientConnection) -> Result<()>) {
    let db = &bank.db;
    let before = bank.balance(1).await;
    let held = bank.holds(TAKE_3).await;
    let runs = AtomicU32::new(0);
    let error = db
        .transact(DETACHED, || async {
            runs.fetch_add(1, Ordering::SeqCst);
            store(db).await?;
            impatient_read(db).await
        })
        .await
        .unwrap_err();
    held.rollback().await.expect("rolls back");
    assert_eq!(error.kind(), FaultKind::LockTimeout, "{error}");
    assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
    assert_eq!((runs.into_inner(), error.attempts()), (1, 1), "{error}");
    assert_eq!(bank.balance(1).await, before + 5, "stored, and once");
}

async fn what_a_nested_method_stored_is_not_repeated(engine: Engine) -> TestResult {
    let bank = Bank::open(engine, 3).await;
    let nested = async |db: &ResilientConnection| {
        db.transact(TransactOptions::new(), || add(db, 1, 5)).await
    };
    runs_once(&bank, nested).await;
    let own = async |db: &ResilientConnection| {
        let own = TransactOptions::new().propagation(Propagation::RequiresNew);
        db.transact(own, || add(db, 1, 5)).await
    };
    runs_once(&bank, own).await;
    Ok(())
}

async fn what_a_handle_committed_is_not_repeated(engine: Engine) -> TestResult {
    let bank = Bank::open(engine, 3).await;
    let handle = async |db: &ResilientConnection| {
        let tx = db.begin().await?;
        tx.execute_unprepared(ADD_5).await?;
        tx.commit().await?;
        Ok(())
    };
    runs_once(&bank, handle).await;
    Ok(())
}

async fn what_a_stream_stored_is_not_repeated(engine: Engine) -> TestResult {
    let bank = Bank::open(engine, 3).await;
    let stream = async |db: &ResilientConnection| {
        let sql = format!("{ADD_5} RETURNING balance");
        let rows = db.stream_raw(statement(db, &sql)).await?;
        assert_eq!(rows.count().await, 1);
        Ok(())
    };
    runs_once(&bank, stream).await;
    Ok(())
}

async fn what_a_select_stored_by_a_function_is_not_repeated(engine: Engine) -> TestResult {
    let bank = Bank::open(engine, 3).await;
    let function = format!(
        "CREATE FUNCTION bump() RETURNS bigint LANGUAGE sql AS '{ADD_5} RETURNING balance'"
    );
    bank.db.execute_unprepared(&function).await?;
    runs_once(&bank, async |db| query(db, "SELECT bump()").await).await;
    Ok(())
}

async fn what_explain_analyze_stored_is_not_repeated(engine: Engine) -> TestResult {
    let bank = Bank::open(engine, 3).await;
    for explain in ["EXPLAIN (ANALYZE)", "EXPLAIN ANALYZE"] {
        let sql = format!("{explain} {ADD_5}");
        runs_once(&bank, async |db| query(db, &sql).await).await;
    }
    Ok(())
}

async fn a_call_that_only_reads_is_run_again(engine: Engine) -> TestResult {
    let bank = Bank::open(engine, 3).await;
    let db = &bank.db;
    let held: Mutex<Option<DatabaseTransaction>> = Mutex::new(Some(bank.holds(TAKE_3).await));
    let runs = AtomicU32::new(0);
    db.transact(DETACHED, || async {
        let second = runs.fetch_add(1, Ordering::SeqCst) == 1;
        let release = held.lock().expect("lock").take_if(|_| second);
        if let Some(held) = release {
            held.rollback().await?;
        }
        query(db, "SELECT balance FROM account").await?;
        impatient_read(db).await
    })
    .await?;
    assert_eq!(runs.into_inner(), 2);
    Ok(())
}

async fn beside_a_pool_of_one_it_is_refused_at_once(engine: Engine) -> TestResult {
    let bank = Bank::open(engine, 1).await;
    let patience = Duration::from_secs(20);
    let mut options = ConnectOptions::new(bank.test.url());
    options.max_connections(1).acquire_timeout(patience);
    options.sqlx_logging(false);
    let db = &ResilientConnection::connect(options).await?;
    let start = Instant::now();
    let root = db.transact(ONCE, || async {
        add(db, 1, 5).await?;
        db.transact(DETACHED, || query(db, "SELECT 1")).await
    });
    let error = without_hanging(root).await.unwrap_err();
    assert!(start.elapsed() < patience / 2, "{:?}", start.elapsed());
    let text = error.to_string();
    assert!(matches!(error.reason(), Reason::Misuse(_)), "{text}");
    assert_eq!(error.kind(), FaultKind::PoolTimeout, "{text}");
    assert!(text.contains("max_connections"), "{text}");
    assert_eq!(bank.balance(1).await, 100);
    Ok(())
}

async fn a_timeout_after_a_write_leaves_an_unknown_outcome(engine: Engine) -> TestResult {
    let bank = Bank::open(engine, 1).await;
    let db = &bank.db;
    let runs = AtomicU32::new(0);
    let error = db
        .transact(DETACHED.timeout(Duration::from_secs(2)), || async {
            runs.fetch_add(1, Ordering::SeqCst);
            add(db, 1, 5).await?;
            std::future::pending::<Result<()>>().await
        })
        .await
        .unwrap_err();
    assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
    assert_eq!(error.reason(), &Reason::AttemptTimeout, "{error}");
    assert_eq!((runs.into_inner(), error.attempts()), (1, 1), "{error}");
    assert_eq!(bank.balance(1).await, 105);
    Ok(())
}

engine_tests! { on_postgres on_mariadb:
    what_a_nested_method_stored_is_not_repeated,
    what_a_handle_committed_is_not_repeated,
    a_call_that_only_reads_is_run_again,
    beside_a_pool_of_one_it_is_refused_at_once
}
engine_tests! { a_timeout_after_a_write_leaves_an_unknown_outcome }
engine_tests! { on_postgres:
    what_a_stream_stored_is_not_repeated,
    what_a_select_stored_by_a_function_is_not_repeated,
    what_explain_analyze_stored_is_not_repeated
}
