//! A pool that has no connection to give.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use resilient_sea_orm::{Result, policy::StopReason, prelude::*};
use support::{Engine, Server, TestResult, engine_tests};

use crate::{
    bank::add,
    rig::{Rig, hold, nothing_leaks},
};

fn impatient(pool: u32) -> Rig {
    let mut rig = Rig::new(pool);
    rig.acquire = Duration::from_millis(100);
    rig
}

async fn an_exhausted_pool_is_named_retried_and_nothing_was_sent(engine: Engine) -> TestResult {
    let bank = impatient(1).bank(engine, 2).await;
    let held = hold(&bank.db, 1).await;
    let tries = AtomicU32::new(0);
    let options = TransactOptions::new().retries(2).name("exhausted");
    let result: Result<()> = bank
        .db
        .transact(options, || async {
            tries.fetch_add(1, Ordering::SeqCst);
            add(&bank.db, 1, -1).await
        })
        .await;
    let error = result.unwrap_err();
    assert_eq!(error.kind(), FaultKind::PoolTimeout, "{error}");
    assert_eq!(error.outcome(), Outcome::NotSent, "{error}");
    assert_eq!((error.attempts(), tries.into_inner()), (3, 3), "{error}");
    assert_eq!(error.stop_reason(), Some(StopReason::AttemptsExhausted));
    assert!(error.is_transient());
    let text = error.to_string();
    for word in [
        bank.db.name(),
        "1 of 1 in use",
        "max_connections",
        "exhausted",
        "3 attempts",
    ] {
        assert!(text.contains(word), "{word} is not in: {text}");
    }
    // The holder was not disturbed, and what it held can be had again.
    for slot in held {
        slot.commit().await?;
    }
    nothing_leaks(&bank, 1).await;
    Ok(())
}

async fn a_swallowed_pool_timeout_is_not_an_empty_success(engine: Engine) -> TestResult {
    let bank = impatient(1).bank(engine, 2).await;
    let held = hold(&bank.db, 1).await;
    let options = TransactOptions::new().retries(0);
    let result: Result<()> = bank
        .db
        .transact(options, || async {
            add(&bank.db, 1, -1).await.ok();
            Ok(())
        })
        .await;
    let error = result.unwrap_err();
    assert_eq!(error.kind(), FaultKind::PoolTimeout, "{error}");
    assert_eq!(error.outcome(), Outcome::NotSent, "{error}");
    drop(held);
    Ok(())
}

async fn a_retry_gets_the_connection_that_became_free(engine: Engine) -> TestResult {
    let bank = impatient(1).bank(engine, 2).await;
    let held = std::sync::Mutex::new(hold(&bank.db, 1).await.pop());
    let tries = AtomicU32::new(0);
    let options = TransactOptions::new().retries(50);
    let result: Result<()> = bank
        .db
        .transact(options, || async {
            if tries.fetch_add(1, Ordering::SeqCst) == 1 {
                drop(held.lock().unwrap().take());
            }
            add(&bank.db, 1, -1).await
        })
        .await;
    result?;
    assert!(tries.into_inner() >= 2);
    assert_eq!(bank.balance(1).await, 99_999);
    Ok(())
}

async fn no_slot_is_lost_after_thousands_of_failed_acquires(engine: Engine) -> TestResult {
    let mut rig = Rig::new(2);
    rig.acquire = Duration::from_millis(10);
    let bank = rig.bank(engine, 2).await;
    let held = hold(&bank.db, 2).await;
    let waiting = (0..50).map(|_| {
        let db = bank.db.clone();
        tokio::spawn(async move {
            for _ in 0..60 {
                let options = TransactOptions::new().retries(0);
                let result: Result<()> = db.transact(options, || add(&db, 1, -1)).await;
                let kind = result.unwrap_err().kind();
                // There, writers stand in line before one of them asks for a connection.
                let in_line = engine == Engine::Sqlite && kind == FaultKind::LockTimeout;
                assert!(in_line || kind == FaultKind::PoolTimeout, "{kind}");
            }
        })
    });
    for task in futures_util::future::join_all(waiting).await {
        task?;
    }
    for slot in held {
        slot.rollback().await?;
    }
    drop(hold(&bank.db, 2).await);
    assert_eq!(bank.balance(1).await, 100_000);
    Ok(())
}

async fn a_server_that_is_down_is_not_called_an_exhausted_pool(engine: Engine) -> TestResult {
    let server = Server::start_private(engine, &[])?;
    let bank = impatient(4).private(&server, 2).await;
    drop(hold(&bank.db, 2).await);
    server.kill()?;
    let options = TransactOptions::new().retries(0);
    let result: Result<()> = bank.db.transact(options, || add(&bank.db, 1, -1)).await;
    let error = result.unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotSent, "{error}");
    assert_eq!(error.kind(), FaultKind::ServerUnavailable, "{error}");
    assert!(!error.to_string().contains("max_connections"), "{error}");
    server.restart()?;
    Ok(())
}

engine_tests! {
    an_exhausted_pool_is_named_retried_and_nothing_was_sent,
    a_swallowed_pool_timeout_is_not_an_empty_success,
    a_retry_gets_the_connection_that_became_free,
    no_slot_is_lost_after_thousands_of_failed_acquires,
}
engine_tests! { on_postgres on_mariadb:
    a_server_that_is_down_is_not_called_an_exhausted_pool,
}
