//! Every strategy on a server that is well.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use resilient_sea_orm::{
    CheckOptions, CheckStatus, CheckStrategy, FaultKind, ResilientConnection, TransactOptions,
};
use sea_orm::ConnectionTrait;
use support::{Engine, TestDb, TestResult, engine_tests};

use super::{open, patient, settings};
use crate::rig::PATIENCE;

async fn database(engine: Engine) -> Result<(TestDb, ResilientConnection), support::Error> {
    let test = TestDb::new(engine).await?;
    let table = "CREATE TABLE notes (id INTEGER PRIMARY KEY)";
    test.admin().execute_unprepared(table).await?;
    let db = open(&test, 4, PATIENCE, settings()).await;
    Ok((test, db))
}

pub fn all() -> Vec<CheckStrategy> {
    vec![
        CheckStrategy::Quick,
        CheckStrategy::Table("notes".to_owned()),
        CheckStrategy::Write,
        CheckStrategy::Integrity { full: false },
        CheckStrategy::Integrity { full: true },
        CheckStrategy::Query("SELECT id FROM notes".to_owned()),
    ]
}

async fn every_strategy_finds_nothing(engine: Engine) -> TestResult {
    let (_test, db) = database(engine).await?;
    for strategy in all() {
        let report = db.check_health_with(strategy, patient()).await;
        assert_eq!(report.status, CheckStatus::Healthy, "{report:?}");
        assert_eq!(report.reason, None, "{report:?}");
        assert!(!report.from_cache && report.consecutive_failures == 0);
    }
    let custom = async || db.execute_unprepared("SELECT 1").await.map(drop);
    let report = db.check_health_custom("mine", patient(), custom).await;
    assert_eq!(report.status, CheckStatus::Healthy, "{report:?}");
    assert_eq!(db.latest_checks().len(), all().len() + 1);
    Ok(())
}

async fn inside_a_transaction_a_check_uses_a_connection_of_its_own(engine: Engine) -> TestResult {
    let (_test, db) = database(engine).await?;
    let result: resilient_sea_orm::Result<()> = db
        .transact(TransactOptions::new().read_only(), || async {
            db.execute_unprepared("SELECT id FROM notes").await?;
            for strategy in all() {
                let report = db.check_health_with(strategy, patient()).await;
                assert_eq!(report.status, CheckStatus::Healthy, "{report:?}");
            }
            Ok(())
        })
        .await;
    Ok(result?)
}

async fn what_is_wrong_is_said_and_counted(engine: Engine) -> TestResult {
    let (_test, db) = database(engine).await?;
    for failures in 1..=2 {
        let missing = CheckStrategy::Table("no such table".to_owned());
        let report = db.check_health_with(missing, patient()).await;
        assert_eq!(report.status, CheckStatus::Unhealthy);
        assert_eq!(report.fault, Some(FaultKind::UndefinedObject), "{report:?}");
        assert_eq!(report.consecutive_failures, failures);
        assert!(report.reason.is_some());
    }
    // It would leave its transaction behind.
    let begin = CheckStrategy::Query("BEGIN".to_owned());
    let report = db.check_health_with(begin, patient()).await;
    assert_eq!(report.status, CheckStatus::Unhealthy, "{report:?}");
    let failing = async || Err::<(), _>("the queue is full");
    let report = db.check_health_custom("queue", patient(), failing).await;
    assert_eq!(report.reason.as_deref(), Some("the queue is full"));
    Ok(())
}

async fn what_takes_long_is_slow(engine: Engine) -> TestResult {
    let (_test, db) = database(engine).await?;
    let options = CheckOptions {
        slow_above: Some(Duration::ZERO),
        ..patient()
    };
    let report = db.check_health_with(CheckStrategy::Write, options).await;
    assert_eq!(report.status, CheckStatus::Slow, "{report:?}");
    assert!(report.is_usable() && report.reason.is_some());
    let options = CheckOptions {
        timeout: Some(Duration::from_millis(20)),
        ..patient()
    };
    let never = std::future::pending::<Result<(), String>>;
    let report = db.check_health_custom("hangs", options, never).await;
    assert_eq!(report.status, CheckStatus::Unhealthy);
    Ok(())
}

async fn answers_are_remembered_unless_forced(engine: Engine) -> TestResult {
    let (_test, db) = database(engine).await?;
    let cached = CheckOptions {
        force: false,
        ..patient()
    };
    let first = db
        .check_health_with(CheckStrategy::Quick, cached.clone())
        .await;
    let second = db
        .check_health_with(CheckStrategy::Quick, cached.clone())
        .await;
    assert!(!first.from_cache && second.from_cache);
    assert_eq!(first.checked_at, second.checked_at);
    let other = db.check_health_with(CheckStrategy::Write, cached).await;
    assert!(!other.from_cache);
    let forced = db.check_health_with(CheckStrategy::Quick, patient()).await;
    assert!(!forced.from_cache);
    Ok(())
}

async fn those_who_ask_together_share_a_check(engine: Engine) -> TestResult {
    let (_test, db) = database(engine).await?;
    let made = AtomicU32::new(0);
    let ask = || async {
        let check = || async {
            made.fetch_add(1, Ordering::SeqCst);
            db.execute_unprepared("SELECT 1").await.map(drop)
        };
        let cached = CheckOptions {
            force: false,
            ..patient()
        };
        db.check_health_custom("shared", cached, check).await
    };
    let all = futures_util::future::join_all((0..20).map(|_| ask())).await;
    assert!(
        all.iter()
            .all(|report| report.status == CheckStatus::Healthy)
    );
    assert_eq!(made.into_inner(), 1);
    Ok(())
}

engine_tests! {
    every_strategy_finds_nothing,
    what_is_wrong_is_said_and_counted,
    what_takes_long_is_slow,
    answers_are_remembered_unless_forced,
    those_who_ask_together_share_a_check,
    inside_a_transaction_a_check_uses_a_connection_of_its_own,
}
