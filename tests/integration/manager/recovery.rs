//! Sessions whose connection goes, and the steps back.

use resilient_sea_orm::{
    FaultKind, Outcome, ResilientConnection, Result,
    health::HealthEvent,
    manager::{Condition, RecoveryStep},
    prelude::*,
};
use sea_orm::{ConnectOptions, ConnectionTrait};
use support::{Engine, TestDb, TestResult, engine_tests, wait_until};
use tokio::sync::Barrier;

use super::{cut, manager, quiet, recoveries, step};
use crate::{
    bank::{add, unique_name},
    rig::{Rig, nothing_leaks},
};

const ONCE: TransactOptions = TransactOptions::new().retries(0);

async fn a_session_that_loses_its_connection_is_recovered(engine: Engine) -> TestResult {
    let bank = Rig::new(2).bank(engine, 1).await;
    let manager = manager(&bank.db);
    let session = manager.session("w").await?;
    let mut hears = bank.db.health_events();
    let error = session
        .run_with(ONCE, |db| {
            let bank = &bank;
            async move {
                add(&db, 1, -1).await?;
                cut(bank).await;
                add(&db, 1, -1).await
            }
        })
        .await
        .unwrap_err();
    assert_eq!(error.kind(), FaultKind::ConnectionLost, "{error}");
    assert_eq!(error.outcome(), Outcome::RolledBack, "{error}");
    let report = session.report();
    assert_eq!(
        (report.condition, report.recovered),
        (Condition::Healthy, 1)
    );
    let book = recoveries(&manager).await;
    assert_eq!((book.succeeded, book.failed), (1, 0), "{book:?}");
    assert_eq!(step(&book, RecoveryStep::Savepoint), (0, 0), "{book:?}");
    assert_eq!(step(&book, RecoveryStep::Root), (1, 0), "{book:?}");
    assert_eq!(step(&book, RecoveryStep::Close), (1, 1), "{book:?}");
    let told: Vec<_> = std::iter::from_fn(|| hears.try_recv().ok()).collect();
    let recovered = |event: &HealthEvent| {
        matches!(event, HealthEvent::Recovery { subject, succeeded: true, attempts: 1, .. }
            if subject == "session \"w\" of \"main\"")
    };
    assert!(told.iter().any(recovered), "{told:?}");
    session
        .run(|db| async move { add(&db, 1, -1).await })
        .await?;
    assert_eq!(bank.balance(1).await, 99_999);
    nothing_leaks(&bank, 2).await;
    Ok(())
}

async fn a_failed_rollback_leads_to_the_next_step(engine: Engine) -> TestResult {
    let bank = Rig::new(2).bank(engine, 1).await;
    let manager = manager(&bank.db);
    let session = manager.session("w").await?;
    let result: Result<()> = session
        .run_with(ONCE, |db| {
            let (bank, session) = (&bank, &session);
            async move {
                add(&db, 1, -1).await?;
                session
                    .run_with(ONCE, |db| async move {
                        add(&db, 1, -1).await?;
                        // Nobody has noticed when the savepoint is rolled back.
                        cut(bank).await;
                        Err(Error::custom("no"))
                    })
                    .await
            }
        })
        .await;
    assert_eq!(result.unwrap_err().outcome(), Outcome::RolledBack);
    let book = recoveries(&manager).await;
    assert_eq!(step(&book, RecoveryStep::Savepoint), (1, 0), "{book:?}");
    assert_eq!(step(&book, RecoveryStep::Root), (1, 0), "{book:?}");
    assert_eq!(step(&book, RecoveryStep::Close), (1, 1), "{book:?}");
    assert_eq!(session.condition(), Condition::Healthy);
    assert_eq!(session.report().recovered, 1);

    // The same from the root on.
    let result: Result<()> = session
        .run_with(ONCE, |db| {
            let bank = &bank;
            async move {
                add(&db, 1, -1).await?;
                cut(bank).await;
                Err(Error::custom("no"))
            }
        })
        .await;
    let error = result.unwrap_err();
    assert!(error.to_string().starts_with("no;"), "{error}");
    assert!(error.rollback_error().is_some(), "{error}");
    let book = recoveries(&manager).await;
    assert_eq!(step(&book, RecoveryStep::Savepoint), (1, 0), "{book:?}");
    assert_eq!(step(&book, RecoveryStep::Root), (2, 0), "{book:?}");
    assert_eq!(step(&book, RecoveryStep::Close), (2, 2), "{book:?}");
    assert_eq!(bank.balance(1).await, 100_000);
    nothing_leaks(&bank, 2).await;
    Ok(())
}

async fn connections_that_do_not_answer_are_closed_and_replaced(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let mut options = ConnectOptions::new(test.url());
    // The pool would find them out itself.
    options
        .max_connections(3)
        .test_before_acquire(false)
        .sqlx_logging(false);
    let builder = ResilientConnection::builder(options).config(&quiet());
    let db = builder.name(unique_name()).connect().await?;
    let one = || db.execute_unprepared("SELECT 1");
    let session = manager(&db).session("w").await?;
    while db.connections().len() < 3 {
        let (a, b, c) = tokio::join!(one(), one(), one());
        a.and(b).and(c)?;
    }
    // They are idle a little later than their statements are answered.
    let idle = async || Ok(db.pool_status().idle == 3);
    wait_until("three idle connections", crate::rig::PATIENCE, idle).await?;
    test.terminate_sessions().await?;
    let recovery = session.recover().await?;
    assert!(recovery.verified && recovery.replaced, "{recovery}");
    assert_eq!(recovery.attempts, 1, "{recovery}");
    assert_eq!(
        recovery.steps,
        [(RecoveryStep::Close, true); 3],
        "{recovery}"
    );
    one().await?;
    Ok(())
}

async fn recover_rolls_back_what_another_task_runs_in_the_session(engine: Engine) -> TestResult {
    let bank = Rig::new(2).bank(engine, 1).await;
    let manager = manager(&bank.db);
    let session = manager.session("w").await?;
    let both = Barrier::new(2);
    let endless = session.run(|db| {
        let both = &both;
        async move {
            add(&db, 1, -50).await?;
            both.wait().await;
            both.wait().await;
            add(&db, 1, -50).await
        }
    });
    let recovers = async {
        both.wait().await;
        let recovery = session.recover().await?;
        assert_eq!(recovery.steps, [(RecoveryStep::Root, true)], "{recovery}");
        assert!(recovery.verified && !recovery.replaced, "{recovery}");
        // Its locks are gone.
        add(&bank.db, 1, -1).await?;
        both.wait().await;
        Ok::<_, Error>(())
    };
    let (ended, recovered) = tokio::join!(endless, recovers);
    recovered?;
    let error = ended.unwrap_err();
    assert_eq!(error.kind(), FaultKind::SessionExpired, "{error}");
    assert_eq!(
        (error.outcome(), error.attempts()),
        (Outcome::RolledBack, 1)
    );
    assert!(
        error.to_string().contains("was recovered while it ran"),
        "{error}"
    );
    assert_eq!(bank.balance(1).await, 99_999);
    nothing_leaks(&bank, 2).await;
    Ok(())
}

async fn recover_inside_of_its_own_work_is_refused(engine: Engine) -> TestResult {
    let bank = Rig::new(1).bank(engine, 1).await;
    let session = manager(&bank.db).session("w").await?;
    let work = session.run(|db| {
        let session = &session;
        async move {
            add(&db, 1, -1).await?;
            // Of a pool of one it has the one.
            session.ensure_healthy().await?;
            session.recover().await.map(drop)
        }
    });
    let error = work.await.unwrap_err();
    assert!(
        error.to_string().contains("return an error there"),
        "{error}"
    );
    assert_eq!(bank.balance(1).await, 100_000);
    // From outside, where every connection is in use, nobody can tell.
    let tx = sea_orm::TransactionTrait::begin(&bank.db).await?;
    tx.execute_unprepared("SELECT 1").await?;
    let recovery = session.recover().await?;
    assert!(!recovery.verified, "{recovery}");
    tx.rollback().await?;
    nothing_leaks(&bank, 1).await;
    Ok(())
}

engine_tests! { on_postgres on_mariadb:
    a_session_that_loses_its_connection_is_recovered,
    a_failed_rollback_leads_to_the_next_step,
    connections_that_do_not_answer_are_closed_and_replaced,
}
engine_tests! {
    recover_rolls_back_what_another_task_runs_in_the_session,
    recover_inside_of_its_own_work_is_refused,
}
