//! Promise 1: a body that swallows a statement error never gets `Ok` for writes that are gone.
//! Each test shows next to it what the same program does with SeaORM's own transactions.

use std::sync::atomic::{AtomicU32, Ordering};

use resilient_sea_orm::{
    Builder, ResilientConnection, core::Reason, policy::RetryPolicy, prelude::*,
};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbErr, RuntimeErr, Statement, TransactionTrait,
};
use support::{Engine, TestResult, engine_tests, wait_until};

use crate::{
    bank::{Bank, add, impatient},
    rig::PATIENCE,
};

const NEVER: TransactOptions = TransactOptions::new().retries(0);

const TAKE_2: &str = "UPDATE account SET balance = balance WHERE id = 2";

/// The program: write, fail, swallow, write again, return `Ok`. On whatever connection.
async fn program(db: &impl ConnectionTrait, failing: &str) -> Result<(), DbErr> {
    db.execute_unprepared("UPDATE account SET balance = balance + 5 WHERE id = 1")
        .await?;
    let swallowed = db.execute_unprepared(failing).await;
    assert!(swallowed.is_err(), "{failing}");
    let _ = db
        .execute_unprepared("UPDATE account SET balance = balance + 5 WHERE id = 3")
        .await;
    Ok(())
}

async fn with_sea_orm(db: &DatabaseConnection, failing: &str) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    program(&tx, failing).await?;
    tx.commit().await
}

async fn with_ours(db: &ResilientConnection, failing: &str) -> Result<()> {
    db.transact(NEVER, || async {
        Ok::<_, Error>(program(db, failing).await?)
    })
    .await
}

fn assert_swallowed(error: &Error, kind: FaultKind) {
    assert_eq!(error.kind(), kind, "{error}");
    assert_eq!(error.reason(), &Reason::Swallowed, "{error}");
    assert_eq!(error.outcome(), Outcome::RolledBack, "{error}");
    assert!(error.db_err().is_some(), "the cause survives");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_swallowed_violation_loses_the_whole_transaction_on_postgres() -> TestResult {
    let bank = Bank::open(Engine::Postgres, 3).await;
    let failing = "INSERT INTO account VALUES (1, 1)";
    let naive = bank.test.connect(1).await?;
    with_sea_orm(&naive, failing).await?;
    assert_eq!(bank.total().await, 300, "reported as committed, and gone");

    let error = with_ours(&bank.db, failing).await.unwrap_err();
    assert_swallowed(&error, FaultKind::Unique);
    assert_eq!(bank.total().await, 300);
    assert_eq!(bank.metrics().doomed, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_swallowed_lock_timeout_commits_half_of_a_transfer_on_mariadb() -> TestResult {
    let bank = Bank::open(Engine::MariaDb, 3).await;
    let failing = &impatient(Engine::MariaDb, TAKE_2);
    let held = bank.holds(TAKE_2).await;
    let naive = bank.test.connect(1).await?;
    with_sea_orm(&naive, failing).await?;
    assert_eq!(
        bank.total().await,
        310,
        "two of three updates, reported as Ok"
    );

    let error = with_ours(&bank.db, failing).await.unwrap_err();
    assert_swallowed(&error, FaultKind::LockTimeout);
    assert_eq!(bank.total().await, 310, "nothing more");
    held.rollback().await?;
    Ok(())
}

/// Who has the second lock, and will want the first.
pub struct Opponent<'a> {
    bank: &'a Bank,
    go: tokio::sync::oneshot::Sender<()>,
}

impl Opponent<'_> {
    /// Makes it want what the program has, and returns when it waits for that.
    pub async fn wants_the_first(self) {
        self.go.send(()).expect("the opponent");
        let waits = async || Ok(self.bank.test.sessions_in_wait().await? == 1);
        let waits = wait_until("the opponent waits", PATIENCE, waits);
        waits.await.expect("it waits");
    }
}

/// A deadlock in which the program is the victim: the opponent has changed more rows.
pub async fn victim<T>(bank: &Bank, program: impl AsyncFnOnce(Opponent<'_>) -> T) -> T {
    let opponent = bank.test.connect(1).await.expect("connects");
    if bank.test.engine() == Engine::Postgres {
        // The victim is who looks for deadlocks first: it never does.
        let never = "SET deadlock_timeout = '1h'";
        opponent.execute_unprepared(never).await.expect(never);
    }
    let (go, gone) = tokio::sync::oneshot::channel::<()>();
    let tx = opponent.begin().await.expect("begins");
    for id in 100..140 {
        let sql = format!("INSERT INTO account VALUES ({id}, 0)");
        tx.execute_unprepared(&sql).await.expect("filler");
    }
    tx.execute_unprepared(TAKE_2).await.expect("first lock");
    let second = tokio::spawn(async move {
        gone.await.expect("the program has its first lock");
        tx.execute_unprepared("UPDATE account SET balance = balance WHERE id = 1")
            .await
            .expect("wins");
        tx.rollback().await.expect("rolls back");
    });
    let result = program(Opponent { bank, go }).await;
    second.await.expect("the opponent");
    result
}

/// Locks account 1, then wants 2, and ignores that it did not get it.
async fn ignore_deadlock(
    db: &impl ConnectionTrait,
    opponent: Option<Opponent<'_>>,
) -> Result<(), DbErr> {
    db.execute_unprepared("UPDATE account SET balance = balance + 5 WHERE id = 1")
        .await?;
    let contended = opponent.is_some();
    if let Some(opponent) = opponent {
        opponent.wants_the_first().await;
    }
    let second = "UPDATE account SET balance = balance + 5 WHERE id = 2";
    let swallowed = db.execute_unprepared(second).await;
    // On PostgreSQL a later run can be quicker than the opponent and become a victim again.
    assert!(swallowed.is_err() || !contended);
    let _ = db
        .execute_unprepared("UPDATE account SET balance = balance + 5 WHERE id = 3")
        .await;
    Ok(())
}

async fn a_swallowed_deadlock_is_retried_to_a_correct_ok(engine: Engine) -> TestResult {
    let bank = Bank::open(engine, 3).await;
    if engine == Engine::MariaDb {
        let naive = bank.test.connect(1).await?;
        victim(&bank, async |opponent| {
            let tx = naive.begin().await?;
            ignore_deadlock(&tx, Some(opponent)).await?;
            tx.rollback().await
        })
        .await?;
        assert_eq!(
            bank.total().await,
            305,
            "written in autocommit, and kept by a rollback"
        );
        add(&bank.db, 3, -5).await?;
    }
    let runs = AtomicU32::new(0);
    victim(&bank, async |opponent| {
        let opponent = std::sync::Mutex::new(Some(opponent));
        bank.db
            .transact(TransactOptions::new().retries(20), || {
                runs.fetch_add(1, Ordering::SeqCst);
                let opponent = opponent.lock().expect("lock").take();
                async { Ok::<_, Error>(ignore_deadlock(&bank.db, opponent).await?) }
            })
            .await
    })
    .await?;
    let runs = u64::from(runs.into_inner());
    assert!(runs >= 2);
    assert_eq!(bank.total().await, 315, "all three updates, once");
    assert_eq!(bank.metrics().doomed, runs - 1);
    Ok(())
}

async fn deferred(retries: u32) -> Bank {
    let builder = Builder::default().policy(RetryPolicy::new().retries(retries));
    Bank::impatient_sqlite(builder, 3).await
}

/// A write of equal values would leave no new snapshot.
const CHANGE_2: &str = "UPDATE account SET balance = balance + 1 WHERE id = 2";

async fn read(db: &impl ConnectionTrait) -> Result<(), DbErr> {
    let sql = "SELECT balance FROM account WHERE id = 1";
    db.query_one_raw(Statement::from_string(sea_orm::DbBackend::Sqlite, sql))
        .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_swallowed_busy_loses_a_write_on_sqlite() -> TestResult {
    let bank = deferred(0).await;
    let held = bank.holds(TAKE_2).await;
    let naive = bank.test.connect(1).await?;
    naive.execute_unprepared("PRAGMA busy_timeout = 1").await?;
    let tx = naive.begin().await?;
    read(&tx).await?;
    assert!(tx.execute_unprepared(TAKE_2).await.is_err(), "busy");
    tx.commit().await?;

    let error = bank
        .db
        .transact(NEVER, || async {
            read(&bank.db).await?;
            add(&bank.db, 1, 5).await.unwrap_err();
            Ok::<_, Error>(())
        })
        .await
        .unwrap_err();
    assert_swallowed(&error, FaultKind::LockTimeout);
    held.rollback().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_swallowed_stale_snapshot_is_retried_to_a_correct_ok_on_sqlite() -> TestResult {
    let bank = deferred(1).await;
    let naive = bank.test.connect(1).await?;
    let tx = naive.begin().await?;
    read(&tx).await?;
    bank.test.admin().execute_unprepared(CHANGE_2).await?;
    let stale = tx.execute_unprepared(TAKE_2).await.unwrap_err();
    let DbErr::Exec(RuntimeErr::SqlxError(stale)) = &stale else {
        panic!("{stale}")
    };
    let code = stale
        .as_database_error()
        .and_then(sea_orm::sqlx::error::DatabaseError::code);
    assert_eq!(code.as_deref(), Some("517"), "BUSY_SNAPSHOT");
    tx.commit().await?;

    let runs = AtomicU32::new(0);
    bank.db
        .transact(TransactOptions::new(), || async {
            read(&bank.db).await?;
            let first = runs.fetch_add(1, Ordering::SeqCst) == 0;
            if first {
                bank.test.admin().execute_unprepared(CHANGE_2).await?;
            }
            assert_eq!(add(&bank.db, 1, 5).await.is_err(), first);
            Ok::<_, Error>(())
        })
        .await?;
    assert_eq!(bank.balance(1).await, 105);
    assert_eq!(bank.metrics().faults[&FaultKind::SerializationFailure], 1);
    Ok(())
}

engine_tests! { on_postgres on_mariadb: a_swallowed_deadlock_is_retried_to_a_correct_ok }
