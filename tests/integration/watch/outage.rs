//! A monitored database whose server, or whose sessions, go away.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use resilient_sea_orm::{
    HealthSettings, Result,
    health::{
        HealthEvent,
        alerts::{
            AlertKind,
            Change::{Cleared, Escalated, Raised},
        },
        breaker::{BreakerConfig, BreakerState},
    },
    prelude::*,
};
use sea_orm::ConnectionTrait;
use support::{Engine, Server, TestDb, TestResult, engine_tests, wait_until};

use super::{Told, bare, heard, looks, often, open};
use crate::{
    health::{fill, settings},
    rig::PATIENCE,
};

async fn an_outage_is_told_once_and_the_probe_closes_the_breaker(engine: Engine) -> TestResult {
    let server = Arc::new(Server::start_private(engine, &[])?);
    let test = TestDb::on(&server).await?;
    let second = Duration::from_secs(1);
    let breaker = BreakerConfig::new()
        .consecutive_failures(4)
        .open_for(second / 5, second / 5);
    let told = Told::default();
    let builder = told.by(bare().circuit_breaker(breaker));
    let settings = HealthSettings {
        max_consecutive_failures: 2,
        ..settings()
    };
    let db = open(builder, &test, 3, second, settings).await;
    fill(&db, 3).await;
    let mut hears = db.health_events();
    db.start_monitoring_with(often());
    looks(&db, 3).await?;
    assert_eq!(db.monitoring().unwrap().failed, 0, "{:?}", db.monitoring());

    server.kill()?;
    // Nobody else asks the server, so it is the monitor that opens the breaker.
    let opened = async || Ok(db.circuit_breaker().unwrap().opened >= 2);
    wait_until("a failed probe", PATIENCE, opened).await?;
    let failed = async || Ok(db.monitoring().unwrap().failed >= 6);
    wait_until("failed looks", PATIENCE, failed).await?;
    assert!(db.monitoring().unwrap().unhealthy.is_some());

    let again = Arc::clone(&server);
    tokio::task::spawn_blocking(move || again.restart()).await??;
    let back = async || {
        let closed = db.circuit_breaker().unwrap().state == BreakerState::Closed;
        Ok(closed && db.monitoring().unwrap().recovered >= 1)
    };
    wait_until("recovery", PATIENCE, back).await?;
    looks(&db, 3).await?;
    assert!(db.stop_monitoring().await);
    db.execute_unprepared("SELECT 1").await?;

    let all = heard(&mut hears);
    let count = |which: fn(&HealthEvent) -> bool| all.iter().filter(|e| which(e)).count();
    let failed =
        count(|e| matches!(e, HealthEvent::CheckFailed { check, .. } if check == "health"));
    let recovered = count(|e| {
        matches!(e, HealthEvent::CheckRecovered { check, failed_checks, .. }
            if check == "health" && *failed_checks >= 6)
    });
    assert_eq!((failed, recovered), (1, 1), "{all:?}");
    let gave_up = count(|e| {
        matches!(
            e,
            HealthEvent::Recovery {
                succeeded: false,
                ..
            }
        )
    });
    let healed = count(|e| {
        matches!(
            e,
            HealthEvent::Recovery {
                succeeded: true,
                ..
            }
        )
    });
    assert_eq!((gave_up, healed), (1, 1), "{all:?}");
    let states: Vec<_> = all.iter().filter_map(breaker_state).collect();
    assert_eq!(states.first(), Some(&BreakerState::Open), "{states:?}");
    assert_eq!(states.last(), Some(&BreakerState::Closed), "{states:?}");
    let closed = states.iter().filter(|s| **s == BreakerState::Closed);
    assert_eq!(closed.count(), 1, "{states:?}");

    let connection = told.changes(AlertKind::ConnectionFailure);
    assert_eq!(connection, [Raised, Escalated, Cleared]);
    assert_eq!(told.changes(AlertKind::RecoveryFailure), [Raised, Cleared]);
    Ok(())
}

fn breaker_state(event: &HealthEvent) -> Option<BreakerState> {
    match event {
        HealthEvent::Breaker { state, .. } => Some(*state),
        _ => None,
    }
}

async fn ended_sessions_are_replaced_before_anybody_notices(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let settings = HealthSettings {
        // Fewer than there are: that one is dead has all of them looked at.
        batch_size: 2,
        ..settings()
    };
    let db = open(bare(), &test, 8, PATIENCE, settings).await;
    fill(&db, 8).await;
    let before: BTreeSet<String> = db.connections().iter().map(|c| c.id.to_string()).collect();
    let mut hears = db.health_events();
    test.terminate_sessions().await?;
    db.start_monitoring_with(often());
    looks(&db, 3).await?;
    assert!(db.pool_status().open >= 2, "{:?}", db.pool_status());
    for _ in 0..8 {
        let result: Result<()> = db
            .transact(TransactOptions::new().retries(0), || async {
                db.execute_unprepared("SELECT 1").await?;
                Ok(())
            })
            .await;
        result?;
    }
    db.stop_monitoring().await;
    let all = heard(&mut hears);
    let replaced: Vec<&str> = all.iter().filter_map(unhealthy).collect();
    assert_eq!(replaced.len(), 8, "each once: {all:?}");
    let ids: BTreeSet<String> = replaced.iter().map(ToString::to_string).collect();
    assert_eq!(ids, before);
    let recoveries: Vec<_> = all
        .iter()
        .filter(|e| matches!(e, HealthEvent::Recovery { .. }))
        .collect();
    assert!(
        matches!(recoveries[..], [HealthEvent::Recovery { subject, attempts: 1, succeeded: true, .. }]
            if subject == "pool"),
        "{recoveries:?}"
    );
    let failed = all
        .iter()
        .any(|e| matches!(e, HealthEvent::CheckFailed { .. }));
    assert!(!failed, "{all:?}");
    Ok(())
}

fn unhealthy(event: &HealthEvent) -> Option<&str> {
    match event {
        HealthEvent::ConnectionReplaced {
            connection, reason, ..
        } if reason == "unhealthy" => Some(connection),
        _ => None,
    }
}

engine_tests! { on_postgres on_mariadb:
    an_outage_is_told_once_and_the_probe_closes_the_breaker,
    ended_sessions_are_replaced_before_anybody_notices,
}
