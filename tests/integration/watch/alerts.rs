//! Alerts of what statements show.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use resilient_sea_orm::{
    Builder,
    health::alerts::{Alert, AlertConfig, AlertKind, AlertRule, Change},
    policy::BudgetConfig,
    prelude::*,
    time::FakeClock,
};
use sea_orm::ConnectionTrait;
use support::{Engine, TestDb, TestResult, engine_tests};

use crate::bank::{Bank, enter};

const SECOND: Duration = Duration::from_secs(1);

type Told = Arc<Mutex<Vec<(Change, Alert)>>>;

async fn watched(engine: Engine, config: AlertConfig) -> (Bank, FakeClock, Told) {
    let (clock, told) = (FakeClock::new(), Told::default());
    let hears = Arc::clone(&told);
    let builder = Builder::default()
        .clock(clock.clone())
        .retry_budget(BudgetConfig::new(0.0, 0))
        .alerts(config)
        .on_alert(move |change, alert| {
            hears.lock().unwrap().push((change, alert.clone()));
        });
    let test = TestDb::new(engine).await.expect("a database");
    (Bank::built(builder, test, 12, 4).await, clock, told)
}

fn changes(told: &Told, kind: AlertKind) -> Vec<(Change, Alert)> {
    let told = told.lock().unwrap();
    told.iter()
        .filter(|(_, a)| a.kind == kind)
        .cloned()
        .collect()
}

async fn a_bulk_operation_is_told_once_and_is_over_after_silence(engine: Engine) -> TestResult {
    let rule = AlertRule::new(10.0).quiet(SECOND * 60);
    let config = AlertConfig::default().rule(AlertKind::BulkOperation, rule);
    let (bank, clock, told) = watched(engine, config).await;
    let db = &bank.db;
    for _ in 0..3 {
        let options = TransactOptions::new().name("raise_everyone");
        let all = "UPDATE account SET balance = balance + 1";
        let done: Result<()> = db
            .transact(options, || async {
                db.execute_unprepared("UPDATE account SET balance = balance WHERE id < 5")
                    .await?;
                db.execute_unprepared(all).await?;
                Ok(())
            })
            .await;
        done?;
        clock.advance(SECOND * 30);
    }
    let so_far = changes(&told, AlertKind::BulkOperation);
    assert_eq!(so_far.len(), 1, "{so_far:?}");
    let (change, alert) = &so_far[0];
    assert_eq!(*change, Change::Raised);
    assert_eq!(alert.subject, "raise_everyone");
    assert_eq!(
        alert.message,
        "raise_everyone: one statement changed 12 rows (threshold 10 rows)"
    );
    assert_eq!(db.alerts().active.len(), 1);

    clock.advance(SECOND * 60);
    let report = db.alerts();
    assert!(
        report.active.is_empty() && report.history.len() == 1,
        "{report:?}"
    );
    db.alerts();
    let all = changes(&told, AlertKind::BulkOperation);
    assert_eq!(all.len(), 2, "{all:?}");
    assert_eq!(all[1].0, Change::Cleared);
    Ok(())
}

async fn failing_statements_raise_an_alert_that_passes(engine: Engine) -> TestResult {
    let config = AlertConfig::default().window(5, 10);
    let (bank, clock, told) = watched(engine, config).await;
    enter(&bank.db, 1, "one").await?;
    for _ in 0..20 {
        clock.advance(SECOND);
        enter(&bank.db, 2, "one").await.unwrap_err();
    }
    let none = changes(&told, AlertKind::ErrorRate);
    assert!(
        none.is_empty(),
        "a violated constraint is an answer: {none:?}"
    );
    for _ in 0..10 {
        clock.advance(SECOND);
        bank.db
            .execute_unprepared("SELECT x FROM nowhere")
            .await
            .unwrap_err();
    }
    let raised = changes(&told, AlertKind::ErrorRate);
    assert_eq!(raised.len(), 1, "{raised:?}");
    assert_eq!(raised[0].1.subject, bank.db.name());
    clock.advance(SECOND * 600);
    for _ in 0..3 {
        bank.db.alerts();
    }
    let all = changes(&told, AlertKind::ErrorRate);
    assert_eq!(all.len(), 2, "{all:?}");
    Ok(())
}

async fn an_empty_budget_raises_an_alert(engine: Engine) -> TestResult {
    let (bank, _, told) = watched(engine, AlertConfig::default()).await;
    let Some(fails) = crate::bank::always(engine, FaultKind::SerializationFailure) else {
        return Ok(());
    };
    for _ in 0..2 {
        let options = TransactOptions::new().retries(2);
        let failed: Result<()> = bank
            .db
            .transact(options, || async {
                bank.db.execute_unprepared(fails).await?;
                Ok(())
            })
            .await;
        failed.unwrap_err();
    }
    let raised = changes(&told, AlertKind::BudgetExhausted);
    assert_eq!(raised.len(), 1, "{raised:?}");
    Ok(())
}

engine_tests! {
    a_bulk_operation_is_told_once_and_is_over_after_silence,
    failing_statements_raise_an_alert_that_passes,
}
engine_tests! { on_postgres on_mariadb: an_empty_budget_raises_an_alert }
