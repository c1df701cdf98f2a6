//! A server that goes away, and one that comes back.

use std::{sync::Arc, time::Duration};

use resilient_sea_orm::{
    FaultKind, Outcome, ResilientConnection,
    config::{HealthConfig, RetryConfig},
    health::{HealthEvent, alerts::AlertKind},
    manager::{Condition, ManagedSession},
};
use sea_orm::{ConnectOptions, ConnectionTrait};
use support::{Engine, Server, TestDb, TestResult, engine_tests, wait_until};

use super::{manager, quiet, recoveries};
use crate::{bank::unique_name, rig::PATIENCE};

async fn a_recovery_makes_its_attempts_and_tells_when_they_fail(engine: Engine) -> TestResult {
    let server = Arc::new(Server::start_private(engine, &[])?);
    let test = TestDb::on(&server).await?;
    let connect = async |attempts: u32| {
        let health = HealthConfig::default()
            .with_timeout(Duration::from_secs(1))
            .with_background_monitoring(false)
            .with_recovery_max_attempts(attempts);
        let retry = RetryConfig::default()
            .with_base_delay(Duration::from_millis(10))
            .with_max_delay(Duration::from_millis(100));
        let config = quiet().with_health(health).with_retry(retry);
        let mut options = ConnectOptions::new(test.url());
        options
            .max_connections(2)
            .acquire_timeout(Duration::from_secs(10))
            .sqlx_logging(false);
        let builder = ResilientConnection::builder(options).config(&config);
        builder.name(unique_name()).connect().await
    };
    let (few, many) = (connect(3).await?, connect(1000).await?);
    let (hopeless, patient) = (manager(&few), manager(&many));
    let session = hopeless.session("w").await?;
    let waiting = patient.session("w").await?;
    let mut hears = few.health_events();

    server.kill()?;
    let error = session.recover().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.outcome()),
        (FaultKind::ServerUnavailable, Outcome::NotSent),
        "{error}"
    );
    let said = error.to_string();
    assert!(said.contains("session \"w\" of \"main\""), "{said}");
    assert!(said.contains("in 3 attempts"), "{said}");
    assert_eq!(session.condition(), Condition::Lost);
    let report = hopeless.check_all().await;
    assert!(!report.healthy, "{report}");
    let book = &report.databases[0].recovery;
    assert_eq!((book.succeeded, book.failed), (0, 1), "{book:?}");
    let last = book.last_failure.as_ref().expect("a failure");
    assert_eq!(
        (last.subject.as_str(), last.attempts),
        ("session \"w\" of \"main\"", 3)
    );
    let alerts = few.alerts();
    let raised = alerts
        .active
        .iter()
        .any(|a| a.kind == AlertKind::RecoveryFailure);
    assert!(raised, "{alerts:?}");
    let told: Vec<_> = std::iter::from_fn(|| hears.try_recv().ok()).collect();
    let failed = |event: &HealthEvent| {
        matches!(
            event,
            HealthEvent::Recovery {
                attempts: 3,
                succeeded: false,
                ..
            }
        )
    };
    assert!(told.iter().any(failed), "{told:?}");
    // The next use tries again, and nothing of it is sent.
    let used = session.run(|db| async move { db.execute_unprepared("SELECT 1").await });
    let error = resilient_sea_orm::Error::from(used.await.unwrap_err());
    // sqlx opens lost connections anew in the background, and while it tries both have no room.
    let away = [FaultKind::ServerUnavailable, FaultKind::PoolTimeout];
    assert!(away.contains(&error.kind()), "{error}");

    // One that has begun while the server is down ends well when it is back.
    let again = Arc::clone(&server);
    let back = tokio::task::spawn_blocking(move || {
        std::thread::sleep(Duration::from_secs(1));
        again.restart()
    });
    let recovery = waiting.recover().await?;
    assert!(recovery.verified && recovery.attempts > 1, "{recovery}");
    back.await??;
    let book = recoveries(&patient).await;
    assert_eq!((book.succeeded, book.failed), (1, 0), "{book:?}");

    // The other one recovers with its next use, which clears the alert.
    // On a busy machine the server may be too slow for the few attempts of one use.
    let healthy = async || {
        let session = hopeless.session("w").await;
        Ok(session.is_ok_and(|s| s.condition() == Condition::Healthy))
    };
    wait_until("the session's recovery", PATIENCE, healthy).await?;
    assert_eq!(hopeless.session("w").await?.report().recovered, 1);
    let alerts = few.alerts();
    let raised = alerts
        .active
        .iter()
        .any(|a| a.kind == AlertKind::RecoveryFailure);
    assert!(!raised, "{alerts:?}");
    Ok(())
}

async fn sessions_that_are_recovered_together_share_it(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let builder = ResilientConnection::builder(test.url()).config(&quiet());
    let db = builder.name(unique_name()).connect().await?;
    let manager = manager(&db);
    let mut sessions = Vec::new();
    for id in 0..20 {
        sessions.push(manager.session(&format!("w{id}")).await?);
    }
    // On a busy machine the server can have answered before the next one asks, who then has nobody
    // to share with.
    let mut made = Vec::new();
    while !made.iter().any(|made| (2..=4).contains(made)) {
        assert!(
            made.len() < 10,
            "recoveries of 20 sessions at a time: {made:?}"
        );
        let before = recoveries(&manager).await.succeeded;
        let had: Vec<_> = sessions.iter().map(|s| s.report().recovered).collect();
        let all = sessions.iter().map(ManagedSession::recover);
        for recovery in futures_util::future::join_all(all).await {
            assert!(recovery?.verified);
        }
        made.push(recoveries(&manager).await.succeeded - before);
        let once = |(session, had): (&ManagedSession, u64)| session.report().recovered == had + 1;
        assert!(sessions.iter().zip(had).all(once));
    }
    Ok(())
}

engine_tests! { on_postgres on_mariadb:
    a_recovery_makes_its_attempts_and_tells_when_they_fail,
}
engine_tests! { sessions_that_are_recovered_together_share_it }
