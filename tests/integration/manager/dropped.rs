//! A unit of work that is dropped, at whatever await point, leaves nothing behind.

use resilient_sea_orm::{
    Result,
    manager::{Condition, ManagedSession},
    prelude::*,
};
use support::{Engine, TestResult, engine_tests};

use super::manager;
use crate::{
    bank::{add, enter},
    cancellation::{Form, Told},
    rig::{Rig, nothing_leaks, nothing_open, polled},
};

async fn moved(db: ResilientConnection, id: i64) -> Result<()> {
    add(&db, 1, -1).await?;
    add(&db, 2, 1).await?;
    enter(&db, id, &id.to_string()).await
}

async fn plain(session: &ManagedSession, id: i64) -> Result<()> {
    session.run(|db| moved(db, id)).await
}

async fn nested(session: &ManagedSession, id: i64) -> Result<()> {
    session
        .run(|db| async move {
            add(&db, 1, -1).await?;
            session
                .run(|db| async move { enter(&db, id, &id.to_string()).await })
                .await?;
            add(&db, 2, 1).await
        })
        .await
}

async fn a_unit_of_work_may_be_dropped_at_every_await_point(engine: Engine) -> TestResult {
    let bank = Rig::new(2).bank(engine, 2).await;
    let manager = manager(&bank.db);
    let session = manager.session("w").await?;
    let (mut told, mut id) = (Told::default(), 0);
    // On a busy machine more answers are there at the next poll, and fewer calls last long enough.
    for (round, polls) in (1..=24).cycle().take(24 * 24).enumerate() {
        if polls == 1 && round >= 24 * 6 && told.cut > 100 {
            break;
        }
        for answered in [false, true] {
            id += 1;
            let answer = polled(plain(&session, id), polls, answered).await;
            told.hear(Form::Plain, id, answer);
            id += 1;
            let answer = polled(Box::pin(nested(&session, id)), polls, answered).await;
            told.hear(Form::Nested, id, answer);
        }
    }
    nothing_open(&bank).await;
    told.agrees_with(&bank).await;
    assert!(told.cut > 100, "only {} were cancelled", told.cut);
    let report = session.report();
    assert_eq!(report.running, 0);
    assert!(report.cancelled > 0, "{report:?}");
    plain(&session, id + 1).await?;
    assert_eq!(session.condition(), Condition::Healthy);
    nothing_leaks(&bank, 2).await;
    Ok(())
}

async fn a_recovery_may_be_dropped_at_every_await_point(engine: Engine) -> TestResult {
    let bank = Rig::new(2).bank(engine, 1).await;
    let manager = manager(&bank.db);
    let session = manager.session("w").await?;
    let mut cut = 0;
    for polls in (1..=6).cycle().take(600) {
        if cut > 20 && polls == 1 {
            break;
        }
        for answered in [false, true] {
            let recovery = polled(session.recover(), polls, answered).await;
            cut += u32::from(recovery.is_none());
            if let Some(recovery) = recovery {
                assert!(recovery?.verified);
            }
        }
    }
    assert!(cut > 20, "only {cut} were cancelled");
    assert!(session.recover().await?.verified);
    nothing_leaks(&bank, 2).await;
    Ok(())
}

engine_tests! {
    a_unit_of_work_may_be_dropped_at_every_await_point,
    a_recovery_may_be_dropped_at_every_await_point,
}
