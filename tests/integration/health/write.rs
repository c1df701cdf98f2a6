//! The write check: it leaves nothing, disturbs nobody, and knows a server that takes no writes.

use resilient_sea_orm::{CheckStatus, CheckStrategy, FaultKind};
use sea_orm::{ConnectionTrait, Statement};
use support::{Engine, Server, TestDb, TestResult, engine_tests};

use super::{open, patient, settings};
use crate::rig::{PATIENCE, nothing_open};

/// Everything that the schema says there is, dead or alive.
async fn catalogue(test: &TestDb) -> Result<Vec<String>, support::Error> {
    let sql = match test.engine() {
        Engine::Postgres => {
            "SELECT CAST(oid AS text) AS n FROM pg_class \
             UNION ALL SELECT nspname FROM pg_namespace ORDER BY 1"
        }
        Engine::MariaDb | Engine::MySql => {
            "SELECT CAST(table_name AS CHAR) AS n FROM information_schema.tables \
             WHERE table_schema = DATABASE() ORDER BY 1"
        }
        Engine::Sqlite => "SELECT name AS n FROM sqlite_master ORDER BY 1",
    };
    let admin = test.admin();
    let statement = Statement::from_string(admin.get_database_backend(), sql);
    let rows = admin.query_all_raw(statement).await?.into_iter();
    Ok(rows
        .map(|row| row.try_get("", "n"))
        .collect::<Result<_, _>>()?)
}

async fn leaves_no_trace(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let before = catalogue(&test).await?;
    // Each of its own, so that none is shared.
    let mut checks = Vec::new();
    for _ in 0..20 {
        let db = open(&test, 1, PATIENCE, settings()).await;
        checks.push(tokio::spawn(async move {
            let report = db.check_health_with(CheckStrategy::Write, patient()).await;
            (report, db)
        }));
    }
    let mut kept = Vec::new();
    for check in checks {
        let (report, db) = check.await?;
        assert_eq!(report.status, CheckStatus::Healthy, "{report:?}");
        assert!(!report.from_cache && !report.not_checked.is_empty());
        kept.push(db);
    }
    assert_eq!(catalogue(&test).await?, before);
    for db in &kept {
        let held = db.connections().iter().any(|c| c.held_seconds.is_some());
        assert!(!held, "a check keeps its connection");
    }
    let bank = crate::bank::Bank {
        test,
        db: kept.remove(0),
    };
    nothing_open(&bank).await;
    Ok(())
}

async fn a_server_that_takes_no_writes_is_unhealthy_for_them(engine: Engine) -> TestResult {
    let server = match engine {
        Engine::MariaDb => Some(Server::start_private(engine, &[])?),
        _ => None,
    };
    let test = match &server {
        Some(server) => TestDb::on(server).await?,
        None => TestDb::new(engine).await?,
    };
    let (off, on) = match engine {
        Engine::Postgres => (
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on',\
             current_database()); END $$",
            "SET default_transaction_read_only = off; \
             DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET default_transaction_read_only',\
             current_database()); END $$",
        ),
        Engine::MariaDb | Engine::MySql => ("SET GLOBAL read_only = 1", "SET GLOBAL read_only = 0"),
        Engine::Sqlite => ("PRAGMA query_only = 1", "PRAGMA query_only = 0"),
    };
    let sqlite = open(&test, 1, PATIENCE, settings()).await;
    let run = async |sql: &'static str| match engine {
        Engine::Sqlite => sqlite.execute_unprepared(sql).await.map(drop),
        _ => test.admin().execute_unprepared(sql).await.map(drop),
    };
    run(off).await?;
    let db = match engine {
        Engine::Sqlite => sqlite.clone(),
        _ => open(&test, 1, PATIENCE, settings()).await,
    };
    let report = db.check_health_with(CheckStrategy::Write, patient()).await;
    assert_eq!(report.status, CheckStatus::Unhealthy, "{report:?}");
    assert_eq!(report.fault, Some(FaultKind::ReadOnly), "{report:?}");
    // It can still be read.
    let report = db.check_health_with(CheckStrategy::Quick, patient()).await;
    assert_eq!(report.status, CheckStatus::Healthy, "{report:?}");
    run(on).await?;
    if engine != Engine::Postgres {
        let report = db.check_health_with(CheckStrategy::Write, patient()).await;
        assert_eq!(report.status, CheckStatus::Healthy, "{report:?}");
    }
    Ok(())
}

/// `SQLite` has one write lock, and a check does not wait for it longer than it may.
async fn a_lock_that_another_writer_holds_is_named(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let db = open(&test, 1, PATIENCE, settings()).await;
    db.execute_unprepared("PRAGMA busy_timeout = 10").await?;
    test.admin()
        .execute_unprepared("CREATE TABLE t (n INTEGER)")
        .await?;
    let other = test.connect(1).await?;
    let held = sea_orm::TransactionTrait::begin(&other).await?;
    held.execute_unprepared("INSERT INTO t VALUES (1)").await?;
    let report = db.check_health_with(CheckStrategy::Write, patient()).await;
    assert_eq!(report.fault, Some(FaultKind::LockTimeout), "{report:?}");
    held.rollback().await?;
    let report = db.check_health_with(CheckStrategy::Write, patient()).await;
    assert_eq!(report.status, CheckStatus::Healthy, "{report:?}");
    Ok(())
}

engine_tests! {
    leaves_no_trace,
    a_server_that_takes_no_writes_is_unhealthy_for_them,
}
engine_tests! { on_sqlite: a_lock_that_another_writer_holds_is_named }
