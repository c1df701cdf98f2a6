//! What statements and methods are measured to take.

use std::time::Duration;

use futures_util::TryStreamExt;
use resilient_sea_orm::{
    Builder,
    health::performance::{PerformanceConfig, PerformanceReport},
    prelude::*,
};
use sea_orm::{ConnectionTrait, Statement, StreamTrait};
use support::{Engine, TestDb, TestResult, engine_tests};

use crate::bank::{Bank, add};

async fn with_threshold(engine: Engine, threshold: Duration) -> Bank {
    let performance = PerformanceConfig::default().slow_threshold(threshold);
    let builder = Builder::default().performance(performance);
    let test = TestDb::new(engine).await.expect("a database");
    Bank::built(builder, test, 2, 4).await
}

fn count(report: &PerformanceReport, text: &str) -> u64 {
    let found = report.slow_statements.iter().find(|s| s.text == text);
    found.map_or(0, |s| s.count)
}

async fn slow_statements_are_kept_without_their_values(engine: Engine) -> TestResult {
    let bank = with_threshold(engine, Duration::ZERO).await;
    let db = &bank.db;
    let sql = "SELECT id /* why */ FROM account\n WHERE 'sekrit' <> 'it''s' AND id IN (1, 2)";
    let text = "SELECT id FROM account WHERE ? <> ? AND id IN (?)";
    let select = || Statement::from_string(db.get_database_backend(), sql);
    db.query_all_raw(select()).await?;
    let rows: Vec<_> = db.stream_raw(select()).await?.try_collect().await?;
    assert_eq!(rows.len(), 2);
    let options = TransactOptions::new().name("slow one");
    let inside: Result<()> = db
        .transact(options, || async {
            db.query_all_raw(select()).await?;
            let _: Vec<_> = db.stream_raw(select()).await?.try_collect().await?;
            Ok(())
        })
        .await;
    inside?;
    db.execute_unprepared("SELECT sekrit FROM nowhere WHERE a = 'sekrit'")
        .await
        .unwrap_err();

    let report = db.performance();
    assert_eq!(count(&report, text), 4, "{report:?}");
    assert_eq!(
        count(&report, "SELECT sekrit FROM nowhere WHERE a = ?"),
        1,
        "{report:?}"
    );
    let texts: Vec<_> = report.slow_statements.iter().map(|s| &s.text).collect();
    assert!(texts.iter().all(|t| !t.contains("'sekrit'")), "{texts:?}");
    assert_eq!(report.statements.last_hour.errors, 1, "{report:?}");
    assert!(report.statements.last_day.count >= 5);
    assert_eq!(report.methods["slow one"].last_hour.count, 1);
    assert_eq!(report.connection, db.name());
    Ok(())
}

async fn the_threshold_tells_slow_from_fast(engine: Engine) -> TestResult {
    let bank = with_threshold(engine, Duration::from_millis(150)).await;
    let sleep = match engine {
        Engine::Postgres => "SELECT pg_sleep(0.2)",
        _ => "SELECT SLEEP(0.2)",
    };
    let text = sleep.replace("0.2", "?");
    bank.db.execute_unprepared(sleep).await?;
    add(&bank.db, 1, 1).await?;
    let report = bank.db.performance();
    assert_eq!(count(&report, &text), 1, "{report:?}");
    assert!(report.statements.last_hour.max_ms >= 200.0, "{report:?}");
    assert!(report.statements.last_hour.p50_ms < 200.0, "{report:?}");
    Ok(())
}

engine_tests! { slow_statements_are_kept_without_their_values }
engine_tests! { on_postgres on_mariadb: the_threshold_tells_slow_from_fast }
