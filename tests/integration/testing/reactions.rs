//! The framework answers an injected fault as it answers the real one.

use std::sync::{
    Mutex,
    atomic::{AtomicU32, Ordering},
};

use resilient_sea_orm::{core::Reason, prelude::*, testing::FaultPlan};
use sea_orm::ConnectionTrait;
use support::{Cut, CutProxy, Engine, TestDb, TestResult, engine_tests};

use super::{AGAIN, ONCE, writes};
use crate::{
    bank::{Bank, add, impatient},
    rig::{Rig, nothing_leaks},
    swallowed::victim,
};

const TAKE_2: &str = "UPDATE account SET balance = balance WHERE id = 2";

/// What a caller can tell two failures apart by.
fn seen(
    error: &Error,
) -> (
    FaultKind,
    Outcome,
    u32,
    Reason,
    resilient_sea_orm::Effect,
    String,
) {
    let fault = error.fault();
    let code = fault.code().to_owned();
    (
        error.kind(),
        error.outcome(),
        error.attempts(),
        error.reason().clone(),
        fault.effect(),
        code,
    )
}

/// Writes, loses the second write, swallows that, writes again.
async fn careless(bank: &Bank, options: TransactOptions, second: &str) -> Result<()> {
    bank.db
        .transact(options, || async {
            add(&bank.db, 1, 5).await?;
            let _ = bank.db.execute_unprepared(second).await;
            let _ = add(&bank.db, 3, 5).await;
            Ok::<_, Error>(())
        })
        .await
}

async fn a_swallowed_deadlock_is_the_same(engine: Engine) -> TestResult {
    let bank = Bank::open(engine, 3).await;
    let real = victim(&bank, async |opponent| {
        let opponent = Mutex::new(Some(opponent));
        bank.db
            .transact(ONCE, || async {
                add(&bank.db, 1, 5).await?;
                let opponent = opponent.lock().expect("lock").take();
                if let Some(opponent) = opponent {
                    opponent.wants_the_first().await;
                }
                let _ = bank.db.execute_unprepared(TAKE_2).await;
                let _ = add(&bank.db, 3, 5).await;
                Ok::<_, Error>(())
            })
            .await
    });
    let real = real.await.expect_err("a victim");
    let plan = FaultPlan::new(1).at_statement(2, FaultKind::Deadlock);
    let injection = bank.db.inject(plan.clone())?;
    let injected = careless(&bank, ONCE, TAKE_2).await.expect_err("injected");
    assert_eq!(seen(&real), seen(&injected), "{injection}");
    assert_eq!(real.reason(), &Reason::Swallowed);
    assert_eq!(bank.total().await, 300);
    drop(injection);
    // And it is healed.
    let injection = bank.db.inject(plan)?;
    careless(&bank, AGAIN, TAKE_2).await?;
    assert_eq!(injection.end().len(), 1);
    assert_eq!(bank.total().await, 310);
    Ok(())
}

async fn a_swallowed_lock_timeout_is_the_same(engine: Engine) -> TestResult {
    let bank = Bank::open(engine, 3).await;
    let held = bank.holds(TAKE_2).await;
    let failing = impatient(engine, TAKE_2);
    let real = careless(&bank, ONCE, &failing).await.expect_err("held");
    held.rollback().await?;
    let plan = FaultPlan::new(1).matching("id = 2", FaultKind::LockTimeout);
    let injection = bank.db.inject(plan)?;
    let injected = careless(&bank, ONCE, TAKE_2).await.expect_err("injected");
    assert_eq!(seen(&real), seen(&injected), "{injection}");
    assert_eq!(bank.total().await, 300);
    Ok(())
}

async fn a_lost_session_is_the_same(engine: Engine) -> TestResult {
    let bank = Rig::new(1).bank(engine, 1).await;
    let run = async |kill: bool, options| {
        let runs = AtomicU32::new(0);
        let called = bank.db.transact(options, || async {
            add(&bank.db, 1, 5).await?;
            if kill && runs.fetch_add(1, Ordering::SeqCst) == 0 {
                let ended = bank.test.terminate_sessions().await;
                ended.map_err(|error| Error::custom(error.to_string()))?;
            }
            add(&bank.db, 1, 5).await
        });
        called.await
    };
    let real = run(true, ONCE).await.expect_err("killed");
    let plan = FaultPlan::new(1).at_statement(2, FaultKind::ConnectionLost);
    let injection = bank.db.inject(plan.clone())?;
    let injected = run(false, ONCE).await.expect_err("injected");
    let without_code = |error| {
        let (kind, outcome, attempts, reason, effect, _) = seen(error);
        (kind, outcome, attempts, reason, effect)
    };
    assert_eq!(without_code(&real), without_code(&injected), "{injection}");
    drop(injection);
    run(true, AGAIN).await?;
    let injection = bank.db.inject(plan)?;
    run(false, AGAIN).await?;
    assert_eq!(injection.end().len(), 1);
    assert_eq!(bank.balance(1).await, 100_020);
    nothing_leaks(&bank, 1).await;
    Ok(())
}

async fn a_lost_commit_is_the_same(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let proxy = CutProxy::before(&test).await?;
    let mut rig = Rig::new(1);
    rig.url = Some(proxy.url().to_owned());
    let bank = rig.on(test, 1).await;
    let plan = FaultPlan::new(1);
    for (cut, plan, stored) in [
        (Cut::ReplyLost, plan.clone().commit_reply_lost(), 100_010),
        (Cut::BeforeCommit, plan.commit_not_applied(), 100_010),
    ] {
        proxy.cut_next(cut);
        let real = writes(&bank, AGAIN).await.expect_err("cut");
        let injection = bank.db.inject(plan)?;
        let injected = writes(&bank, AGAIN).await.expect_err("injected");
        assert_eq!(seen(&real), seen(&injected), "{injection}");
        drop(injection);
        assert_eq!(bank.balance(1).await, stored, "{cut:?}");
    }
    Ok(())
}

async fn a_busy_database_is_the_same(_: Engine) -> TestResult {
    let bank = Bank::impatient_sqlite(resilient_sea_orm::Builder::default(), 3).await;
    let held = bank.holds(TAKE_2).await;
    let real = writes(&bank, ONCE).await.expect_err("held");
    held.rollback().await?;
    let plan = FaultPlan::new(1).at_statement(1, FaultKind::LockTimeout);
    let injection = bank.db.inject(plan)?;
    let injected = writes(&bank, ONCE).await.expect_err("injected");
    assert_eq!(seen(&real), seen(&injected), "{injection}");
    Ok(())
}

engine_tests! { on_sqlite: a_busy_database_is_the_same }
engine_tests! { on_postgres on_mariadb:
    a_swallowed_deadlock_is_the_same,
    a_swallowed_lock_timeout_is_the_same,
    a_lost_session_is_the_same,
    a_lost_commit_is_the_same
}
