//! Sessions and transactions that are open or idle for too long.

use std::time::Duration;

use resilient_sea_orm::{
    Builder, FaultKind, Outcome,
    config::SessionConfig,
    health::HealthEvent,
    manager::{Condition, Expiry},
    prelude::*,
    time::FakeClock,
};
use support::{Engine, TestDb, TestResult, engine_tests};
use tokio::sync::broadcast::Receiver;

use super::{manager, quiet};
use crate::{
    bank::{Bank, add},
    rig::nothing_leaks,
};

const MINUTE: Duration = Duration::from_mins(1);

/// A bank whose sessions last for 100 minutes, 10 of them idle, and the time there.
async fn bank(engine: Engine) -> (Bank, FakeClock) {
    let session = SessionConfig::default()
        .with_timeout(100 * MINUTE)
        .with_max_idle_time(10 * MINUTE);
    let clock = FakeClock::new();
    let builder = Builder::default()
        .config(&quiet().with_session(session))
        .clock(clock.clone());
    let test = TestDb::new(engine).await.expect("a database");
    (Bank::built(builder, test, 1, 4).await, clock)
}

/// The methods that were told of since, and whether theirs was ended.
fn told(hears: &mut Receiver<HealthEvent>) -> Vec<(Option<String>, bool)> {
    let events = std::iter::from_fn(|| hears.try_recv().ok());
    let expired = events.filter_map(|event| match event {
        HealthEvent::SessionExpired { method, ended, .. } => Some((method, ended)),
        _ => None,
    });
    expired.collect()
}

fn named(name: &'static str) -> TransactOptions {
    TransactOptions::new().name(name)
}

async fn an_idle_session_is_warned_of_and_ended(engine: Engine) -> TestResult {
    let (bank, clock) = bank(engine).await;
    let manager = manager(&bank.db);
    let mut hears = bank.db.health_events();
    let session = manager.session("w").await?;
    let close = || session.run_with(named("close_day"), |db| async move { add(&db, 1, 1).await });
    close().await?;
    clock.advance(7 * MINUTE);
    assert!(manager.end_overdue().is_empty());
    clock.advance(MINUTE);
    let found = manager.end_overdue();
    assert!(matches!(&found[..], [Expiry::Session(..)]), "{found:?}");
    assert!(!found[0].ended() && found[0].method() == Some("close_day"));
    assert!(manager.end_overdue().is_empty(), "said once");
    // It is used: the warning is void, and would be said again.
    close().await?;
    clock.advance(8 * MINUTE);
    assert_eq!(manager.end_overdue().len(), 1);
    assert!(session.refresh());
    clock.advance(9 * MINUTE);
    assert_eq!(manager.end_overdue().len(), 1);
    clock.advance(MINUTE);
    let found = manager.end_overdue();
    assert!(found[0].ended(), "{found:?}");
    let method = Some("close_day".to_owned());
    let warned = (method.clone(), false);
    let all = [warned.clone(), warned.clone(), warned, (method, true)];
    assert_eq!(told(&mut hears), all);

    let error = close().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.outcome()),
        (FaultKind::SessionExpired, Outcome::NotSent)
    );
    assert_eq!(session.condition(), Condition::Expired);
    let other = manager.session("w").await?;
    assert_eq!(
        (other.condition(), other.report().committed),
        (Condition::Healthy, 0)
    );
    assert_eq!(bank.balance(1).await, 102);
    Ok(())
}

async fn an_old_session_is_ended_but_not_under_its_work(engine: Engine) -> TestResult {
    let (bank, clock) = bank(engine).await;
    let manager = manager(&bank.db);
    let session = manager.session("w").await?;
    for _ in 0..19 {
        clock.advance(5 * MINUTE);
        session
            .run(|db| async move { add(&db, 1, 1).await })
            .await?;
    }
    assert_eq!(manager.end_overdue().len(), 1, "95 minutes: a warning");
    session
        .run(|db| {
            let (manager, clock) = (&manager, &clock);
            async move {
                add(&db, 1, 1).await?;
                clock.advance(5 * MINUTE);
                assert!(manager.end_overdue().is_empty(), "it works");
                add(&db, 1, 1).await
            }
        })
        .await?;
    let found = manager.end_overdue();
    assert!(matches!(&found[..], [Expiry::Session(..)]), "{found:?}");
    assert!(found[0].ended());
    assert_eq!(bank.balance(1).await, 121);
    Ok(())
}

/// Both limits, each reached by steps of that many minutes, in a transaction that sends a
/// statement at each step or not.
async fn a_transaction_that_lasts_is_warned_of_and_rolled_back(engine: Engine) -> TestResult {
    for (step, busy, text) in [(2, false, "max_idle_time"), (5, true, "session timeout")] {
        let (bank, clock) = bank(engine).await;
        let manager = manager(&bank.db);
        let mut hears = bank.db.health_events();
        let session = manager.session("w").await?;
        let found = std::sync::Mutex::new(Vec::new());
        let work = session.run_with(named("settle"), |db| {
            let (manager, clock, found) = (&manager, &clock, &found);
            async move {
                add(&db, 1, -50).await?;
                while db.sessions().len() == 1 {
                    clock.advance(step * MINUTE);
                    if busy {
                        add(&db, 1, -1).await?;
                    }
                    found.lock().unwrap().extend(manager.end_overdue());
                }
                // Its locks are gone before it knows.
                let other = manager.database("main")?;
                let outside = tokio::spawn(async move { add(&other, 1, 1).await });
                outside.await.expect("no panic")?;
                add(&db, 1, -50).await
            }
        });
        let error = work.await.unwrap_err();
        assert_eq!(error.kind(), FaultKind::SessionExpired, "{error}");
        assert_eq!(
            (error.outcome(), error.attempts()),
            (Outcome::RolledBack, 1)
        );
        assert!(error.to_string().contains(text), "{error}");
        assert!(error.to_string().contains("settle"), "{error}");
        let found = found.into_inner().unwrap();
        let said: Vec<_> = found.iter().map(|e| (e.method(), e.ended())).collect();
        assert_eq!(said, [(Some("settle"), false), (Some("settle"), true)]);
        assert!(matches!(&found[0], Expiry::Transaction(name, ..) if name == "main"));
        let method = Some("settle".to_owned());
        assert_eq!(told(&mut hears), [(method.clone(), false), (method, true)]);
        assert_eq!(bank.balance(1).await, 101);
        nothing_leaks(&bank, 4).await;
    }
    Ok(())
}

async fn a_refreshed_session_keeps_its_transaction(engine: Engine) -> TestResult {
    let (bank, clock) = bank(engine).await;
    let manager = manager(&bank.db);
    let session = manager.session("w").await?;
    let work = session.run(|db| {
        let (manager, clock, session) = (&manager, &clock, &session);
        async move {
            add(&db, 1, 1).await?;
            for _ in 0..30 {
                clock.advance(7 * MINUTE);
                assert!(session.refresh());
                assert!(manager.end_overdue().is_empty());
            }
            add(&db, 1, 1).await
        }
    });
    work.await?;
    assert_eq!(bank.balance(1).await, 102);
    Ok(())
}

engine_tests! {
    an_idle_session_is_warned_of_and_ended,
    an_old_session_is_ended_but_not_under_its_work,
    a_transaction_that_lasts_is_warned_of_and_rolled_back,
    a_refreshed_session_keeps_its_transaction,
}
