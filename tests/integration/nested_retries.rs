//! Where a fault is retried, and how often: at the savepoint if that heals it, within one
//! allowance and one budget.

use std::{
    sync::Mutex,
    sync::atomic::{AtomicU32, Ordering},
};

use resilient_sea_orm::{
    policy::{BudgetConfig, Delay, StopReason},
    prelude::*,
};
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use support::{Engine, TestDb, TestResult, engine_tests};

use crate::bank::{Bank, always, impatient};

const THREE: TransactOptions = TransactOptions::new().retries(3).backoff(Delay::none());
const TAKE_1: &str = "UPDATE account SET balance = balance WHERE id = 1";

async fn on(engine: Engine) -> Bank {
    match engine {
        Engine::Sqlite => Bank::impatient_sqlite(resilient_sea_orm::Builder::default(), 2).await,
        _ => Bank::open(engine, 2).await,
    }
}

async fn a_nested_lock_timeout_is_retried_at_its_savepoint(engine: Engine) -> TestResult {
    let bank = on(engine).await;
    let db = &bank.db;
    let held: Mutex<Option<DatabaseTransaction>> = Mutex::new(Some(bank.holds(TAKE_1).await));
    let taking = impatient(
        engine,
        "UPDATE account SET balance = balance + 5 WHERE id = 1",
    );
    let (outer, inner) = (AtomicU32::new(0), AtomicU32::new(0));
    db.transact(THREE, || async {
        outer.fetch_add(1, Ordering::SeqCst);
        // SQLite has one lock for everything, so there the outer call only reads.
        match engine {
            Engine::Sqlite => drop(bank.balance(2).await),
            _ => crate::bank::add(db, 2, 5).await?,
        }
        db.transact(THREE, || async {
            inner.fetch_add(1, Ordering::SeqCst);
            let taken = db.execute_unprepared(&taking).await;
            if let Some(held) = { held.lock().expect("lock").take() } {
                assert!(taken.is_err(), "the lock was held");
                held.rollback().await?;
            }
            taken?;
            Ok::<_, Error>(())
        })
        .await
    })
    .await?;
    assert_eq!((outer.into_inner(), inner.into_inner()), (1, 2));
    assert_eq!(bank.balance(1).await, 105);
    let m = bank.metrics();
    assert_eq!((m.begun, m.savepoints, m.savepoints_rolled_back), (1, 2, 1));
    assert_eq!(
        db.retry_budget(),
        100,
        "a retry that helped costs no budget"
    );
    Ok(())
}

async fn layered_retries_share_one_allowance_and_do_not_multiply(engine: Engine) -> TestResult {
    for (kind, expected) in [
        // Retried at the innermost savepoint until nothing is left for the ones around it.
        (FaultKind::LockTimeout, [1, 1, 4]),
        // Retried at the root alone.
        (FaultKind::SerializationFailure, [4, 4, 4]),
    ] {
        let bank = on(engine).await;
        let db = &bank.db;
        let Some(failing) = always(engine, kind) else {
            continue;
        };
        let _held = match engine {
            Engine::Sqlite => Some(bank.holds(TAKE_1).await),
            _ => None,
        };
        let runs = [const { AtomicU32::new(0) }; 3];
        let count = |level: usize| runs[level].fetch_add(1, Ordering::SeqCst);
        let error = db
            .transact(THREE, || async {
                count(0);
                db.transact(THREE, || async {
                    count(1);
                    db.transact(THREE, || async {
                        count(2);
                        db.execute_unprepared(failing).await?;
                        Ok::<_, Error>(())
                    })
                    .await
                })
                .await
            })
            .await
            .unwrap_err();
        assert_eq!(runs.map(AtomicU32::into_inner), expected, "{kind}");
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(error.stop_reason(), Some(StopReason::AttemptsExhausted));
    }
    Ok(())
}

async fn a_database_that_fails_every_call_gets_a_fifth_more_and_the_reserve(
    engine: Engine,
) -> TestResult {
    let builder = resilient_sea_orm::Builder::default().retry_budget(BudgetConfig::new(0.2, 10));
    let bank = match engine {
        Engine::Sqlite => Bank::impatient_sqlite(builder, 1).await,
        _ => Bank::built(builder, TestDb::new(engine).await?, 1, 2).await,
    };
    let _held = match engine {
        Engine::Sqlite => Some(bank.holds(TAKE_1).await),
        _ => None,
    };
    let failing = always(engine, FaultKind::LockTimeout).expect("on every engine");
    let runs = AtomicU32::new(0);
    let mut exhausted = 0;
    for _ in 0..100 {
        let error = bank
            .db
            .transact(THREE, || async {
                // A nested call that fails takes from the same budget.
                bank.db
                    .transact(THREE, || async {
                        runs.fetch_add(1, Ordering::SeqCst);
                        bank.db.execute_unprepared(failing).await?;
                        Ok::<_, Error>(())
                    })
                    .await
            })
            .await
            .unwrap_err();
        if error.stop_reason() == Some(StopReason::BudgetExhausted) {
            exhausted += 1;
            assert!(error.to_string().contains("budget"), "{error}");
        }
    }
    let runs = runs.into_inner();
    assert!(
        (120..=130).contains(&runs),
        "{runs} executions of 100 calls"
    );
    assert!(exhausted >= 90, "{exhausted}");
    assert!(bank.metrics().budget_exhausted >= exhausted);
    Ok(())
}

engine_tests! {
    a_nested_lock_timeout_is_retried_at_its_savepoint,
    layered_retries_share_one_allowance_and_do_not_multiply,
    a_database_that_fails_every_call_gets_a_fifth_more_and_the_reserve,
}
