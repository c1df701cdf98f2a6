//! What the monitor measures raises alerts, and clears them.

use std::{sync::Arc, time::Duration};

use resilient_sea_orm::{
    Builder, Config, Error, FaultKind, HealthSettings, ResilientConnection, Result,
    TransactOptions,
    config::{HealthConfig, SessionConfig, SoftDeleteConfig},
    health::{
        alerts::{
            AlertConfig, AlertKind,
            Change::{Cleared, Raised},
        },
        soft_delete::{self, Marker, SoftDelete},
    },
};
use sea_orm::ConnectionTrait;
use support::{Engine, TestDb, TestResult, engine_tests, wait_until};
use tokio::sync::Notify;

use super::{Told, looks, often, open};
use crate::{
    bank::{Bank, add},
    health::{keeps, settings},
    rig::PATIENCE,
};

async fn a_leak_raises_an_alert_before_the_pool_is_exhausted(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let impatient = HealthSettings {
        leak_after: Duration::from_millis(50),
        ..settings()
    };
    let told = Told::default();
    let db = open(told.by(Builder::default()), &test, 10, PATIENCE, impatient).await;
    db.start_monitoring_with(often());
    let until = Arc::new(Notify::new());
    let leaks: Vec<_> = (0..9).map(|_| keeps(&db, &until)).collect();
    let named = async || {
        let active = db.alerts().active;
        let alert = active.iter().find(|a| a.kind == AlertKind::PoolUtilisation);
        Ok(alert.is_some_and(|alert| alert.message.contains("Reports::export")))
    };
    wait_until("an alert that names the leak", PATIENCE, named).await?;
    // There is one left.
    db.execute_unprepared("SELECT 1").await?;
    assert_eq!(db.pool_status().acquire_failures, 0);
    for leak in leaks {
        // The last of them may not have come to wait for it yet.
        while !leak.is_finished() {
            until.notify_waiters();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        leak.await??;
    }
    let cleared = async || Ok(told.changes(AlertKind::PoolUtilisation).contains(&Cleared));
    wait_until("the end of the alert", PATIENCE, cleared).await?;
    db.stop_monitoring().await;
    let changes = told.of(AlertKind::PoolUtilisation);
    let raised = changes.iter().filter(|(change, _)| *change == Raised);
    assert_eq!(raised.count(), 1, "{changes:?}");
    assert_eq!(changes[0].1.subject, db.name());
    assert!(changes[0].1.value >= 0.9, "{changes:?}");
    // A test's own statement may have made it ten for a moment.
    assert!(changes.len() <= 3, "{changes:?}");
    Ok(())
}

async fn a_transaction_that_is_open_for_long_is_alerted_of_and_ended(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let config = Config::default()
        .with_session(SessionConfig::default().with_timeout(Duration::from_millis(1500)))
        .with_health(HealthConfig::default().with_background_monitoring(false));
    let told = Told::default();
    let alerts = AlertConfig::default().threshold(AlertKind::LongTransaction, 0.3);
    let builder = told.by(Builder::default().config(&config).alerts(alerts));
    let db = open(builder, &test, 3, PATIENCE, settings()).await;
    db.start_monitoring_with(often());
    let options = TransactOptions::new().name("Reports::endless");
    let endless: Result<()> = db
        .transact(options, || async {
            db.execute_unprepared("SELECT 1").await?;
            // It notices that it was ended when it goes on.
            let gone = async || Ok(db.sessions().is_empty());
            wait_until("its end", PATIENCE, gone)
                .await
                .map_err(|e| Error::custom(e.to_string()))?;
            db.execute_unprepared("SELECT 1").await?;
            Ok(())
        })
        .await;
    let error = endless.unwrap_err();
    assert_eq!(error.kind(), FaultKind::SessionExpired, "{error}");
    looks(&db, 3).await?;
    db.stop_monitoring().await;
    let changes = told.of(AlertKind::LongTransaction);
    let [(Raised, alert), (Cleared, _)] = &changes[..] else {
        panic!("{changes:?}");
    };
    assert_eq!(alert.subject, "Reports::endless");
    Ok(())
}

/// Ten rows, six of them deleted.
async fn six_of_ten(test: &TestDb, db: &ResilientConnection) -> Result<()> {
    let admin = test.admin();
    admin
        .execute_unprepared("CREATE TABLE parcel (id INTEGER PRIMARY KEY, gone INTEGER NOT NULL)")
        .await?;
    for id in 1..=10 {
        let sql = format!("INSERT INTO parcel VALUES ({id}, {})", i32::from(id <= 6));
        admin.execute_unprepared(&sql).await?;
    }
    let declared = SoftDelete::new("parcel", "gone", Marker::Number);
    soft_delete::register(declared.database(db.name().to_owned()));
    Ok(())
}

async fn counted(db: &ResilientConnection, times: u64) -> TestResult {
    let ticks = || {
        db.monitoring()
            .map_or(0, |r| r.beside["soft deletes"].ticks)
    };
    let wanted = ticks() + times;
    let enough = async || Ok(ticks() >= wanted);
    wait_until("counted tables", PATIENCE, enough).await?;
    looks(db, 2).await
}

async fn deleted_rows_raise_an_alert_until_they_are_cleaned_up(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let told = Told::default();
    let db = open(told.by(Builder::default()), &test, 3, PATIENCE, settings()).await;
    six_of_ten(&test, &db).await?;
    db.start_monitoring_with(often().tables_every(Duration::from_millis(80)));
    let raised = async || Ok(!told.changes(AlertKind::DeletionRatio).is_empty());
    wait_until("an alert", PATIENCE, raised).await?;
    counted(&db, 3).await?;
    let (_, alert) = told.of(AlertKind::DeletionRatio).remove(0);
    assert!((alert.value - 0.6).abs() < 1e-9, "{alert:?}");
    assert!(alert.subject.ends_with("parcel"), "{alert:?}");
    test.admin()
        .execute_unprepared("DELETE FROM parcel WHERE gone = 1")
        .await?;
    let cleared = async || Ok(told.changes(AlertKind::DeletionRatio).contains(&Cleared));
    wait_until("the end of the alert", PATIENCE, cleared).await?;
    counted(&db, 2).await?;
    assert!(db.monitoring().unwrap().beside["soft deletes"].failed == 0);
    db.stop_monitoring().await;
    assert_eq!(told.changes(AlertKind::DeletionRatio), [Raised, Cleared]);
    Ok(())
}

async fn the_configuration_says_how_many_deleted_rows_are_too_many(engine: Engine) -> TestResult {
    let off = HealthConfig::default().with_background_monitoring(false);
    let soft_delete = SoftDeleteConfig::default();
    for (soft_delete, alerts, counts) in [
        (
            soft_delete
                .clone()
                .with_deletion_ratio_alert_threshold(0.59),
            1,
            true,
        ),
        (
            soft_delete
                .clone()
                .with_deletion_ratio_alert_threshold(0.61),
            0,
            true,
        ),
        (
            soft_delete.clone().with_alert_on_high_deletion_ratio(false),
            0,
            true,
        ),
        (soft_delete.with_enable_monitoring(false), 0, false),
    ] {
        let test = TestDb::new(engine).await?;
        let config = Config::default()
            .with_health(off.clone())
            .with_soft_delete(soft_delete);
        let told = Told::default();
        let builder = told.by(Builder::default().config(&config));
        let db = open(builder, &test, 3, PATIENCE, settings()).await;
        six_of_ten(&test, &db).await?;
        db.start_monitoring_with(often().tables_every(Duration::from_millis(80)));
        let report = db.monitoring().unwrap();
        assert_eq!(report.beside.contains_key("soft deletes"), counts);
        if counts {
            counted(&db, 3).await?;
        } else {
            looks(&db, 5).await?;
        }
        db.stop_monitoring().await;
        let changes = told.of(AlertKind::DeletionRatio);
        assert_eq!(
            changes.len(),
            alerts,
            "{:?}: {changes:?}",
            config.soft_delete
        );
    }
    Ok(())
}

/// A statement on the pool that locks the rows 2 and 1, in this order.
fn backwards(engine: Engine) -> &'static str {
    match engine {
        Engine::Postgres => {
            // Long enough for the other one to wait, too: who looks for deadlocks is the victim.
            "DO $$ BEGIN PERFORM set_config('deadlock_timeout', '2s', true); \
             UPDATE account SET balance = balance + 1 WHERE id = 2; \
             UPDATE account SET balance = balance + 1 WHERE id = 1; END $$"
        }
        _ => "UPDATE account SET balance = balance + 1 WHERE id <= 2 ORDER BY id DESC",
    }
}

async fn a_deadlock_of_a_statement_on_the_pool_is_booked_and_alerted_of(
    engine: Engine,
) -> TestResult {
    let told = Told::default();
    let alerts = AlertConfig::default().threshold(AlertKind::DeadlockSeverity, 1.0);
    let builder = told.by(Builder::default().alerts(alerts));
    let bank = Bank::built(builder, TestDb::new(engine).await?, 20, 5).await;
    let db = &bank.db;
    let mut hears = db.health_events();
    let winner = TransactOptions::new().name("Accounts::transfer").retries(0);
    let won: Result<Result<()>> = db
        .transact(winner, || async {
            if engine == Engine::Postgres {
                let never = "SET LOCAL deadlock_timeout = '1h'";
                db.execute_unprepared(never).await?;
            }
            // What changed more rows is not the one that InnoDB ends.
            for id in 3..=20 {
                add(db, id, 1).await?;
            }
            add(db, 1, 1).await?;
            let (victim, ours) = tokio::join!(
                // A task of its own is outside of this transaction.
                tokio::spawn(sweeps(db.clone(), engine)),
                async {
                    let waits = async || Ok(bank.test.sessions_in_wait().await? == 1);
                    wait_until("a statement that waits", PATIENCE, waits)
                        .await
                        .map_err(|e| Error::custom(e.to_string()))?;
                    add(db, 2, 1).await
                }
            );
            ours?;
            Ok(victim.expect("no panic"))
        })
        .await;
    let error = won?.unwrap_err();
    assert_eq!(error.kind(), FaultKind::Deadlock, "{error}");

    let booked = async || Ok(db.deadlocks().total == 1);
    wait_until("the deadlock in the book", PATIENCE, booked).await?;
    let report = db.deadlocks();
    assert_eq!(
        report.pairs[0].methods,
        ["Accounts::sweep", "Accounts::transfer"],
        "{report:?}"
    );
    assert_eq!(report.by_table["account"], 1, "{report:?}");
    db.start_monitoring_with(often());
    looks(db, 5).await?;
    db.stop_monitoring().await;
    let changes = told.of(AlertKind::DeadlockSeverity);
    let [(Raised, alert)] = &changes[..] else {
        panic!("{changes:?}");
    };
    assert_eq!(alert.subject, "Accounts::sweep / Accounts::transfer");
    assert!(alert.message.ends_with("; over account"), "{alert:?}");
    let seen = super::heard(&mut hears)
        .into_iter()
        .filter(|event| {
            matches!(
                event,
                resilient_sea_orm::health::HealthEvent::DeadlockSeen { .. }
            )
        })
        .count();
    assert_eq!(seen, 1);
    Ok(())
}

/// A call without a transaction: its statement runs on the pool.
async fn sweeps(db: ResilientConnection, engine: Engine) -> Result<()> {
    let options = TransactOptions::new()
        .name("Accounts::sweep")
        .retries(0)
        .propagation(resilient_sea_orm::Propagation::NotSupported);
    db.transact(options, || async {
        db.execute_unprepared(backwards(engine)).await?;
        Ok::<_, Error>(())
    })
    .await
}

engine_tests! {
    a_leak_raises_an_alert_before_the_pool_is_exhausted,
    a_transaction_that_is_open_for_long_is_alerted_of_and_ended,
    deleted_rows_raise_an_alert_until_they_are_cleaned_up,
    the_configuration_says_how_many_deleted_rows_are_too_many,
}
engine_tests! { on_postgres on_mariadb:
    a_deadlock_of_a_statement_on_the_pool_is_booked_and_alerted_of,
}
