//! Promise 3: COMMIT is part of the attempt.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use resilient_sea_orm::{Result, policy::StopReason, prelude::*};
use sea_orm::{ConnectionTrait, TransactionTrait};
use support::{Cut, CutProxy, Engine, TestDb, TestResult, engine_tests};
use tokio::sync::Barrier;

use crate::{
    bank::{Bank, add, enter, number},
    rig::{Rig, nothing_leaks},
};

async fn a_constraint_that_fails_at_commit_is_an_error_of_its_kind(engine: Engine) -> TestResult {
    let bank = Rig::new(2).bank(engine, 2).await;
    let admin = bank.test.admin();
    admin
        .execute_unprepared(
            "CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER NOT NULL \
             CONSTRAINT child_parent REFERENCES account (id) DEFERRABLE INITIALLY DEFERRED)",
        )
        .await?;
    let tries = AtomicU32::new(0);
    let error = bank
        .db
        .transact(TransactOptions::new(), || async {
            tries.fetch_add(1, Ordering::SeqCst);
            add(&bank.db, 1, -1).await?;
            bank.db
                .execute_unprepared("INSERT INTO child VALUES (1, 99)")
                .await?;
            Ok::<_, Error>(())
        })
        .await
        .unwrap_err();
    assert_eq!(error.kind(), FaultKind::ForeignKey, "{error}");
    assert_eq!(error.outcome(), Outcome::RolledBack, "{error}");
    assert_eq!(tries.into_inner(), 1, "a violation is not retried");
    assert_eq!(bank.test.rows("child").await?, 0);
    assert_eq!(bank.total().await, 200_000);
    // The same through a handle.
    let handle = bank.db.begin().await?;
    handle
        .execute_unprepared("INSERT INTO child VALUES (1, 99)")
        .await?;
    let error = Error::from(handle.commit().await.unwrap_err());
    assert_eq!(error.kind(), FaultKind::ForeignKey, "{error}");
    assert_eq!(error.outcome(), Outcome::RolledBack, "{error}");
    assert_eq!(bank.test.rows("child").await?, 0);
    nothing_leaks(&bank, 2).await;
    Ok(())
}

/// Takes 1 from `own` if both accounts together are untouched.
async fn take_if_untouched(bank: &Bank, own: i32) -> Result<()> {
    let sum = "SELECT CAST(SUM(balance) AS CHAR) AS n FROM account";
    if number(&bank.db, sum).await == 200_000 {
        add(&bank.db, own, -1).await?;
    }
    Ok(())
}

async fn a_serialization_failure_at_commit_runs_again(engine: Engine) -> TestResult {
    let bank = Arc::new(Rig::new(4).bank(engine, 2).await);
    let written = Arc::new(Barrier::new(2));
    let tries = Arc::new(AtomicU32::new(0));
    let sides = [1, 2].map(|own| {
        let (bank, written) = (Arc::clone(&bank), Arc::clone(&written));
        let tries = Arc::clone(&tries);
        tokio::spawn(async move {
            let options = TransactOptions::new().isolation(IsolationLevel::Serializable);
            bank.db
                .transact(options, || async {
                    take_if_untouched(&bank, own).await?;
                    // Both have written before either commits.
                    if tries.fetch_add(1, Ordering::SeqCst) < 2 {
                        written.wait().await;
                    }
                    Ok::<_, Error>(())
                })
                .await
        })
    });
    for side in sides {
        side.await??;
    }
    assert_eq!(tries.load(Ordering::SeqCst), 3);
    assert_eq!(bank.total().await, 199_999, "both saw an untouched bank");
    let faults = bank.metrics().faults;
    assert_eq!(
        faults.get(&FaultKind::SerializationFailure),
        Some(&1),
        "{faults:?}"
    );
    nothing_leaks(&bank, 4).await;
    Ok(())
}

async fn a_reader_in_the_way_of_commit_is_waited_out(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    test.admin()
        .execute_unprepared("PRAGMA journal_mode = DELETE")
        .await?;
    let bank = Rig::new(1).on(test, 2).await;
    bank.db
        .execute_unprepared("PRAGMA busy_timeout = 10")
        .await?;
    let read = async || {
        let reader = bank.test.admin().begin().await?;
        reader
            .execute_unprepared("SELECT balance FROM account")
            .await?;
        Ok::<_, sea_orm::DbErr>(reader)
    };
    let reader = read().await?;
    let once = TransactOptions::new().retries(0);
    let result: Result<()> = bank.db.transact(once, || enter(&bank.db, 1, "first")).await;
    let error = result.unwrap_err();
    assert_eq!(error.kind(), FaultKind::LockTimeout, "{error}");
    assert_eq!(error.outcome(), Outcome::RolledBack, "{error}");
    reader.rollback().await?;
    assert_eq!(bank.entries().await, 0);

    let reader = Mutex::new(Some(read().await?));
    let tries = AtomicU32::new(0);
    let result: Result<()> = bank
        .db
        .transact(TransactOptions::new(), || async {
            if tries.fetch_add(1, Ordering::SeqCst) == 1 {
                let reader = reader.lock().expect("no panic").take();
                if let Some(reader) = reader {
                    reader.rollback().await?;
                }
            }
            enter(&bank.db, 1, "second").await
        })
        .await;
    result?;
    assert_eq!(tries.into_inner(), 2);
    assert_eq!(bank.entries().await, 1);
    nothing_leaks(&bank, 1).await;
    Ok(())
}

/// A call whose COMMIT is cut; answers its error and the bank.
async fn cut(engine: Engine, cut: Cut) -> Result<(Bank, Error), support::Error> {
    let test = TestDb::new(engine).await?;
    let proxy = CutProxy::before(&test).await?;
    let mut rig = Rig::new(1);
    rig.limit = Duration::from_secs(2);
    rig.url = Some(proxy.url().to_owned());
    let bank = rig.on(test, 2).await;
    proxy.cut_next(cut);
    let tries = AtomicU32::new(0);
    let result: Result<()> = bank
        .db
        .transact(TransactOptions::new().retries(5), || {
            tries.fetch_add(1, Ordering::SeqCst);
            enter(&bank.db, 1, "once")
        })
        .await;
    let error = result.expect_err("the answer to COMMIT was cut off");
    assert_eq!(error.kind(), FaultKind::CommitUnknown, "{error}");
    assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
    assert_eq!(error.stop_reason(), Some(StopReason::OutcomeUnknown));
    assert_eq!(tries.into_inner(), 1, "repeated blindly: {error}");
    assert_eq!(bank.metrics().commit_unknown, 1);
    nothing_leaks(&bank, 1).await;
    Ok((bank, error))
}

async fn a_commit_whose_reply_is_lost_is_unknown_and_not_repeated(engine: Engine) -> TestResult {
    let (bank, _) = cut(engine, Cut::ReplyLost).await?;
    assert_eq!(bank.entries().await, 1, "it was applied");
    Ok(())
}

async fn a_commit_that_never_arrives_is_unknown_and_not_repeated(engine: Engine) -> TestResult {
    let (bank, _) = cut(engine, Cut::BeforeCommit).await?;
    assert_eq!(bank.entries().await, 0, "it was not applied");
    Ok(())
}

async fn a_commit_whose_reply_hangs_ends_as_unknown(engine: Engine) -> TestResult {
    let (bank, _) = cut(engine, Cut::ReplyHeld).await?;
    assert_eq!(bank.entries().await, 1, "it was applied");
    Ok(())
}

/// The pool tests a connection before it takes it back; silence there must not cost the slot.
async fn a_connection_that_falls_silent_after_commit_costs_no_slot(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let proxy = CutProxy::before(&test).await?;
    let mut rig = Rig::new(1);
    rig.url = Some(proxy.url().to_owned());
    let bank = rig.on(test, 2).await;
    proxy.cut_next(Cut::SilentAfterReply);
    for id in 1..=2 {
        let options = TransactOptions::new().retries(0);
        let note = id.to_string();
        let result: Result<()> = bank
            .db
            .transact(options, || enter(&bank.db, id, &note))
            .await;
        result?;
    }
    assert_eq!(bank.entries().await, 2);
    Ok(())
}

engine_tests! { on_sqlite on_postgres:
    a_constraint_that_fails_at_commit_is_an_error_of_its_kind,
}
engine_tests! { on_postgres:
    a_serialization_failure_at_commit_runs_again,
}
engine_tests! { on_sqlite:
    a_reader_in_the_way_of_commit_is_waited_out,
}
engine_tests! { on_postgres on_mariadb:
    a_commit_whose_reply_is_lost_is_unknown_and_not_repeated,
    a_commit_that_never_arrives_is_unknown_and_not_repeated,
    a_commit_whose_reply_hangs_ends_as_unknown,
    a_connection_that_falls_silent_after_commit_costs_no_slot,
}
