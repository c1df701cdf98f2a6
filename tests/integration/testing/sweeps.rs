//! Sweeps over methods that are right.

use std::time::Duration;

use resilient_sea_orm::{
    Builder, CommitMode, FaultSet,
    policy::BudgetConfig,
    prelude::*,
    testing::{Disturbance, FaultSweep, Point, SweepFailed, SweepReport, fault_sweep},
};
use sea_orm::ConnectionTrait;
use support::{Engine, TestDb, TestResult, engine_tests};

use super::AGAIN;
use crate::bank::{Bank, add, enter};

/// A bank whose connection expects the worst.
pub async fn bank(engine: Engine, mode: CommitMode) -> TestResult<Bank> {
    let builder = Builder::default()
        .commit(mode)
        .control_limit(Duration::from_secs(5))
        .retry_budget(BudgetConfig::new(1.0, 1_000_000));
    let bank = Bank::built(builder, TestDb::new(engine).await?, 2, 2).await;
    bank.db.ensure_marker_table().await?;
    Ok(bank)
}

pub async fn reset(bank: &Bank) -> Result<()> {
    bank.db.execute_unprepared("DELETE FROM entry").await?;
    let balances = "UPDATE account SET balance = 100";
    bank.db.execute_unprepared(balances).await?;
    Ok(())
}

/// How often 5 have left account 1.
pub async fn applied(bank: &Bank) -> Result<u64, String> {
    let gone = 100 - bank.balance(1).await;
    match (u64::try_from(gone), gone % 5) {
        (Ok(gone), 0) => Ok(gone / 5),
        _ => Err(format!("account 1 has lost {gone}")),
    }
}

/// No money is made or lost, and each transfer has its entry.
pub async fn invariant(bank: &Bank) -> Result<(), String> {
    let (total, entries) = (bank.total().await, bank.entries().await);
    let moved = bank.balance(2).await - 100;
    if total == 200 && entries * 5 == moved {
        Ok(())
    } else {
        Err(format!(
            "{total} in the bank, {entries} entries, {moved} moved"
        ))
    }
}

pub fn asks(bank: &Bank) -> FaultSweep<'_> {
    FaultSweep::new()
        .reset(|| reset(bank))
        .applied(|| applied(bank))
        .patience(Duration::from_secs(5))
}

/// Both balances, and the entry in a savepoint.
async fn transfer(bank: &Bank) -> Result<()> {
    bank.db
        .transact(AGAIN, || async {
            add(&bank.db, 1, -5).await?;
            add(&bank.db, 2, 5).await?;
            bank.db.transact(AGAIN, || enter(&bank.db, 1, "paid")).await
        })
        .await
}

async fn sweep(bank: &Bank, sweep: FaultSweep<'_>) -> Result<SweepReport, SweepFailed> {
    fault_sweep(&bank.db, sweep, || transfer(bank), || invariant(bank)).await
}

fn heals() -> FaultSet {
    FaultSet::CONTENTION
        .union(FaultSet::CONNECTION)
        .with(FaultKind::StalePlan)
}

async fn a_right_method_is_found_sound(engine: Engine) -> TestResult {
    let bank = bank(engine, CommitMode::Reported).await?;
    let report = sweep(&bank, asks(&bank).must_heal(heals())).await?;
    assert_eq!(report.steps.len(), 7, "{report}");
    assert!(report.injected() > 50, "{report}");
    let lost = |run: &&resilient_sea_orm::testing::SweepRun| run.answer == "unknown";
    // The ways to lose a COMMIT: MariaDB's server can be unavailable and say so.
    let ways = if engine == Engine::MariaDb { 3 } else { 4 };
    assert_eq!(report.runs.iter().filter(lost).count(), ways, "{report}");
    Ok(())
}

async fn with_verified_commits_nothing_is_unknown(engine: Engine) -> TestResult {
    let bank = bank(engine, CommitMode::Verified).await?;
    let report = sweep(&bank, asks(&bank).must_heal(heals())).await?;
    let mut at_commit = report
        .runs
        .iter()
        .filter(|run| run.step.point == Point::Commit);
    assert!(
        at_commit
            .clone()
            .any(|run| run.what == Disturbance::ReplyLost),
        "{report}"
    );
    assert!(
        at_commit.all(|run| run.answer == "ok" || matches!(run.what, Disturbance::Fault(_))),
        "{report}"
    );
    assert!(
        report.runs.iter().all(|run| run.answer != "unknown"),
        "{report}"
    );
    Ok(())
}

/// For whatever the sweep asks in between, too.
const LIMIT: Duration = Duration::from_millis(500);

async fn silence_and_delay_can_be_swept_too(engine: Engine) -> TestResult {
    let mut bank = bank(engine, CommitMode::Reported).await?;
    let builder = ResilientConnection::builder(bank.db.as_sea_orm().clone())
        .statement_limit(LIMIT)
        .control_limit(LIMIT);
    bank.db = builder.connect().await?;
    let faults = [
        Disturbance::Hung,
        Disturbance::Slow(Duration::from_millis(1)),
    ];
    let report = sweep(&bank, asks(&bank).faults(faults)).await?;
    assert_eq!(report.injected(), 13, "{report}");
    Ok(())
}

async fn a_report_can_be_read_by_programs(engine: Engine) -> TestResult {
    let bank = bank(engine, CommitMode::Reported).await?;
    let few = asks(&bank).faults([FaultKind::LockTimeout]).seed(9).quiet();
    let report = sweep(&bank, few).await?;
    let json = serde_json::to_value(&report)?;
    assert_eq!(json["seed"], 9);
    assert_eq!(json["runs"][0]["verdict"], "held");
    assert_eq!(json["runs"][0]["what"], "lock_timeout");
    assert_eq!(json["steps"][1]["point"], "BEGIN");
    assert!(report.to_string().contains("0 broken"), "{report}");
    Ok(())
}

engine_tests! {
    a_right_method_is_found_sound,
    with_verified_commits_nothing_is_unknown,
    silence_and_delay_can_be_swept_too,
    a_report_can_be_read_by_programs,
}
