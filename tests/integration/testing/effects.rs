//! What a fault leaves behind on the server, seen through another connection.

use std::time::Duration;

use resilient_sea_orm::{
    prelude::*,
    testing::{Disturbance, FaultPlan, Point},
};
use sea_orm::{ConnectionTrait, StreamTrait, TransactionTrait};
use support::{Engine, TestResult, engine_tests, wait_until};

use super::{AGAIN, ONCE, writes};
use crate::{
    bank::{Bank, add, number},
    rig::{PATIENCE, Rig, nothing_leaks},
};

/// How many transactions are open that could still commit.
async fn alive(bank: &Bank) -> TestResult<i64> {
    Ok(match bank.test.engine() {
        Engine::Postgres => {
            let watch = bank.test.connect(1).await?.into();
            let sql = "SELECT CAST(COUNT(*) AS CHAR) AS n FROM pg_stat_activity WHERE \
                       datname = current_database() AND state = 'idle in transaction'";
            number(&watch, sql).await
        }
        _ => i64::try_from(bank.test.open_transactions().await?)?,
    })
}

/// A transaction that has written, and whose next statement fails with `kind`; answers how many
/// are alive on the server then.
async fn after(bank: &Bank, kind: FaultKind) -> TestResult<i64> {
    let handle = bank.db.begin().await?;
    handle
        .execute_unprepared("UPDATE account SET balance = balance + 5 WHERE id = 1")
        .await?;
    assert_eq!(alive(bank).await?, 1);
    let injection = bank.db.inject(FaultPlan::new(1).at_statement(1, kind))?;
    let failed = handle
        .execute_unprepared("UPDATE account SET balance = balance + 5 WHERE id = 2")
        .await;
    assert_eq!(Error::from(failed.expect_err("injected")).kind(), kind);
    assert_eq!(injection.injected().len(), 1);
    assert!(injection.failures().is_empty(), "{injection}");
    let left = alive(bank).await?;
    // SQLite says that there is nothing to roll back.
    let _ = handle.rollback().await;
    nothing_leaks(bank, 2).await;
    assert_eq!(bank.total().await, 200_000);
    Ok(left)
}

async fn a_deadlock_ends_the_transaction_on_the_server(engine: Engine) -> TestResult {
    let bank = Rig::new(2).bank(engine, 2).await;
    assert_eq!(after(&bank, FaultKind::Deadlock).await?, 0);
    Ok(())
}

async fn a_lock_timeout_ends_what_the_engine_says(engine: Engine) -> TestResult {
    let bank = Rig::new(2).bank(engine, 2).await;
    let left = i64::from(engine != Engine::Postgres);
    assert_eq!(after(&bank, FaultKind::LockTimeout).await?, left);
    Ok(())
}

async fn a_full_disk_rolls_back_on_the_spot(engine: Engine) -> TestResult {
    let bank = Rig::new(2).bank(engine, 2).await;
    assert_eq!(after(&bank, FaultKind::DiskFull).await?, 0);
    assert_eq!(after(&bank, FaultKind::SerializationFailure).await?, 1);
    Ok(())
}

async fn a_lost_connection_is_gone_on_the_server(engine: Engine) -> TestResult {
    let bank = Rig::new(1).bank(engine, 1).await;
    let handle = bank.db.begin().await?;
    handle.execute_unprepared("SELECT 1").await?;
    assert_eq!(bank.test.sessions().await?, 1);
    let lost = FaultPlan::new(1).at_statement(1, FaultKind::ConnectionLost);
    let injection = bank.db.inject(lost)?;
    let error = handle.execute_unprepared("SELECT 1").await;
    assert_eq!(
        Error::from(error.expect_err("lost")).kind(),
        FaultKind::ConnectionLost
    );
    let gone = async || Ok(bank.test.sessions().await? == 0);
    wait_until("the end of the session", PATIENCE, gone).await?;
    assert!(injection.failures().is_empty(), "{injection}");
    handle.rollback().await?;
    nothing_leaks(&bank, 1).await;
    Ok(())
}

async fn a_commit_is_stored_or_not_as_the_plan_says(engine: Engine) -> TestResult {
    let bank = Rig::new(2).bank(engine, 1).await;
    let plan = || FaultPlan::new(1);
    let mut stored = 100_000;
    for (plan, applied) in [
        (plan().commit_reply_lost(), 5),
        (plan().commit_not_applied(), 0),
        (plan().before_commit(FaultKind::ConnectionLost), 0),
    ] {
        let injection = bank.db.inject(plan)?;
        let error = writes(&bank, AGAIN).await.expect_err("nobody knows");
        assert_eq!(error.kind(), FaultKind::CommitUnknown, "{injection}");
        assert_eq!(error.outcome(), Outcome::Unknown, "{injection}");
        assert_eq!(error.attempts(), 1);
        assert!(injection.failures().is_empty(), "{injection}");
        drop(injection);
        nothing_leaks(&bank, 2).await;
        stored += applied;
        assert_eq!(bank.balance(1).await, stored);
    }
    Ok(())
}

async fn a_late_commit_is_stored_later(engine: Engine) -> TestResult {
    let bank = Rig::new(2).bank(engine, 1).await;
    // Longer than the questions in between take, as it is cut short below.
    let late = FaultPlan::new(1).commit_late(Duration::from_secs(3));
    let injection = bank.db.inject(late)?;
    let error = writes(&bank, AGAIN).await.expect_err("nobody knows");
    assert_eq!(error.outcome(), Outcome::Unknown);
    let before = bank.balance(1).await;
    injection.settled().await;
    assert_eq!((before, bank.balance(1).await), (100_000, 100_005));
    assert!(injection.failures().is_empty());
    drop(injection);
    nothing_leaks(&bank, 2).await;
    Ok(())
}

async fn a_verified_commit_finds_out(engine: Engine) -> TestResult {
    let bank = Rig::new(2).bank(engine, 1).await;
    bank.db.ensure_marker_table().await?;
    let verified = AGAIN.commit(resilient_sea_orm::CommitMode::Verified);
    let mut stored = 100_000;
    for plan in [
        FaultPlan::new(1).commit_reply_lost(),
        FaultPlan::new(1).commit_not_applied(),
        FaultPlan::new(1).commit_late(Duration::from_millis(50)),
    ] {
        let injection = bank.db.inject(plan)?;
        writes(&bank, verified).await?;
        injection.settled().await;
        assert_eq!(injection.end().len(), 1);
        stored += 5;
        assert_eq!(bank.balance(1).await, stored);
    }
    nothing_leaks(&bank, 2).await;
    Ok(())
}

async fn a_refused_commit_is_tried_again(engine: Engine) -> TestResult {
    let bank = Rig::new(2).bank(engine, 1).await;
    let kind = FaultKind::SerializationFailure;
    let injection = bank.db.inject(FaultPlan::new(1).before_commit(kind))?;
    let error = writes(&bank, ONCE).await.expect_err("refused");
    assert_eq!((error.kind(), error.outcome()), (kind, Outcome::RolledBack));
    assert_eq!(bank.balance(1).await, 100_000);
    drop(injection);
    let injection = bank.db.inject(FaultPlan::new(1).before_commit(kind))?;
    writes(&bank, AGAIN).await?;
    assert!(injection.failures().is_empty(), "{injection}");
    assert_eq!(injection.end().len(), 1);
    assert_eq!(bank.balance(1).await, 100_005);
    nothing_leaks(&bank, 2).await;
    Ok(())
}

async fn silence_is_ended_by_the_limits(engine: Engine) -> TestResult {
    let mut rig = Rig::new(1);
    rig.limit = Duration::from_secs(1);
    let bank = rig.bank(engine, 1).await;
    for (plan, kind) in [
        (FaultPlan::new(1).hung(), FaultKind::ConnectionLost),
        (
            FaultPlan::new(1).at_begin(Disturbance::Hung),
            FaultKind::ConnectionLost,
        ),
        (
            FaultPlan::new(1).at(Point::Commit, Disturbance::Hung),
            FaultKind::CommitUnknown,
        ),
    ] {
        let injection = bank.db.inject(plan)?;
        let error = writes(&bank, ONCE).await.expect_err("silence");
        assert_eq!(error.kind(), kind, "{injection}");
        drop(injection);
    }
    assert_eq!(bank.balance(1).await, 100_000);
    nothing_leaks(&bank, 1).await;
    Ok(())
}

async fn no_connection_means_nothing_was_sent(engine: Engine) -> TestResult {
    let bank = Rig::new(1).bank(engine, 1).await;
    for kind in [FaultKind::PoolTimeout, FaultKind::ServerUnavailable] {
        let injection = bank.db.inject(FaultPlan::new(1).at_acquire(kind))?;
        let error = writes(&bank, ONCE).await.expect_err("no connection");
        assert_eq!(error.outcome(), Outcome::NotSent, "{error}");
        assert_eq!(error.kind(), kind, "{injection}");
        writes(&bank, ONCE).await?;
    }
    assert_eq!(bank.balance(1).await, 100_010);
    Ok(())
}

async fn a_savepoint_that_fails_loses_the_transaction(engine: Engine) -> TestResult {
    let bank = Rig::new(1).bank(engine, 1).await;
    let plan = FaultPlan::new(1).at_savepoint(1, FaultKind::LockTimeout);
    let injection = bank.db.inject(plan)?;
    let nested = bank.db.transact(ONCE, || async {
        add(&bank.db, 1, 5).await?;
        let _ = bank.db.transact(ONCE, || add(&bank.db, 1, 5)).await;
        Ok::<_, Error>(())
    });
    let error = nested.await.expect_err("not half of it");
    assert_eq!(error.outcome(), Outcome::RolledBack, "{error}");
    assert_eq!(injection.injected().len(), 1, "{injection}");
    drop(injection);
    assert_eq!(bank.balance(1).await, 100_000);
    nothing_leaks(&bank, 1).await;
    Ok(())
}

async fn a_reply_is_lost_outside_of_transactions_too(engine: Engine) -> TestResult {
    let bank = Rig::new(1).bank(engine, 1).await;
    let injection = bank
        .db
        .inject(FaultPlan::new(1).at_statement(1, Disturbance::ReplyLost))?;
    let error = add(&bank.db, 1, 5).await.expect_err("lost");
    assert_eq!(error.kind(), FaultKind::ConnectionLost);
    drop(injection);
    // On SQLite too a single statement is stored by then.
    assert_eq!(bank.balance(1).await, 100_005);
    nothing_leaks(&bank, 1).await;
    Ok(())
}

async fn streams_are_struck_before_their_first_row(engine: Engine) -> TestResult {
    use futures_util::StreamExt;
    let bank = Rig::new(1).bank(engine, 2).await;
    let select = || {
        let backend = bank.db.get_database_backend();
        sea_orm::Statement::from_string(backend, "SELECT id FROM account")
    };
    let plan = FaultPlan::new(1).at_statement(1, FaultKind::LockTimeout);
    let injection = bank.db.inject(plan)?;
    let tries = std::sync::atomic::AtomicU32::new(0);
    let rows = bank.db.transact(AGAIN, || async {
        tries.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let mut rows = bank.db.stream_raw(select()).await?;
        let mut count = 0;
        while let Some(row) = rows.next().await {
            row?;
            count += 1;
        }
        Ok::<_, Error>(count)
    });
    assert_eq!(rows.await?, 2);
    assert_eq!(tries.into_inner(), 2, "{injection}");
    drop(injection);
    nothing_leaks(&bank, 1).await;
    Ok(())
}

engine_tests! {
    a_lock_timeout_ends_what_the_engine_says,
    a_commit_is_stored_or_not_as_the_plan_says,
    a_late_commit_is_stored_later,
    a_verified_commit_finds_out,
    a_refused_commit_is_tried_again,
    silence_is_ended_by_the_limits,
    no_connection_means_nothing_was_sent,
    a_savepoint_that_fails_loses_the_transaction,
    a_reply_is_lost_outside_of_transactions_too,
    streams_are_struck_before_their_first_row,
}
engine_tests! { on_postgres on_mariadb: a_deadlock_ends_the_transaction_on_the_server, a_lost_connection_is_gone_on_the_server }
engine_tests! { on_sqlite: a_full_disk_rolls_back_on_the_spot }
