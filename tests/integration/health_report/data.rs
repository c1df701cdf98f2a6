//! Nothing of users, and no way to the database, is in any report.

use std::time::Duration;

use resilient_sea_orm::{
    Builder, CheckStrategy,
    health::{HealthReportOptions, performance::PerformanceConfig, soft_delete},
    prelude::*,
};
use sea_orm::ConnectionTrait;
use support::{Engine, TestDb, TestResult, engine_tests};

use crate::bank::Bank;

const SECRET: &str = "sekrit";

async fn no_value_and_no_url_is_in_any_report(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let performance = PerformanceConfig::default().slow_threshold(Duration::ZERO);
    let bank = Bank::built(Builder::default().performance(performance), test, 1, 4).await;
    let db = &bank.db;
    for sql in [
        "INSERT INTO entry VALUES (1, 'sekrit')",
        // Violations, whose server texts quote the value.
        "INSERT INTO entry VALUES (2, 'sekrit')",
        "INSERT INTO account VALUES (77, -1) -- sekrit",
        // Errors that quote the statement.
        "SELECT 'sekrit' FROM nowhere",
        "SELEC 'sekrit'",
        "SELECT CAST('sekrit' AS INTEGER) /* sekrit */",
    ] {
        let sql = if engine == Engine::MariaDb {
            sql.replace("-- sekrit", "")
        } else {
            sql.to_owned()
        };
        let _: std::result::Result<_, _> = db.execute_unprepared(&sql).await;
    }
    let name = db.name().to_owned();
    let marker = soft_delete::Marker::Flag;
    let rows = soft_delete::SoftDelete::new("entry", "note", marker).database(name);
    soft_delete::register(rows);
    let query = format!("SELECT '{SECRET}' FROM entry WHERE note = '{SECRET}'");
    let broken = format!("SELECT '{SECRET}' FROM nowhere WHERE note = '{SECRET}'");
    let in_transaction: Result<()> = db
        .transact(TransactOptions::new().retries(0), || async {
            db.execute_unprepared("INSERT INTO entry VALUES (3, 'sekrit')")
                .await?;
            Ok(())
        })
        .await;
    assert!(in_transaction.is_err());

    let mut all = Vec::new();
    for sql in [query, broken] {
        let options = HealthReportOptions::new().check(CheckStrategy::Query(sql));
        let report = db.health_report_with(options).await;
        let strategy = &report.connection.check.strategy;
        assert!(
            matches!(strategy, CheckStrategy::Query(sql) if sql.contains("note = ?")),
            "{strategy:?}"
        );
        all.push(report.to_string());
        all.push(serde_json::to_string(&report)?);
        all.push(format!("{report:?}"));
    }
    let diagnostics = db.diagnostics().await;
    all.push(diagnostics.to_string());
    all.push(serde_json::to_string(&diagnostics)?);
    all.push(serde_json::to_string(&db.health_summary().await)?);
    for text in all {
        assert!(!text.contains(SECRET), "{text}");
        assert!(
            !text.contains(bank.test.url()) && !text.contains("://"),
            "{text}"
        );
    }
    Ok(())
}

engine_tests! { no_value_and_no_url_is_in_any_report }
