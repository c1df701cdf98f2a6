//! Checks of what is down, silent or full.

use std::time::{Duration, Instant};

use resilient_sea_orm::{
    CheckOptions, CheckStatus, CheckStrategy, FaultKind, Result, TransactOptions,
};
use sea_orm::ConnectionTrait;
use support::{Engine, Server, TestDb, TestResult, engine_tests, wait_until};

use super::{checks, fill, hold, open, patient, release, settings};
use crate::rig::PATIENCE;

fn quick(timeout: Duration) -> CheckOptions {
    CheckOptions {
        timeout: Some(timeout),
        ..patient()
    }
}

async fn a_server_that_is_down_is_unhealthy_until_it_is_back(engine: Engine) -> TestResult {
    let server = Server::start_private(engine, &[])?;
    let test = TestDb::on(&server).await?;
    let db = open(&test, 2, Duration::from_secs(1), settings()).await;
    fill(&db, 2).await;
    server.kill()?;
    for strategy in checks::all() {
        let report = db
            .check_health_with(strategy, quick(Duration::from_secs(5)))
            .await;
        assert_eq!(report.status, CheckStatus::Unhealthy, "{report:?}");
        let lost = [FaultKind::ServerUnavailable, FaultKind::ConnectionLost];
        assert!(lost.contains(&report.fault.unwrap()), "{report:?}");
        assert!(report.reason.is_some());
    }
    server.restart()?;
    let back = async || {
        let report = db.check_health_with(CheckStrategy::Write, patient()).await;
        Ok(report.status == CheckStatus::Healthy)
    };
    wait_until("health", PATIENCE, back).await?;
    Ok(())
}

async fn a_silent_server_is_waited_for_no_longer_than_allowed(engine: Engine) -> TestResult {
    let server = Server::start_private(engine, &[])?;
    let test = TestDb::on(&server).await?;
    let db = open(&test, 2, PATIENCE, settings()).await;
    fill(&db, 2).await;
    server.sigstop();
    for strategy in [
        CheckStrategy::Quick,
        CheckStrategy::Write,
        CheckStrategy::Quick,
    ] {
        let begun = Instant::now();
        let report = db
            .check_health_with(strategy, quick(Duration::from_millis(300)))
            .await;
        let took = begun.elapsed();
        assert_eq!(report.status, CheckStatus::Unhealthy, "{report:?}");
        assert_eq!(
            report.fault,
            Some(FaultKind::ServerUnavailable),
            "{report:?}"
        );
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
    server.sigcont();
    let back = async || {
        let report = db.check_health_with(CheckStrategy::Write, patient()).await;
        Ok(report.is_usable())
    };
    wait_until("health", PATIENCE, back).await?;
    Ok(())
}

async fn a_pool_that_is_exhausted_is_said_to_be(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let hurry = Duration::from_millis(500);
    for (acquire, limit) in [(2 * hurry, PATIENCE), (PATIENCE, hurry)] {
        let db = open(&test, 1, acquire, settings()).await;
        let held = hold(&db, 1).await;
        let report = db
            .check_health_with(CheckStrategy::Quick, quick(limit))
            .await;
        assert_eq!(report.fault, Some(FaultKind::PoolTimeout), "{report:?}");
        let reason = report.reason.unwrap();
        assert!(reason.starts_with("pool exhausted: "), "{reason}");
        release(held).await;
        let report = db.check_health_with(CheckStrategy::Quick, patient()).await;
        assert_eq!(report.status, CheckStatus::Healthy, "{report:?}");
    }
    Ok(())
}

/// Sessions that an operator ends are noticed, closed and replaced.
async fn ended_sessions_are_found_and_replaced(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let db = open(&test, 4, PATIENCE, settings()).await;
    fill(&db, 4).await;
    let before: Vec<_> = db.connections().iter().map(|c| c.server_pid).collect();
    assert_eq!(before.len(), 4);
    assert!(before.iter().all(Option::is_some));
    test.terminate_sessions().await?;
    let sweep = db.check_connections().await;
    assert_eq!(
        (sweep.checked, sweep.failed, sweep.closed),
        (4, 4, 4),
        "{sweep:?}"
    );
    let enough = async || Ok(db.pool_status().open >= 2);
    wait_until("a floor of connections", PATIENCE, enough).await?;
    let churn = db.pool_status().churn;
    assert_eq!(churn.closed.values().sum::<u64>(), 4, "{churn:?}");
    for connection in db.connections() {
        assert!(!before.contains(&connection.server_pid), "{connection:?}");
    }
    let result: Result<()> = db
        .transact(TransactOptions::new().retries(0), || async {
            db.execute_unprepared("SELECT 1").await?;
            Ok(())
        })
        .await;
    Ok(result?)
}

engine_tests! { on_postgres on_mariadb:
    a_server_that_is_down_is_unhealthy_until_it_is_back,
    a_silent_server_is_waited_for_no_longer_than_allowed,
    ended_sessions_are_found_and_replaced,
}
engine_tests! { a_pool_that_is_exhausted_is_said_to_be }
