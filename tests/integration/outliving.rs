//! Futures of a transaction that outlive its body, or that nobody polls any more; and others
//! that work on it without being a part of it at first sight.

use std::{
    pin::pin,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use resilient_sea_orm::{Propagation, ResilientConnection, core::Reason, prelude::*};
use sea_orm::{ConnectionTrait, Statement, StreamTrait};
use support::{Engine, TestDb, TestResult, engine_tests};
use tokio::time::{sleep, timeout};

use crate::bank::{Bank, add, without_hanging};

const ONCE: TransactOptions = TransactOptions::new().retries(0);
const MOMENT: Duration = Duration::from_millis(500);

/// A bank that soon loses its patience with what it waits for.
async fn impatient(engine: Engine) -> Bank {
    let builder = resilient_sea_orm::Builder::default().statement_limit(Duration::from_secs(2));
    let test = TestDb::new(engine).await.expect("a database");
    Bank::built(builder, test, 3, 4).await
}

fn statement(db: &ResilientConnection, sql: &str) -> Statement {
    Statement::from_string(db.get_database_backend(), sql)
}

async fn balances(bank: &Bank) -> [i64; 3] {
    [
        bank.balance(1).await,
        bank.balance(2).await,
        bank.balance(3).await,
    ]
}

async fn a_nested_call_that_outlives_the_body_is_not_committed_by_halves(
    engine: Engine,
) -> TestResult {
    let bank = Bank::open(engine, 3).await;
    let db = &bank.db;
    let mut step = pin!(db.transact(ONCE, || async {
        add(db, 1, -5).await?;
        // The last statement is not sent before the body has ended.
        sleep(10 * MOMENT).await;
        add(db, 2, 5).await
    }));
    let error = {
        let step = tokio::sync::Mutex::new(step.as_mut());
        let body = db.transact(ONCE, || async {
            add(db, 3, 1).await?;
            let mut step = step.lock().await;
            let unfinished = timeout(5 * MOMENT, step.as_mut()).await;
            assert!(unfinished.is_err());
            Ok::<_, Error>(())
        });
        without_hanging(body).await.unwrap_err()
    };
    assert!(matches!(error.reason(), Reason::Misuse(_)), "{error}");
    assert!(error.to_string().contains("await every"), "{error}");
    assert_eq!(error.outcome(), Outcome::RolledBack, "{error}");
    assert_eq!(balances(&bank).await, [100; 3]);
    let error = without_hanging(step).await.unwrap_err();
    assert!(matches!(error.reason(), Reason::Misuse(_)), "{error}");
    assert_eq!(balances(&bank).await, [100; 3]);
    Ok(())
}

/// The same in the middle of a statement, whose answer nobody takes.
async fn a_statement_that_outlives_the_body_ends_it_in_an_error(engine: Engine) -> TestResult {
    let bank = impatient(engine).await;
    let db = &bank.db;
    let asleep = match engine {
        Engine::Postgres => "SELECT pg_sleep(1.5)",
        _ => "SELECT SLEEP(1.5)",
    };
    for (nested, ok) in [(true, true), (true, false), (false, true), (false, false)] {
        let step = async || {
            add(db, 1, -5).await?;
            db.execute_unprepared(asleep).await?;
            Ok::<_, Error>(())
        };
        let mut step = pin!(async {
            if nested {
                db.transact(ONCE, &step).await
            } else {
                step().await
            }
        });
        let error = {
            let step = tokio::sync::Mutex::new(step.as_mut());
            let body = db.transact(ONCE, || async {
                add(db, 3, 1).await?;
                let mut step = step.lock().await;
                let unfinished = timeout(MOMENT, step.as_mut()).await;
                assert!(unfinished.is_err());
                if ok {
                    Ok(())
                } else {
                    Err(Error::custom("on purpose"))
                }
            });
            without_hanging(body).await.unwrap_err()
        };
        assert_eq!(error.outcome(), Outcome::RolledBack, "{error}");
        let polled = error.to_string().contains("not polled");
        assert_eq!(polled, ok, "{error}");
        // A statement knows only of itself, a call of its transaction.
        let late = without_hanging(step).await;
        assert!(late.is_err() || !nested);
        assert_eq!(balances(&bank).await, [100; 3]);
    }
    Ok(())
}

async fn a_nested_call_that_fails_beside_an_unpolled_statement_does_not_hang(
    engine: Engine,
) -> TestResult {
    let bank = impatient(engine).await;
    let db = &bank.db;
    let asleep = match engine {
        Engine::Postgres => "SELECT pg_sleep(1.5)",
        _ => "SELECT SLEEP(1.5)",
    };
    let body = db.transact(ONCE, || async {
        add(db, 3, 1).await?;
        let branch = tokio::sync::Mutex::new(Box::pin(db.execute_unprepared(asleep)));
        let failed = db.transact(ONCE, || async {
            add(db, 1, -5).await?;
            let unfinished = timeout(MOMENT, branch.lock().await.as_mut()).await;
            assert!(unfinished.is_err());
            Err::<(), _>(Error::custom("on purpose"))
        });
        failed.await.unwrap_err();
        add(db, 2, 5).await
    });
    let error = without_hanging(body).await.unwrap_err();
    assert!(error.to_string().contains("not polled"), "{error}");
    assert_eq!(error.outcome(), Outcome::RolledBack, "{error}");
    assert_eq!(balances(&bank).await, [100; 3]);
    Ok(())
}

async fn the_connection_beside_an_unpolled_nested_call_is_an_error(engine: Engine) -> TestResult {
    let bank = impatient(engine).await;
    let db = &bank.db;
    let body = db.transact(ONCE, || async {
        add(db, 3, 1).await?;
        let mut step = pin!(db.transact(ONCE, || async {
            add(db, 1, -5).await?;
            std::future::pending::<Result<()>>().await
        }));
        let unfinished = timeout(MOMENT, step.as_mut()).await;
        assert!(unfinished.is_err());
        add(db, 2, 5).await
    });
    let error = without_hanging(body).await.unwrap_err();
    assert!(matches!(error.reason(), Reason::Misuse(_)), "{error}");
    assert!(error.to_string().contains("not polled"), "{error}");
    assert_eq!(error.outcome(), Outcome::RolledBack, "{error}");
    assert_eq!(balances(&bank).await, [100; 3]);
    Ok(())
}

async fn a_statement_that_waits_for_its_own_branchs_stream_does_not_hang(
    engine: Engine,
) -> TestResult {
    let bank = Bank::open(engine, 3).await;
    let db = &bank.db;
    let body = db.transact(ONCE, || async {
        add(db, 3, 1).await?;
        let (before, stream, after) = tokio::join!(
            add(db, 1, 5),
            db.stream_raw(statement(db, "SELECT id FROM account")),
            // The stream is kept until this one is done.
            add(db, 2, 5),
        );
        before?;
        drop(stream?);
        Ok::<_, Error>(after.is_ok())
    });
    let third = without_hanging(body).await?;
    let expected = if third { 105 } else { 100 };
    assert_eq!(balances(&bank).await, [105, expected, 101]);
    Ok(())
}

async fn two_connections_to_one_pool_share_the_transaction(engine: Engine) -> TestResult {
    let bank = Bank::open(engine, 3).await;
    let pool = bank.test.connect(4).await?;
    let one = &ResilientConnection::from(pool.clone());
    let other = &ResilientConnection::from(pool.clone());
    for ok in [false, true] {
        let call = one.transact(ONCE, || async {
            add(one, 1, 5).await?;
            add(other, 2, 5).await?;
            other.transact(ONCE, || add(other, 3, 5)).await?;
            if ok {
                Ok(())
            } else {
                Err(Error::custom("on purpose"))
            }
        });
        assert_eq!(without_hanging(call).await.is_ok(), ok);
        assert_eq!(balances(&bank).await, [if ok { 105 } else { 100 }; 3]);
    }
    Ok(())
}

async fn a_failure_that_was_survived_does_not_repeat_what_came_after(engine: Engine) -> TestResult {
    let bank = Bank::open(engine, 3).await;
    let db = &bank.db;
    let held = bank
        .holds("UPDATE account SET balance = balance + 1 WHERE id = 3")
        .await;
    let runs = AtomicU32::new(0);
    let error = db
        .transact(TransactOptions::new(), || async {
            runs.fetch_add(1, Ordering::SeqCst);
            add(db, 2, 1).await?;
            let busy = db.transact(ONCE, || async {
                let sql = "SELECT balance FROM account WHERE id = 3 FOR UPDATE NOWAIT";
                db.query_one_raw(statement(db, sql)).await?;
                Ok::<_, Error>(())
            });
            assert_eq!(busy.await.unwrap_err().kind(), FaultKind::LockTimeout);
            let audit = TransactOptions::new().propagation(Propagation::RequiresNew);
            db.transact(audit, || add(db, 1, 5)).await?;
            Err::<(), _>(Error::custom("the row is busy"))
        })
        .await
        .unwrap_err();
    held.rollback().await?;
    assert_eq!((runs.into_inner(), error.attempts()), (1, 1), "{error}");
    assert_eq!(error.outcome(), Outcome::RolledBack, "{error}");
    assert_eq!(balances(&bank).await, [105, 100, 100], "audited once");
    Ok(())
}

engine_tests! {
    a_nested_call_that_outlives_the_body_is_not_committed_by_halves,
    the_connection_beside_an_unpolled_nested_call_is_an_error,
    a_statement_that_waits_for_its_own_branchs_stream_does_not_hang,
    two_connections_to_one_pool_share_the_transaction,
}
engine_tests! { on_postgres on_mariadb:
    a_statement_that_outlives_the_body_ends_it_in_an_error,
    a_nested_call_that_fails_beside_an_unpolled_statement_does_not_hang,
    a_failure_that_was_survived_does_not_repeat_what_came_after
}
