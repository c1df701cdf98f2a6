//! Handles from `begin()` beside, inside and after the methods they were opened in.

use std::sync::Mutex;

use resilient_sea_orm::{ResilientTransaction, prelude::*, time::FakeClock};
use sea_orm::{ConnectionTrait, TransactionTrait};
use support::{Engine, TestDb, TestResult, engine_tests};

use crate::bank::{Bank, enter, without_hanging};

const ONCE: TransactOptions = TransactOptions::new().retries(0);

async fn note(db: &impl ConnectionTrait, id: i64) -> Result<()> {
    db.execute_unprepared(&format!("INSERT INTO entry VALUES ({id}, 'note {id}')"))
        .await?;
    Ok(())
}

/// A bank whose clock does not wait: patience with a handle ends at once.
async fn impatient(engine: Engine) -> Bank {
    let builder = resilient_sea_orm::Builder::default().clock(FakeClock::new());
    let test = TestDb::new(engine).await.expect("a database");
    Bank::built(builder, test, 0, 2).await
}

async fn the_connection_beside_an_open_handle_is_an_error_that_names_it(
    engine: Engine,
) -> TestResult {
    let bank = impatient(engine).await;
    let db = &bank.db;
    db.transact(ONCE, || async {
        note(db, 1).await?;
        let handle = db.begin().await?;
        note(&handle, 2).await?;
        let refused = note(db, 3).await.unwrap_err();
        assert!(refused.to_string().contains("begin()"), "{refused}");
        // Nothing is lost: the handle goes on, and then the connection.
        note(&handle, 4).await?;
        handle.commit().await?;
        note(db, 5).await?;
        let handle = db.begin().await?;
        note(&handle, 6).await?;
        handle.rollback().await?;
        note(db, 7).await
    })
    .await?;
    assert_eq!(bank.entries().await, 5, "1, 2, 4, 5 and 7");
    Ok(())
}

async fn an_outer_handle_inside_a_nested_method_is_an_error_and_not_a_hang(
    engine: Engine,
) -> TestResult {
    let bank = impatient(engine).await;
    let db = &bank.db;
    db.transact(ONCE, || async {
        let handle = db.begin().await?;
        let handle = &handle;
        db.transact(ONCE, || async {
            note(db, 1).await?;
            // The handle would wait for this very call's savepoint to end.
            let refused = without_hanging(note(handle, 2)).await.unwrap_err();
            assert!(refused.to_string().contains("wait for itself"), "{refused}");
            note(db, 3).await
        })
        .await?;
        note(handle, 4).await?;
        // Now it is the nested call that would wait for the handle.
        let refused = db.transact(ONCE, || note(db, 5)).await.unwrap_err();
        assert!(refused.to_string().contains("begin()"), "{refused}");
        Err::<(), _>(Error::custom("on purpose"))
    })
    .await
    .unwrap_err();
    let root = db.begin().await?;
    let result = root
        .transaction(|inner| {
            let db = db.clone();
            Box::pin(async move {
                note(inner, 6).await?;
                note(&db, 7).await
            })
        })
        .await;
    result?;
    root.commit().await?;
    assert_eq!(bank.entries().await, 2);
    Ok(())
}

async fn a_handle_that_outlives_its_method_is_an_error(engine: Engine) -> TestResult {
    let bank = impatient(engine).await;
    let db = &bank.db;
    let keep: Mutex<Option<ResilientTransaction>> = Mutex::new(None);
    let kept = || keep.lock().expect("lock").take().expect("kept");

    // Never used: nothing is lost with it, and it is of no use.
    db.transact(ONCE, || async {
        note(db, 1).await?;
        *keep.lock().expect("lock") = Some(db.begin().await?);
        Ok::<_, Error>(())
    })
    .await?;
    let handle = kept();
    let refused = note(&handle, 2).await.unwrap_err();
    assert!(refused.to_string().contains("already ended"), "{refused}");
    assert!(handle.commit().await.is_err(), "it has nothing to commit");

    // Used and undecided: its method cannot return Ok, at the root or nested.
    let leak = || async {
        note(db, 3).await?;
        let handle = db.begin().await?;
        note(&handle, 4).await?;
        *keep.lock().expect("lock") = Some(handle);
        Ok::<_, Error>(())
    };
    let error = db.transact(ONCE, leak).await.unwrap_err();
    assert!(error.to_string().contains("still open"), "{error}");
    assert_eq!(error.outcome(), Outcome::RolledBack);
    assert!(kept().commit().await.is_err(), "its work is gone");

    db.transact(ONCE, || async {
        note(db, 5).await?;
        let error = db.transact(ONCE, leak).await.unwrap_err();
        assert!(error.to_string().contains("still open"), "{error}");
        let handle = kept();
        assert!(note(&handle, 6).await.is_err());
        assert!(handle.commit().await.is_err(), "its work is gone");
        note(db, 7).await
    })
    .await?;
    assert_eq!(bank.entries().await, 3, "1, 5 and 7");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_drop_of_a_handle_undoes_its_work_alone_on_sqlite() -> TestResult {
    let bank = Bank::open(Engine::Sqlite, 0).await;
    let db = &bank.db;
    db.transact(ONCE, || async {
        let outer = db.begin().await?;
        note(&outer, 1).await?;
        let inner = outer.begin().await?;
        note(&inner, 2).await?;
        drop(inner);
        note(&outer, 3).await?;
        outer.commit().await?;
        enter(db, 4, "note 4").await
    })
    .await?;
    assert_eq!(bank.entries().await, 3, "1, 3 and 4");
    Ok(())
}

engine_tests! {
    the_connection_beside_an_open_handle_is_an_error_that_names_it,
    an_outer_handle_inside_a_nested_method_is_an_error_and_not_a_hang,
    a_handle_that_outlives_its_method_is_an_error,
}
