//! Checks with schedules of their own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use resilient_sea_orm::{
    Builder, CheckStatus, CheckStrategy, HealthSettings,
    health::{
        HealthEvent,
        alerts::{
            AlertKind,
            Change::{Cleared, Escalated, Raised},
        },
    },
};
use support::{Engine, TestDb, TestResult, engine_tests, wait_until};

use super::{Told, heard, often, open};
use crate::{health::settings, rig::PATIENCE};

const EVERY: Duration = Duration::from_millis(60);

async fn one_that_hangs_or_panics_stops_no_other(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let settings = HealthSettings {
        timeout: Duration::from_secs(3),
        ..settings()
    };
    let db = open(Builder::default(), &test, 3, PATIENCE, settings).await;
    let mut hears = db.health_events();
    let panics = || async { std::panic::resume_unwind(Box::new("a check")) };
    db.start_monitoring_with(
        often()
            .check(CheckStrategy::Write, EVERY)
            .check(CheckStrategy::Table("nowhere".to_owned()), EVERY)
            .check_custom("hangs", EVERY, std::future::pending::<Result<(), String>>)
            .check_custom::<_, String>("panics", EVERY, panics),
    );
    let beside = |name: &str| db.monitoring().unwrap().beside[name].clone();
    // The one that hangs has not even ended once.
    let others = async || {
        let looks = db.monitoring().unwrap().ticks;
        let ticks = ["write", "table nowhere", "panics"].map(|name| beside(name).ticks);
        Ok(looks >= 8 && ticks.iter().all(|ticks| *ticks >= 5))
    };
    wait_until("the other checks", PATIENCE, others).await?;
    let hung = async || Ok(beside("hangs").failed >= 1);
    wait_until("the end of the one that hangs", PATIENCE, hung).await?;
    let report = db.monitoring().unwrap();
    assert_eq!((report.panicked, report.failed), (0, 0), "{report:?}");
    assert_eq!(beside("write").failed, 0, "{report:?}");

    let latest = db.latest_checks();
    let status = |strategy: CheckStrategy| {
        let found = latest.iter().find(|check| check.strategy == strategy);
        found.map(|check| (check.status, check.reason.clone()))
    };
    let (status_of_write, _) = status(CheckStrategy::Write).expect("a report");
    assert_eq!(status_of_write, CheckStatus::Healthy);
    let panicked = status(CheckStrategy::Custom("panics".to_owned()));
    let reason = Some("the check panicked".to_owned());
    assert_eq!(panicked, Some((CheckStatus::Unhealthy, reason)));

    let standing = db.alerts().active;
    let mut subjects: Vec<_> = standing.iter().map(|alert| &*alert.subject).collect();
    subjects.sort_unstable();
    assert_eq!(
        subjects,
        ["check hangs", "check panics", "check table nowhere"]
    );
    let failed: Vec<_> = heard(&mut hears)
        .into_iter()
        .filter_map(|event| match event {
            HealthEvent::CheckFailed { check, .. } => Some(check),
            _ => None,
        })
        .collect();
    assert_eq!(failed.len(), 3, "each told once: {failed:?}");
    Ok(())
}

async fn one_that_fails_for_a_while_is_told_when_it_is_over(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let told = Told::default();
    let db = open(told.by(Builder::default()), &test, 2, PATIENCE, settings()).await;
    let mut hears = db.health_events();
    let bad = Arc::new(AtomicBool::new(true));
    let asks = Arc::clone(&bad);
    let queue = move || {
        let bad = asks.load(SeqCst);
        async move {
            if bad {
                Err("the queue is long")
            } else {
                Ok(())
            }
        }
    };
    db.start_monitoring_with(often().check_custom("queue", EVERY, queue));
    let beside = || db.monitoring().unwrap().beside["queue"].clone();
    let failed = async || Ok(beside().failed >= 4);
    wait_until("failures", PATIENCE, failed).await?;
    assert_eq!(beside().unhealthy.as_deref(), Some("the queue is long"));
    bad.store(false, SeqCst);
    let recovered = async || Ok(beside().recovered == 1);
    wait_until("recovery", PATIENCE, recovered).await?;
    super::looks(&db, 3).await?;
    db.stop_monitoring().await;
    let changes = told.changes(AlertKind::ConnectionFailure);
    assert_eq!(changes, [Raised, Escalated, Cleared]);
    let all = heard(&mut hears);
    let is_over = |event: &HealthEvent| matches!(event, HealthEvent::CheckRecovered { check, .. } if check == "queue");
    assert_eq!(all.iter().filter(|e| is_over(e)).count(), 1, "{all:?}");
    Ok(())
}

engine_tests! {
    one_that_hangs_or_panics_stops_no_other,
    one_that_fails_for_a_while_is_told_when_it_is_over,
}
