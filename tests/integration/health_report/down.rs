//! The report on a server that is down or silent.

use std::time::Duration;

use resilient_sea_orm::{
    FaultKind, HealthSettings, OverallStatus,
    health::{
        DiagnosticsOptions,
        report::{Area, PartOutcome, Severity},
    },
};
use support::{Engine, Server, TestDb, TestResult, engine_tests, wait_until};

use super::{advice, page};
use crate::{
    health::{fill, open, settings},
    rig::PATIENCE,
};

fn hasty() -> HealthSettings {
    HealthSettings {
        timeout: Duration::from_secs(2),
        slow_above: Duration::from_secs(1),
        cache_duration: Duration::ZERO,
        ..settings()
    }
}

async fn a_server_that_is_down_has_a_report_that_says_so(engine: Engine) -> TestResult {
    let server = Server::start_private(engine, &[])?;
    let test = TestDb::on(&server).await?;
    let db = open(&test, 2, PATIENCE, hasty()).await;
    fill(&db, 2).await;
    assert!(db.health_summary().await.is_usable());
    server.kill()?;

    // Nothing but the check is waited for, and that ends in time.
    let report = tokio::time::timeout(PATIENCE, db.health_report()).await?;
    assert_eq!(report.status(), OverallStatus::Unhealthy, "{report}");
    let reason = &report.summary.reasons[0];
    assert_eq!(reason.area, Area::Connection);
    assert!(
        reason.text.starts_with("the quick check failed: "),
        "{report}"
    );
    let lost = [FaultKind::ServerUnavailable, FaultKind::ConnectionLost];
    let fault = report.connection.check.fault.unwrap();
    assert!(lost.contains(&fault), "{report}");
    let first = &report.recommendations[0];
    assert_eq!(first.severity, Severity::Critical);
    assert!(first.text.contains("see that the server runs"), "{first}");
    assert!(report.tables.as_ref().unwrap().not_read.is_some());
    assert!(page(&report).starts_with("✗ "), "{report}");
    let summary = db.health_summary().await;
    assert_eq!(summary.status, OverallStatus::Unhealthy, "{summary:?}");

    let all = tokio::time::timeout(PATIENCE, db.diagnostics()).await?;
    assert!(!all.complete);
    let outcome = |name: &str| all.parts.iter().find(|p| p.name == name).unwrap().outcome;
    assert_eq!(outcome("quick check"), PartOutcome::Found);
    for name in ["tables", "write check", "integrity check", "constraints"] {
        assert_eq!(outcome(name), PartOutcome::Skipped, "{all}");
    }
    // What needs no server is looked at all the same.
    assert_eq!(outcome("configuration"), PartOutcome::Good, "{all}");
    assert!(
        advice(
            &all.recommendations,
            Area::Connection,
            "see that the server runs"
        )
        .is_some()
    );

    server.restart()?;
    let back = async || Ok(db.health_report().await.status() == OverallStatus::Healthy);
    wait_until("health", PATIENCE, back).await?;
    assert!(db.health_report().await.tables.unwrap().not_read.is_none());
    Ok(())
}

async fn a_silent_server_is_waited_for_no_longer_than_allowed(engine: Engine) -> TestResult {
    let server = Server::start_private(engine, &[])?;
    let test = TestDb::on(&server).await?;
    let db = open(&test, 2, PATIENCE, hasty()).await;
    fill(&db, 2).await;
    server.sigstop();
    let asked = async {
        let summary = db.health_summary().await;
        let report = db.health_report().await;
        let options = DiagnosticsOptions::new().limit(Duration::from_millis(100));
        (summary, report, db.diagnostics_with(options).await)
    };
    let answered = tokio::time::timeout(PATIENCE, asked).await;
    server.sigcont();
    let (summary, report, diagnostics) = answered?;
    assert_eq!(summary.status, OverallStatus::Unhealthy, "{summary:?}");
    assert_eq!(report.status(), OverallStatus::Unhealthy, "{report}");
    let quick = &diagnostics.parts[0];
    assert_eq!(quick.outcome, PartOutcome::TimedOut, "{diagnostics}");
    assert_eq!(diagnostics.report.status(), OverallStatus::Unhealthy);
    let back = async || Ok(db.health_summary().await.status == OverallStatus::Healthy);
    wait_until("health", PATIENCE, back).await?;
    Ok(())
}

engine_tests! { on_postgres on_mariadb:
    a_server_that_is_down_has_a_report_that_says_so,
    a_silent_server_is_waited_for_no_longer_than_allowed,
}
