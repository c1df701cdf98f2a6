//! Transactions that a stored routine ends behind the caller's back, on MariaDB: the server says
//! nothing of it, and the call says at least that it does not know.

use std::sync::Mutex;

use resilient_sea_orm::prelude::*;
use sea_orm::{ConnectionTrait, TransactionTrait};
use support::{Engine, TestResult, engine_tests};
use tokio::sync::oneshot;

use crate::bank::{Bank, add, without_hanging};

const ONCE: TransactOptions = TransactOptions::new().retries(0);
const TAKE_1: &str = "UPDATE account SET balance = balance WHERE id = 1";
const TAKE_2: &str = "UPDATE account SET balance = balance WHERE id = 2";

async fn with_procedure(engine: Engine, body: &str) -> Bank {
    let bank = Bank::open(engine, 3).await;
    let sql = format!("CREATE PROCEDURE routine() BEGIN {body} END");
    bank.db.execute_unprepared(&sql).await.expect(&sql);
    bank
}

fn assert_unknown(error: &Error) {
    assert_eq!(error.kind(), FaultKind::CommitUnknown, "{error}");
    assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
    assert_eq!(error.attempts(), 1, "{error}");
}

async fn a_procedure_that_swallows_a_deadlock_is_never_ok(engine: Engine) -> TestResult {
    let bank = with_procedure(
        engine,
        "DECLARE CONTINUE HANDLER FOR SQLEXCEPTION BEGIN END;
         UPDATE account SET balance = balance + 5 WHERE id = 2;",
    )
    .await;
    let db = &bank.db;
    // The opponent has changed more rows, so the procedure is the victim.
    let opponent = bank.test.connect(2).await?;
    let tx = opponent.begin().await?;
    for id in 100..140 {
        let sql = format!("INSERT INTO account VALUES ({id}, 0)");
        tx.execute_unprepared(&sql).await?;
    }
    tx.execute_unprepared(TAKE_2).await?;
    let (go, gone) = oneshot::channel::<()>();
    let second = tokio::spawn(async move {
        gone.await.expect("the program has its first lock");
        tx.execute_unprepared(TAKE_1).await.expect("wins");
        tx.rollback().await.expect("rolls back");
    });
    let go = Mutex::new(Some(go));
    // With retries left: whether the first run is stored is not known, so it is the only one.
    let call = db.transact(TransactOptions::new(), || async {
        add(db, 1, 5).await?;
        let go = go.lock().expect("lock").take().expect("runs once");
        go.send(()).expect("the opponent waits");
        // Whoever waits first, it is a deadlock, and the one that has changed less loses it.
        db.execute_unprepared("CALL routine()").await?;
        add(db, 3, 5).await
    });
    let error = without_hanging(call).await.unwrap_err();
    second.await?;
    assert_unknown(&error);
    // The part before was rolled back by the server; the procedure's own UPDATE did not happen.
    assert_eq!((bank.balance(1).await, bank.balance(2).await), (100, 100));
    Ok(())
}

async fn a_failing_call_whose_procedure_committed_is_not_called_rolled_back(
    engine: Engine,
) -> TestResult {
    let bank = with_procedure(engine, "COMMIT;").await;
    let db = &bank.db;
    let error = db
        .transact(TransactOptions::new(), || async {
            add(db, 1, 5).await?;
            db.execute_unprepared("CALL routine()").await?;
            add(db, 2, 5).await?;
            Err::<(), _>(Error::custom("on purpose"))
        })
        .await
        .unwrap_err();
    assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
    assert_eq!(error.attempts(), 1, "{error}");
    assert_eq!(bank.balance(1).await, 105, "the procedure committed it");
    Ok(())
}

async fn a_call_whose_procedure_committed_is_never_ok(engine: Engine) -> TestResult {
    let bank = with_procedure(engine, "COMMIT;").await;
    let db = &bank.db;
    let error = db
        .transact(TransactOptions::new(), || async {
            add(db, 1, 5).await?;
            db.execute_unprepared("CALL routine()").await?;
            add(db, 2, 5).await
        })
        .await
        .unwrap_err();
    assert_unknown(&error);
    assert_eq!(bank.balance(1).await, 105, "the procedure committed it");
    Ok(())
}

async fn a_procedure_that_only_works_is_part_of_the_transaction(engine: Engine) -> TestResult {
    let work = "UPDATE account SET balance = balance + 5 WHERE id = 2;";
    let bank = with_procedure(engine, work).await;
    let db = &bank.db;
    for ok in [true, false] {
        let result = db
            .transact(ONCE, || async {
                add(db, 1, 5).await?;
                db.execute_unprepared("CALL routine()").await?;
                if ok {
                    Ok(())
                } else {
                    Err(Error::custom("on purpose"))
                }
            })
            .await;
        match result {
            Ok(()) => assert!(ok),
            Err(error) => assert_eq!(error.outcome(), Outcome::RolledBack, "{error}"),
        }
        assert_eq!((bank.balance(1).await, bank.balance(2).await), (105, 105));
    }
    let m = bank.metrics();
    assert_eq!((m.committed, m.rolled_back, m.discarded), (1, 1, 0));
    Ok(())
}

engine_tests! { on_mariadb:
    a_procedure_that_swallows_a_deadlock_is_never_ok,
    a_failing_call_whose_procedure_committed_is_not_called_rolled_back,
    a_call_whose_procedure_committed_is_never_ok,
    a_procedure_that_only_works_is_part_of_the_transaction
}
