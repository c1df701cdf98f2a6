//! Each section, and what is recommended, from what really happened.

use std::{sync::Arc, time::Duration};

use resilient_sea_orm::{
    HealthSettings, OverallStatus, ResilientConnection, Result,
    core::scope::CallStatus,
    health::{
        HealthReportOptions,
        performance::PerformanceConfig,
        report::{Area, Severity},
        soft_delete::Marker,
    },
    prelude::*,
};
use sea_orm::{ConnectionTrait, Statement};
use support::{Engine, TestDb, TestResult, engine_tests, wait_until};
use tokio::sync::{Barrier, Notify};

use super::{advice, page};
use crate::{
    bank::{Bank, add},
    health::{fill as open_connections, keeps, open, settings},
    rig::PATIENCE,
    table_health::{declare, fill},
    verify::Schema,
};

async fn deleted_rows_and_a_missing_index_are_found_and_gone_once_mended(
    engine: Engine,
) -> TestResult {
    let schema = Schema::with(
        engine,
        &["CREATE TABLE guests (id INTEGER PRIMARY KEY, is_deleted BOOLEAN NOT NULL)"],
    )
    .await;
    let values = "i, CASE WHEN i % 100 < 60 THEN true ELSE false END";
    fill(&schema, "guests", 2000, values).await;
    declare(&schema, "guests", "is_deleted", Marker::Flag);

    let report = schema.db.health_report().await;
    let tables = report.tables.as_ref().unwrap();
    let guests = tables.tables.iter().find(|t| t.table == "guests").unwrap();
    assert_eq!(guests.deleted_rows, Some(1200), "{guests:?}");
    let all = &report.recommendations;
    let clean_up = advice(all, Area::Tables, "60 % of the rows are deleted").unwrap();
    assert_eq!(clean_up.severity, Severity::Warning);
    assert!(clean_up.text.contains("guests"), "{clean_up}");
    let index = advice(all, Area::Tables, "no index that begins with is_deleted").unwrap();
    assert_eq!(index.severity, Severity::Warning);
    let statement = index.statement.clone().unwrap();
    assert!(page(&report).contains("guests: 2,000 rows; 60 %"));

    // What it says is done as it says it.
    schema
        .run(&[&statement, "DELETE FROM guests WHERE is_deleted"])
        .await;
    let report = schema.db.health_report().await;
    let about = |r: &&_| advice(std::slice::from_ref(*r), Area::Tables, "guests").is_some();
    let left: Vec<_> = report.recommendations.iter().filter(about).collect();
    assert!(left.is_empty(), "{left:?}");
    Ok(())
}

async fn a_leak_is_named_and_so_is_the_pool_that_it_exhausts(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let impatient = HealthSettings {
        leak_after: Duration::from_millis(50),
        timeout: Duration::from_millis(500),
        cache_duration: Duration::ZERO,
        ..settings()
    };
    let db = open(&test, 1, Duration::from_secs(20), impatient).await;
    let until = Arc::new(Notify::new());
    let leaking = keeps(&db, &until);
    let suspected = async || Ok(!db.pool_status().suspected_leaks.is_empty());
    wait_until("a suspected leak", PATIENCE, suspected).await?;

    let report = db.health_report().await;
    assert_eq!(report.status(), OverallStatus::Unhealthy, "{report}");
    let summary = &report.summary;
    assert_eq!(
        (summary.connections_in_use, summary.max_connections),
        (1, 1)
    );
    assert_eq!((summary.suspected_leaks, summary.open_sessions), (1, 1));
    assert!(
        summary.reasons[0].text.contains("pool exhausted"),
        "{report}"
    );
    let all = &report.recommendations;
    let full = advice(all, Area::Pool, "1 of 1 connections are in use").unwrap();
    assert_eq!(full.severity, Severity::Critical);
    assert!(!full.text.contains("raise max_connections"), "{full}");
    let leak = advice(all, Area::Pool, "held for").unwrap();
    assert!(leak.text.contains("Reports::export"), "{leak}");
    let sessions = report.sessions.as_ref().unwrap();
    assert_eq!(sessions.open[0].method, Some("Reports::export"));
    let tables = report.tables.as_ref().unwrap();
    assert_eq!(tables.not_read.as_deref(), Some("the check failed"));
    assert!(page(&report).contains("████ 1 of 1 in use"), "{report}");

    until.notify_one();
    leaking.await??;
    let healthy = async || Ok(db.health_report().await.status() == OverallStatus::Healthy);
    wait_until("health", PATIENCE, healthy).await?;
    Ok(())
}

struct Accounts {
    db: ResilientConnection,
    both: Arc<Barrier>,
}

#[resilient(retries = 3)]
impl Accounts {
    pub async fn there(&self) -> Result<()> {
        self.both_of([1, 2]).await
    }

    pub async fn back(&self) -> Result<()> {
        self.both_of([2, 1]).await
    }

    async fn both_of(&self, [first, second]: [i32; 2]) -> Result<()> {
        add(&self.db, first, 1).await?;
        // Whoever runs again does so alone.
        if CallStatus::current().expect("in a call").attempts() == 1 {
            let both = tokio::time::timeout(PATIENCE, self.both.wait());
            both.await.expect("the other one");
        }
        add(&self.db, second, 1).await
    }
}

async fn a_deadlock_is_counted_with_its_retry_and_advised_upon(engine: Engine) -> TestResult {
    let bank = Bank::open(engine, 2).await;
    let accounts = Accounts {
        db: bank.db.clone(),
        both: Arc::new(Barrier::new(2)),
    };
    let (one, other) = tokio::join!(accounts.there(), accounts.back());
    one?;
    other?;
    let seen = async || Ok(bank.db.deadlocks().total > 0);
    wait_until("the deadlock", PATIENCE, seen).await?;
    let report = bank.db.health_report().await;
    let reliability = report.reliability.as_ref().unwrap();
    assert_eq!(reliability.deadlocks_last_24_hours, 1);
    // Watched for less than an hour, which counts as one.
    assert!((reliability.deadlocks_per_hour - 1.0).abs() < 1e-9);
    assert_eq!(reliability.calls_last_24_hours, 2);
    assert!(reliability.retries >= 1, "{reliability:?}");
    assert_eq!(reliability.transactions.committed, 2);
    assert_eq!(reliability.transactions.faults[&FaultKind::Deadlock], 1);
    let advice = advice(
        &report.recommendations,
        Area::Reliability,
        "lock the rows in the same order",
    );
    let text = &advice.unwrap().text;
    assert!(
        text.contains("Accounts::back") && text.contains("Accounts::there"),
        "{text}"
    );
    assert!(
        page(&report).contains("deadlocks         1 in 24 h"),
        "{report}"
    );
    Ok(())
}

async fn slow_and_failing_statements_are_told_of(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let performance = PerformanceConfig::default().slow_threshold(Duration::ZERO);
    let builder = resilient_sea_orm::Builder::default().performance(performance);
    let bank = Bank::built(builder, test, 2, 4).await;
    for _ in 0..25 {
        let wrong = bank.db.execute_unprepared("SELECT nothing FROM nowhere");
        wrong.await.unwrap_err();
    }
    let options = HealthReportOptions::new().without_tables();
    let report = bank.db.health_report_with(options).await;
    assert!(report.tables.is_none());
    let reliability = report.reliability.as_ref().unwrap();
    assert_eq!(reliability.errors_last_hour, 25);
    let all = &report.recommendations;
    let errors = advice(
        all,
        Area::Reliability,
        "of the statements of the last hour failed",
    );
    assert_eq!(errors.unwrap().severity, Severity::Critical);
    assert!(advice(all, Area::Performance, "look at its plan").is_some());
    // The error rate has raised its alert.
    assert_eq!(report.status(), OverallStatus::Degraded, "{report}");
    let reasons = &report.summary.reasons;
    assert!(
        reasons.iter().any(|r| r.area == Area::Reliability),
        "{reasons:?}"
    );
    Ok(())
}

async fn a_transaction_is_neither_read_nor_spoiled(engine: Engine) -> TestResult {
    let mut schema = Schema::with(
        engine,
        &["CREATE TABLE visits (id INTEGER PRIMARY KEY, is_deleted BOOLEAN NOT NULL)"],
    )
    .await;
    schema.db = open(&schema.test, 4, PATIENCE, settings()).await;
    declare(&schema, "visits", "is_deleted", Marker::Flag);
    // A table that is not there, and on PostgreSQL would abort a transaction that read it.
    declare(&schema, "nowhere", "is_deleted", Marker::Flag);
    let db = &schema.db;
    let result: Result<_> = db
        .transact(TransactOptions::new().retries(0), || async {
            db.execute_unprepared("INSERT INTO visits VALUES (1, false)")
                .await?;
            let report = db.health_report().await;
            db.execute_unprepared("INSERT INTO visits VALUES (2, false)")
                .await?;
            Ok(report)
        })
        .await;
    let report = result?;
    assert!(report.summary.is_usable(), "{report}");
    let tables = report.tables.unwrap();
    assert_eq!(tables.not_read, None);
    let visits = tables.tables.iter().find(|t| t.table == "visits").unwrap();
    assert_eq!(visits.total_rows, Some(0), "{visits:?}");
    let sessions = report.sessions.unwrap();
    assert_eq!(sessions.open.len(), 1);
    let sql = "SELECT id FROM visits";
    let rows = Statement::from_string(db.get_database_backend(), sql);
    assert_eq!(db.query_all_raw(rows).await?.len(), 2);
    Ok(())
}

async fn a_database_at_rest_is_healthy_and_there_is_nothing_to_do(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let db = open(&test, 3, PATIENCE, settings()).await;
    open_connections(&db, 3).await;
    let options = HealthReportOptions::new().without_tables();
    let report = db.health_report_with(options).await;
    assert_eq!(report.status(), OverallStatus::Healthy, "{report}");
    assert_eq!(report.recommendations, [], "{report}");
    assert_eq!(report.connection.healthy, 3, "{report}");
    assert_eq!(report.summary.connections_in_use, 0);
    Ok(())
}

engine_tests! {
    deleted_rows_and_a_missing_index_are_found_and_gone_once_mended,
    a_leak_is_named_and_so_is_the_pool_that_it_exhausts,
    slow_and_failing_statements_are_told_of,
    a_transaction_is_neither_read_nor_spoiled,
    a_database_at_rest_is_healthy_and_there_is_nothing_to_do,
}
engine_tests! { on_postgres on_mariadb: a_deadlock_is_counted_with_its_retry_and_advised_upon }
