//! The integrity check finds what is there to be found.

use resilient_sea_orm::{CheckOptions, CheckStatus, CheckStrategy, FaultKind};
use sea_orm::ConnectionTrait;
use support::{Engine, TestDb, TestResult, engine_tests};

use super::{open, patient, settings};
use crate::rig::PATIENCE;

const FULL: CheckStrategy = CheckStrategy::Integrity { full: true };

async fn an_invalid_index_is_named(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    for sql in [
        "CREATE TABLE t (n integer)",
        "CREATE INDEX t_by_n ON t (n)",
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 't_by_n'::regclass",
    ] {
        test.admin().execute_unprepared(sql).await?;
    }
    let db = open(&test, 1, PATIENCE, settings()).await;
    let report = db.check_health_with(FULL, patient()).await;
    assert_eq!(report.status, CheckStatus::Unhealthy, "{report:?}");
    assert_eq!(report.fault, Some(FaultKind::Corruption));
    assert!(report.reason.unwrap().contains("t_by_n"));
    let checked = report
        .not_checked
        .iter()
        .any(|what| what.contains("amcheck"));
    assert!(checked, "{:?}", report.not_checked);
    Ok(())
}

async fn an_orphan_is_found_by_the_full_check(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let db = open(&test, 1, PATIENCE, settings()).await;
    for sql in [
        "CREATE TABLE parent (id INTEGER PRIMARY KEY)",
        "CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES parent)",
        "PRAGMA foreign_keys = 0",
        "INSERT INTO child VALUES (1, 7)",
    ] {
        db.execute_unprepared(sql).await?;
    }
    let report = db.check_health_with(FULL, patient()).await;
    assert_eq!(report.status, CheckStatus::Unhealthy, "{report:?}");
    assert!(report.reason.unwrap().contains("child"));
    let quick = CheckStrategy::Integrity { full: false };
    let report = db.check_health_with(quick, patient()).await;
    assert_eq!(report.status, CheckStatus::Healthy, "{report:?}");
    assert!(!report.not_checked.is_empty());
    Ok(())
}

async fn chosen_tables_are_checked(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let odd = "CREATE TABLE `odd.name` (n INT)";
    test.admin().execute_unprepared(odd).await?;
    let db = open(&test, 1, PATIENCE, settings()).await;
    let report = db.check_health_with(FULL, patient()).await;
    assert_eq!(report.status, CheckStatus::Healthy, "{report:?}");
    let missing = CheckOptions {
        tables: vec!["missing".to_owned()],
        ..patient()
    };
    let report = db.check_health_with(FULL, missing).await;
    assert_eq!(report.status, CheckStatus::Unhealthy, "{report:?}");
    assert!(report.reason.unwrap().contains("missing"));
    Ok(())
}

engine_tests! { on_postgres: an_invalid_index_is_named }
engine_tests! { on_sqlite: an_orphan_is_found_by_the_full_check }
engine_tests! { on_mariadb: chosen_tables_are_checked }
