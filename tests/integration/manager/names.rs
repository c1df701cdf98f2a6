//! Databases by name, sessions by id, and repositories on them.

use resilient_sea_orm::{
    DatabaseManager, FaultKind, Outcome, ResilientConnection, Result, manager::Condition,
    prelude::*,
};
use support::{Engine, TestResult, engine_tests};

use super::manager;
use crate::bank::{Bank, add, enter, number};

struct Accounts {
    db: ResilientConnection,
}

#[resilient]
impl Accounts {
    pub async fn deposit(&self, cents: i64) -> Result<i64> {
        add(&self.db, 1, cents).await?;
        let sql = "SELECT CAST(balance AS CHAR) AS n FROM account WHERE id = 1";
        Ok(number(&self.db, sql).await)
    }
}

async fn a_session_is_found_again_by_its_id_until_it_is_unregistered(engine: Engine) -> TestResult {
    let bank = Bank::open(engine, 1).await;
    let manager = manager(&bank.db);
    let one = manager.session("worker-7").await?;
    assert_eq!(one.condition(), Condition::Healthy);
    one.run(|db| async move { enter(&db, 1, "one").await })
        .await?;
    let same = manager.session_on("main", "worker-7").await?;
    assert_eq!((same.id(), same.database()), ("worker-7", "main"));
    assert_eq!(same.report().committed, 1);
    assert_eq!(manager.session("worker-8").await?.report().committed, 0);
    let ids: Vec<_> = manager.sessions().into_iter().map(|s| s.id).collect();
    assert_eq!(ids, ["worker-7", "worker-8"]);

    let error = manager.register("main", "worker-7").unwrap_err();
    assert!(error.to_string().contains("\"worker-7\""), "{error}");
    assert!(manager.unregister("main", "worker-7")?);
    assert!(!manager.unregister("main", "worker-7")?);
    let late = one
        .run(|db| async move { enter(&db, 2, "late").await })
        .await;
    let error = late.unwrap_err();
    assert_eq!(
        (error.kind(), error.outcome()),
        (FaultKind::SessionExpired, Outcome::NotSent)
    );
    assert!(!one.refresh(), "it has ended");
    let fresh = manager.register("main", "worker-7")?;
    assert_eq!(fresh.condition(), Condition::Suspect, "nobody asked yet");
    fresh
        .run(|db| async move { enter(&db, 3, "fresh").await })
        .await?;
    assert_eq!(bank.entries().await, 2);
    Ok(())
}

async fn several_databases_each_have_sessions_of_their_own(engine: Engine) -> TestResult {
    let main = Bank::open(engine, 1).await;
    let reports = Bank::open(Engine::Sqlite, 1).await;
    let manager = DatabaseManager::builder()
        .database("main", main.db.clone())
        .database("reports", reports.db.clone())
        .build()?;
    assert_eq!(manager.names(), ["main", "reports"]);
    assert_eq!(manager.default_database()?.name(), main.db.name());
    let deposit = |db| Accounts { db };
    let there = manager.repository_on("reports", "w", deposit).await?;
    assert_eq!(there.deposit(5).await?, 105);
    assert_eq!(
        manager.repository("w", deposit).await?.deposit(1).await?,
        101
    );
    assert_eq!(
        (main.balance(1).await, reports.balance(1).await),
        (101, 105)
    );

    let report = manager.check_all().await;
    assert!(report.healthy, "{report}");
    let found: Vec<_> = report
        .sessions
        .iter()
        .map(|s| s.database.as_str())
        .collect();
    assert_eq!(found, ["main", "reports"]);
    let json = serde_json::to_value(&report)?;
    assert_eq!(json["databases"][1]["name"], "reports");
    assert!(
        report
            .to_string()
            .contains("session \"w\" of \"reports\": healthy")
    );

    let error = manager.session_on("report", "w").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no database \"report\": registered are \"main\", \"reports\"; did you mean \
         \"reports\"?"
    );
    let error = manager.add("main", reports.db.clone()).unwrap_err();
    assert!(error.to_string().contains("\"main\" already"), "{error}");
    let old = manager.session_on("reports", "w").await?;
    manager.remove("reports")?;
    assert_eq!(
        old.ensure_healthy().await.unwrap_err().kind(),
        FaultKind::SessionExpired
    );
    let error = manager.database("reports").unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no database \"reports\": registered are \"main\""
    );
    manager.add("later", reports.db.clone())?;
    manager.session_on("later", "w").await?;

    manager.close().await?;
    let error = manager.session("w").await.unwrap_err();
    assert!(error.to_string().contains("none is registered"), "{error}");
    assert!(add(&main.db, 1, 1).await.is_err(), "the pool is closed");
    Ok(())
}

async fn a_method_of_a_repository_joins_the_unit_of_work_it_is_called_in(
    engine: Engine,
) -> TestResult {
    let bank = Bank::open(engine, 1).await;
    let session = manager(&bank.db).session("w").await?;
    let refused: Result<()> = session
        .run(|db| async move {
            Accounts { db }.deposit(5).await?;
            Err(Error::custom("no"))
        })
        .await;
    assert_eq!(
        refused.unwrap_err().to_string().split(';').next(),
        Some("no")
    );
    assert_eq!(bank.balance(1).await, 100);
    Ok(())
}

engine_tests! {
    a_session_is_found_again_by_its_id_until_it_is_unregistered,
    several_databases_each_have_sessions_of_their_own,
    a_method_of_a_repository_joins_the_unit_of_work_it_is_called_in,
}
