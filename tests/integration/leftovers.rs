//! What a failure leaves behind: on pooled sessions, in the error, and in the budget.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use resilient_sea_orm::{ResilientConnection, prelude::*};
use sea_orm::{ConnectionTrait, DatabaseTransaction, Statement};
use support::{Engine, TestResult, engine_tests};

use crate::bank::{Bank, add, enter, number, without_hanging};

const ONCE: TransactOptions = TransactOptions::new().retries(0);

fn statement(db: &ResilientConnection, sql: &str) -> Statement {
    Statement::from_string(db.get_database_backend(), sql)
}

async fn a_stale_plan_is_healed_by_the_retries(engine: Engine) -> TestResult {
    let bank = Bank::with_pool(engine, 1, 1).await;
    let db = &bank.db;
    let sql = "SELECT * FROM account WHERE id = $1";
    let read = || async {
        let prepared =
            Statement::from_sql_and_values(db.get_database_backend(), sql, [1_i32.into()]);
        let row = db.query_one_raw(prepared).await?.expect("a row");
        Ok::<_, Error>(row.column_names().len())
    };
    let call = async || db.transact(TransactOptions::new(), read).await;
    assert_eq!(call().await?, 2, "prepared now");
    let altered = "ALTER TABLE account ADD COLUMN extra INT";
    bank.test.admin().execute_unprepared(altered).await?;
    for _ in 0..3 {
        assert_eq!(call().await?, 3);
    }
    assert_eq!(bank.metrics().faults[&FaultKind::StalePlan], 1);
    Ok(())
}

async fn a_refused_begin_leaves_no_time_limit_on_the_session(engine: Engine) -> TestResult {
    let bank = Bank::with_pool(engine, 1, 1).await;
    let db = &bank.db;
    let limit = "SELECT CAST(CAST(@@session.max_statement_time * 1000 AS SIGNED) AS CHAR) AS n";
    let before = number(db, limit).await;
    // Somebody's distributed transaction is open on the one session, so no other may begin.
    db.execute_unprepared("XA START 'x'").await?;
    let deadline = ONCE.deadline(Duration::from_secs(50));
    let error = db.transact(deadline, || add(db, 1, 5)).await.unwrap_err();
    assert_eq!(error.fault().code(), "1399", "{error}");
    assert_eq!(error.outcome(), Outcome::NotSent, "{error}");
    assert_eq!(number(db, limit).await, before);
    db.transact(deadline, || add(db, 1, 5)).await?;
    assert_eq!(bank.balance(1).await, 105);
    Ok(())
}

async fn a_refused_read_only_begin_leaves_a_session_that_writes(engine: Engine) -> TestResult {
    let bank = Bank::with_pool(engine, 1, 1).await;
    let db = &bank.db;
    db.execute_unprepared("BEGIN").await?;
    let read_only = db.transact(ONCE.read_only(), || async {
        db.query_one_raw(statement(db, "SELECT 1")).await?;
        Ok::<_, Error>(())
    });
    let error = read_only.await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotSent, "{error}");
    add(db, 1, 5).await?;
    db.transact(ONCE, || add(db, 1, 5)).await?;
    assert_eq!(bank.balance(1).await, 110);
    Ok(())
}

async fn a_rollback_that_fails_does_not_hide_its_cause(engine: Engine) -> TestResult {
    let bank = Bank::open(engine, 1).await;
    let db = &bank.db;
    let error = db
        .transact(ONCE, || async {
            add(db, 1, 5).await?;
            let session = number(db, "SELECT CAST(pg_backend_pid() AS CHAR) AS n").await;
            db.transact(ONCE, || async {
                enter(db, 1, "twice").await?;
                enter(db, 1, "twice").await.unwrap_err();
                let kill = format!("SELECT pg_terminate_backend({session}, 10000)");
                bank.test.admin().execute_unprepared(&kill).await?;
                Ok::<_, Error>(())
            })
            .await
        })
        .await
        .unwrap_err();
    assert_eq!(error.kind(), FaultKind::Unique, "{error}");
    assert!(error.rollback_error().is_some(), "{error}");
    assert_eq!(error.outcome(), Outcome::RolledBack, "{error}");
    assert_eq!(bank.balance(1).await, 100);
    assert_eq!(bank.entries().await, 0);
    Ok(())
}

async fn limits_beyond_all_time_are_none(engine: Engine) -> TestResult {
    let bank = Bank::open(engine, 1).await;
    let db = &bank.db;
    for options in [
        ONCE.deadline(Duration::MAX),
        ONCE.timeout(Duration::MAX),
        TransactOptions::new().retries(u32::MAX),
    ] {
        let nested = db.transact(options, || async {
            db.transact(options, || add(db, 1, 1)).await
        });
        without_hanging(nested).await?;
    }
    assert_eq!(bank.balance(1).await, 103);
    Ok(())
}

async fn retries_inside_a_closures_transaction_that_helped_cost_no_budget(
    engine: Engine,
) -> TestResult {
    let bank = Bank::open(engine, 3).await;
    let db = &bank.db;
    let before = db.retry_budget();
    let take = "UPDATE account SET balance = balance + 1 WHERE id = 3";
    for _ in 0..3 {
        let held: &Mutex<Option<DatabaseTransaction>> = &Mutex::new(Some(bank.holds(take).await));
        let runs = &AtomicU32::new(0);
        db.transaction_async::<_, (), Error>(async |_| {
            add(db, 1, 1).await?;
            db.transact(TransactOptions::new(), || async {
                let second = runs.fetch_add(1, Ordering::SeqCst) == 1;
                let release = held.lock().expect("lock").take_if(|_| second);
                if let Some(held) = release {
                    held.rollback().await?;
                }
                let sql = "SELECT balance FROM account WHERE id = 3 FOR UPDATE NOWAIT";
                db.query_one_raw(statement(db, sql)).await?;
                Ok::<_, Error>(())
            })
            .await
        })
        .await?;
        assert_eq!(runs.load(Ordering::SeqCst), 2);
    }
    assert_eq!(bank.balance(1).await, 103);
    assert_eq!(db.retry_budget(), before);
    Ok(())
}

engine_tests! { limits_beyond_all_time_are_none }
engine_tests! { on_postgres on_mariadb: retries_inside_a_closures_transaction_that_helped_cost_no_budget }
engine_tests! { on_postgres: a_stale_plan_is_healed_by_the_retries, a_rollback_that_fails_does_not_hide_its_cause }
engine_tests! { on_mariadb: a_refused_begin_leaves_no_time_limit_on_the_session }
engine_tests! { on_sqlite: a_refused_read_only_begin_leaves_a_session_that_writes }
