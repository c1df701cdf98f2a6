//! Sweeps over methods that are wrong: each has to be found, by the right check.

use std::{fmt::Display, future::Future, time::Duration};

use resilient_sea_orm::{
    CommitMode, FaultSet, ResilientTransaction,
    prelude::*,
    testing::{CallOutcome, Disturbance, FaultSweep, SweepFailed, fault_sweep},
};
use sea_orm::{ConnectionTrait, TransactionTrait};
use support::{Engine, TestResult, engine_tests};

use super::{
    AGAIN, ONCE,
    sweeps::{applied, asks, bank, invariant, reset},
};
use crate::bank::{Bank, add, enter};

async fn found<T, E: CallOutcome, F: Future<Output = Result<T, E>>>(
    bank: &Bank,
    sweep: FaultSweep<'_>,
    method: impl FnMut() -> F,
) -> SweepFailed {
    match fault_sweep(&bank.db, sweep.quiet(), method, || invariant(bank)).await {
        Ok(report) => panic!("it is wrong, and was not found out:\n{report}"),
        Err(found) => found,
    }
}

/// What broke with `what`, in words.
fn broken(found: &SweepFailed, what: impl Into<Disturbance>) -> String {
    let what = what.into();
    let runs = found.report().broken().filter(|run| run.what == what);
    let problems: Vec<_> = runs.flat_map(|run| run.problems.clone()).collect();
    problems.join("\n")
}

fn says(text: &str, part: &str, found: &impl Display) {
    assert!(text.contains(part), "{part:?} is not in {text:?}: {found}");
}

async fn an_error_swallowed_outside_of_a_transaction(engine: Engine) -> TestResult {
    let bank = bank(engine, CommitMode::Reported).await?;
    let found = found(&bank, asks(&bank), || async {
        add(&bank.db, 1, -5).await?;
        let _ = add(&bank.db, 2, 5).await;
        let _ = enter(&bank.db, 1, "paid").await;
        Ok::<_, Error>(())
    })
    .await;
    let problems = broken(&found, FaultKind::LockTimeout);
    says(
        &problems,
        "the invariant is broken: 195 in the bank",
        &found,
    );
    // Whoever reads it can do it again.
    let text = found.to_string();
    says(&text, ".at_step(4, FaultKind::LockTimeout)", &found);
    Ok(())
}

async fn work_outside_of_the_transaction_is_done_twice(engine: Engine) -> TestResult {
    let bank = bank(engine, CommitMode::Reported).await?;
    let found = found(&bank, asks(&bank), || {
        bank.db.transact(AGAIN, || async {
            // On a connection of its own, and stored at once.
            let aside = "UPDATE account SET balance = balance - 5 WHERE id = 1";
            bank.db.as_sea_orm().execute_unprepared(aside).await?;
            add(&bank.db, 2, 5).await?;
            enter(&bank.db, 1, "paid").await
        })
    })
    .await;
    let problems = broken(&found, FaultKind::LockTimeout);
    says(&problems, "its work is stored 2 times", &found);
    says(&problems, "the invariant is broken", &found);
    Ok(())
}

/// As many write it by hand.
async fn begin_again(bank: &Bank) -> Result<()> {
    async fn try_once(bank: &Bank) -> Result<()> {
        let handle = bank.db.begin().await?;
        for (id, cents) in [(1, -5), (2, 5)] {
            let sql = format!("UPDATE account SET balance = balance + {cents} WHERE id = {id}");
            handle.execute_unprepared(&sql).await?;
        }
        let entry = "INSERT INTO entry SELECT COUNT(*) + 1, CONCAT('paid ', COUNT(*)) FROM entry";
        handle.execute_unprepared(entry).await?;
        Ok(handle.commit().await?)
    }
    for _ in 0..3 {
        if try_once(bank).await.is_ok() {
            return Ok(());
        }
    }
    try_once(bank).await
}

async fn a_lost_commit_that_is_blindly_repeated(engine: Engine) -> TestResult {
    let bank = bank(engine, CommitMode::Reported).await?;
    let found = found(&bank, asks(&bank), || begin_again(&bank)).await;
    let lost = broken(&found, Disturbance::ReplyLost);
    says(
        &lost,
        "the call said ok, and its work is stored 2 times",
        &found,
    );
    // Money is kept: only who asks how often it was moved finds out.
    assert!(!lost.contains("the invariant is broken"), "{found}");
    assert_eq!(broken(&found, Disturbance::NotApplied), "", "{found}");
    assert_eq!(broken(&found, FaultKind::LockTimeout), "", "{found}");
    Ok(())
}

async fn a_transaction_that_is_forgotten(engine: Engine) -> TestResult {
    let bank = bank(engine, CommitMode::Reported).await?;
    let kept: std::sync::Mutex<Vec<ResilientTransaction>> = std::sync::Mutex::default();
    let sweep = FaultSweep::new()
        .reset(|| async {
            kept.lock().expect("lock").clear();
            reset(&bank).await
        })
        .applied(|| applied(&bank))
        .faults([FaultKind::Internal])
        .patience(Duration::from_secs(1));
    let found = found(&bank, sweep, || async {
        let handle = bank.db.begin().await?;
        for sql in [
            "UPDATE account SET balance = balance - 5 WHERE id = 1",
            "UPDATE account SET balance = balance + 5 WHERE id = 2",
            "INSERT INTO entry VALUES (1, 'paid')",
        ] {
            if let Err(error) = handle.execute_unprepared(sql).await {
                kept.lock().expect("lock").push(handle);
                return Err(Error::from(error));
            }
        }
        Ok(handle.commit().await?)
    })
    .await;
    let problems = broken(&found, FaultKind::Internal);
    says(&problems, "1 transactions are still open", &found);
    says(&problems, "the pool gives 1 of its 2 connections", &found);
    Ok(())
}

async fn a_method_that_does_not_retry_does_not_heal(engine: Engine) -> TestResult {
    let bank = bank(engine, CommitMode::Reported).await?;
    let sweep = asks(&bank)
        .must_heal(FaultSet::CONTENTION)
        .faults([FaultKind::LockTimeout, FaultKind::Internal]);
    let found = found(&bank, sweep, || {
        bank.db.transact(ONCE, || async {
            add(&bank.db, 1, -5).await?;
            add(&bank.db, 2, 5).await?;
            enter(&bank.db, 1, "paid").await
        })
    })
    .await;
    says(
        &broken(&found, FaultKind::LockTimeout),
        "was to be healed",
        &found,
    );
    assert_eq!(broken(&found, FaultKind::Internal), "", "{found}");
    Ok(())
}

async fn a_sweep_of_nothing_fails(engine: Engine) -> TestResult {
    let bank = bank(engine, CommitMode::Reported).await?;
    let nothing = found(&bank, FaultSweep::new(), || async { Ok::<_, Error>(()) }).await;
    says(&nothing.to_string(), "takes no step", &nothing);
    let fails = found(&bank, FaultSweep::new(), || async {
        Err::<(), _>(Error::custom("never"))
    })
    .await;
    says(
        &fails.to_string(),
        "without any fault, the method fails",
        &fails,
    );
    let late = [Disturbance::Late(Duration::from_millis(1))];
    let none = found(&bank, asks(&bank).faults(late), || async {
        bank.db.execute_unprepared("SELECT 1").await
    })
    .await;
    says(&none.to_string(), "stored 0 times", &none);
    let none = found(&bank, FaultSweep::new().faults(late), || async {
        bank.db.execute_unprepared("SELECT 1").await
    })
    .await;
    says(&none.to_string(), "none of the faults can happen", &none);
    Ok(())
}

engine_tests! {
    an_error_swallowed_outside_of_a_transaction,
    work_outside_of_the_transaction_is_done_twice,
    a_lost_commit_that_is_blindly_repeated,
    a_transaction_that_is_forgotten,
    a_method_that_does_not_retry_does_not_heal,
    a_sweep_of_nothing_fails,
}
