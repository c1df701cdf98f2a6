//! Plans: when they strike, and that they do it again.

use std::time::Duration;

use resilient_sea_orm::{
    Builder,
    prelude::*,
    testing::{Disturbance, FaultPlan, Injected, Point},
};
use support::{Engine, TestDb, TestResult, engine_tests};

use super::{AGAIN, ONCE, writes};
use crate::{
    bank::{Bank, add, enter},
    rig::Rig,
};

async fn log(bank: &Bank, plan: FaultPlan) -> TestResult<Vec<Injected>> {
    let injection = bank.db.inject(plan)?;
    for _ in 0..40 {
        let _ = writes(bank, AGAIN).await;
    }
    assert!(injection.failures().is_empty(), "{injection}");
    Ok(injection.end())
}

async fn the_same_seed_strikes_at_the_same_places(engine: Engine) -> TestResult {
    let bank = Rig::new(1).bank(engine, 1).await;
    let plan = |seed| {
        FaultPlan::new(seed)
            .matching("update ACCOUNT", FaultKind::LockTimeout)
            .with_probability(0.3)
            .before_commit(FaultKind::SerializationFailure)
            .every(7)
            .times(3)
    };
    let first = log(&bank, plan(1)).await?;
    assert_eq!(first, log(&bank, plan(1)).await?);
    assert_ne!(first, log(&bank, plan(2)).await?);
    let at = |point| first.iter().filter(|i| i.step.point == point).count();
    assert_eq!(at(Point::Commit), 3);
    let statements = at(Point::Statement);
    assert!((5..40).contains(&statements), "{statements}");
    Ok(())
}

async fn steps_are_counted_and_hold_no_values(engine: Engine) -> TestResult {
    let bank = Rig::new(1).bank(engine, 1).await;
    let watched = bank.db.inject(FaultPlan::new(1))?;
    bank.db
        .transact(ONCE, || async {
            add(&bank.db, 1, 4711).await?;
            bank.db
                .transact(ONCE, || enter(&bank.db, 1, "secret"))
                .await
        })
        .await?;
    let points: Vec<_> = watched.steps().iter().map(|step| step.point).collect();
    assert_eq!(
        points,
        [
            Point::Acquire,
            Point::Begin,
            Point::Statement,
            Point::Savepoint,
            Point::Statement,
            Point::Commit
        ]
    );
    for step in watched.steps() {
        let text = step.to_string();
        assert!(!text.contains("secret") && !text.contains("4711"), "{text}");
    }
    assert!(watched.end().is_empty());
    Ok(())
}

async fn an_ended_plan_does_nothing(engine: Engine) -> TestResult {
    let bank = Rig::new(1).bank(engine, 1).await;
    let always = FaultPlan::new(1)
        .at_begin(FaultKind::LockTimeout)
        .times(u32::MAX);
    let outer = bank.db.inject(always)?;
    writes(&bank, ONCE).await.expect_err("always");
    let inner = bank.db.inject(FaultPlan::new(1))?;
    writes(&bank, ONCE).await?;
    drop(inner);
    writes(&bank, ONCE).await.expect_err("always");
    assert_eq!(outer.end().len(), 2);
    writes(&bank, ONCE).await?;
    assert_eq!(bank.balance(1).await, 100_010);
    Ok(())
}

async fn what_cannot_happen_is_said(engine: Engine) -> TestResult {
    let bank = Rig::new(1).bank(engine, 1).await;
    let late = Disturbance::Late(Duration::from_millis(1));
    let refused = bank.db.inject(FaultPlan::new(1).at_begin(late));
    assert!(refused.is_err(), "only COMMIT can be late");
    // Which step that is shows only when it is reached.
    let injection = bank.db.inject(FaultPlan::new(1).at_step(2, late))?;
    writes(&bank, ONCE).await?;
    assert_eq!(injection.failures().len(), 1, "{injection}");
    assert!(injection.end().is_empty());
    Ok(())
}

async fn a_builder_has_a_plan_for_good(engine: Engine) -> TestResult {
    let plan = FaultPlan::new(1)
        .matching("update account", FaultKind::LockTimeout)
        .slow(Duration::from_millis(1));
    let test = TestDb::new(engine).await?;
    let bank = Bank::built(Builder::default().faults(plan), test, 1, 1).await;
    writes(&bank, AGAIN).await?;
    let struck = bank.db.injected();
    let kinds = |what| struck.iter().filter(|i| i.what == what).count();
    assert_eq!(kinds(FaultKind::LockTimeout.into()), 1);
    assert!(kinds(Disturbance::Slow(Duration::from_millis(1))) > 3);
    assert_eq!(bank.balance(1).await, 105);
    Ok(())
}

engine_tests! {
    the_same_seed_strikes_at_the_same_places,
    steps_are_counted_and_hold_no_values,
    an_ended_plan_does_nothing,
    what_cannot_happen_is_said,
    a_builder_has_a_plan_for_good,
}
