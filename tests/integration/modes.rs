//! Isolation and access mode: what a nested call may ask for, and what stays behind.

use resilient_sea_orm::{IsolationLevel, Propagation, core::Reason, prelude::*};
use support::{Engine, TestResult, engine_tests};

use crate::bank::{Bank, add, enter};

const OPTIONS: TransactOptions = TransactOptions::new().retries(3);

async fn a_stricter_isolation_than_the_outer_one_is_refused_with_advice(
    engine: Engine,
) -> TestResult {
    let bank = Bank::open(engine, 1).await;
    let db = &bank.db;
    let runs = std::sync::atomic::AtomicU32::new(0);
    let body = || async {
        runs.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        add(db, 1, 1).await
    };
    db.transact(OPTIONS.isolation(IsolationLevel::ReadCommitted), || async {
        let strict = OPTIONS.isolation(IsolationLevel::Serializable);
        let error = db.transact(strict, body).await.unwrap_err();
        let text = error.to_string();
        assert!(matches!(error.reason(), Reason::Misuse(_)), "{text}");
        for part in [
            "serializable",
            "read_committed",
            "requires_new",
            "outermost",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert_eq!((error.attempts(), error.outcome()), (1, Outcome::NotSent));
        let required = strict.propagation(Propagation::Required);
        assert!(db.transact(required, body).await.is_err());
        assert_eq!(runs.load(std::sync::atomic::Ordering::SeqCst), 0);
        // The same or a weaker one is fine.
        let weaker = OPTIONS.isolation(IsolationLevel::ReadUncommitted);
        db.transact(weaker, body).await?;
        db.transact(OPTIONS.isolation(IsolationLevel::ReadCommitted), body)
            .await
    })
    .await?;
    assert_eq!(bank.balance(1).await, 102);
    Ok(())
}

async fn a_write_in_a_read_only_method_fails_and_is_not_retried(engine: Engine) -> TestResult {
    // One connection, so that the next user gets the same.
    let bank = Bank::with_pool(engine, 1, 1).await;
    let db = &bank.db;
    let read_only = OPTIONS.read_only();
    let error = db.transact(read_only, || add(db, 1, 1)).await.unwrap_err();
    assert_eq!(error.kind(), FaultKind::ReadOnly, "{error}");
    assert_eq!(
        (error.attempts(), error.outcome()),
        (1, Outcome::RolledBack)
    );
    add(db, 1, 1).await?;
    db.transact(OPTIONS, || add(db, 1, 1)).await?;

    // A nested method that writes fails of it too, and so does a method that swallows it.
    let error = db
        .transact(read_only, || async {
            bank.balance(1).await;
            db.transact(OPTIONS, || add(db, 1, 1)).await
        })
        .await
        .unwrap_err();
    assert_eq!(error.kind(), FaultKind::ReadOnly, "{error}");
    assert_eq!(error.attempts(), 1);
    let swallowed = db.transact(read_only, || async {
        add(db, 1, 1).await.unwrap_err();
        Ok::<_, Error>(())
    });
    assert_eq!(swallowed.await.unwrap_err().kind(), FaultKind::ReadOnly);
    assert_eq!(bank.balance(1).await, 102);
    Ok(())
}

async fn the_read_only_state_ends_however_the_method_ends(engine: Engine) -> TestResult {
    let bank = Bank::with_pool(engine, 1, 1).await;
    let db = &bank.db;
    let read_only = OPTIONS.read_only().isolation(IsolationLevel::Serializable);
    for how in ["ok", "error", "dropped", "panic"] {
        let db = db.clone();
        let started = std::sync::Arc::new(tokio::sync::Notify::new());
        let signal = started.clone();
        let call = tokio::spawn(async move {
            db.transact(read_only, || async {
                crate::bank::number(&db, "SELECT CAST(COUNT(*) AS CHAR) AS n FROM entry").await;
                signal.notify_one();
                match how {
                    "error" => return Err(Error::custom("on purpose")),
                    "dropped" => std::future::pending().await,
                    "panic" => panic!("on purpose"),
                    _ => {}
                }
                Ok::<_, Error>(())
            })
            .await
        });
        started.notified().await;
        if how == "dropped" {
            call.abort();
        }
        assert_eq!(matches!(call.await, Ok(Ok(()))), how == "ok", "{how}");
        add(&bank.db, 1, 1).await?;
        bank.db.transact(OPTIONS, || add(&bank.db, 1, 1)).await?;
    }
    assert_eq!(bank.balance(1).await, 108);
    // Reported by the server, not by a connection that was closed.
    assert_eq!(bank.metrics().discarded, 0);
    Ok(())
}

async fn not_supported_and_supports_write_at_once_outside_of_a_transaction(
    engine: Engine,
) -> TestResult {
    let bank = Bank::open(engine, 0).await;
    let db = &bank.db;
    for (id, mode) in [(1, Propagation::Supports), (2, Propagation::NotSupported)] {
        let error = db
            .transact(OPTIONS.propagation(mode), || async {
                enter(db, id, &format!("note {id}")).await?;
                Err::<(), _>(Error::custom("on purpose"))
            })
            .await
            .unwrap_err();
        assert_eq!(
            error.outcome(),
            Outcome::Unknown,
            "it may have written: {error}"
        );
    }
    assert_eq!(bank.entries().await, 2);
    assert_eq!(bank.metrics().begun, 0);
    Ok(())
}

engine_tests! {
    a_stricter_isolation_than_the_outer_one_is_refused_with_advice,
    a_write_in_a_read_only_method_fails_and_is_not_retried,
    the_read_only_state_ends_however_the_method_ends,
    not_supported_and_supports_write_at_once_outside_of_a_transaction,
}
