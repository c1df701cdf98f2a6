//! Sessions that lead to a server which takes no writes.

use resilient_sea_orm::{
    Closing, FaultKind, Outcome, ResilientConnection, Result, TransactOptions, policy::RetryPolicy,
};
use sea_orm::{AccessMode, ConnectionTrait, TransactionTrait};
use support::{TestResult, connect, wait_until};

use crate::{
    PATIENCE, bank,
    postgres::{Site, enter},
};

/// Opens all connections of the pool.
async fn fill(db: &ResilientConnection, slots: u32) -> TestResult {
    let mut held = Vec::new();
    for _ in 0..slots {
        let slot = db
            .begin_with_config(None, Some(AccessMode::ReadOnly))
            .await?;
        slot.execute_unprepared("SELECT 1").await?;
        held.push(slot);
    }
    for slot in held {
        slot.rollback().await?;
    }
    let idle = async || Ok(db.pool_status().idle == slots);
    wait_until("idle connections", PATIENCE, idle).await?;
    Ok(())
}

/// The old primary is demoted and lives on; the address leads to the new one. No session is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_of_a_demoted_primary_are_dropped_at_once_on_postgres() -> TestResult {
    let site = Site::new(10).await?;
    fill(&site.db, 10).await?;
    site.pair.promote().await?;
    site.proxy.lead_to(&site.pair.standby);
    let old = connect(&site.pair.primary.url("postgres"), 1).await?;
    for sql in [
        "ALTER SYSTEM SET default_transaction_read_only = on",
        "SELECT pg_reload_conf()",
    ] {
        old.execute_unprepared(sql).await?;
    }
    let read_only = async || {
        let sql = "SELECT 1 WHERE current_setting('default_transaction_read_only') = 'on'";
        let row = old.query_one_raw(bank::statement(&old, sql, [])).await?;
        Ok(row.is_some())
    };
    wait_until("the demotion", PATIENCE, read_only).await?;
    for call in 1..=20 {
        let (result, runs) = enter(&site.db, call, TransactOptions::new()).await;
        result?;
        assert_eq!(runs, if call == 1 { 2 } else { 1 }, "call {call}");
        assert_eq!(site.rows(&site.pair.standby, call).await?, 1);
    }
    let sessions = async || {
        let sql = "SELECT pid FROM pg_stat_activity WHERE datname = 'bank'";
        let rows = old.query_all_raw(bank::statement(&old, sql, [])).await?;
        Ok(rows.is_empty())
    };
    wait_until("no session on the old primary", PATIENCE, sessions).await?;
    let closed = site.db.pool_status().churn.closed;
    assert_eq!(closed.get(&Closing::Distrusted), Some(&10), "{closed:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_serves_methods_that_only_read_on_postgres() -> TestResult {
    let site = Site::new(2).await?;
    enter(&site.db, 1, TransactOptions::new()).await.0?;
    // The standby confirms what it has stored, and replays it a little later: the database too.
    let replayed = async || site.rows(&site.pair.standby, 1).await.map(|n| n == 1);
    let there = async || Ok(replayed().await.unwrap_or(false));
    wait_until("the row on the standby", PATIENCE, there).await?;
    let url = site.pair.standby.url("bank");
    let replica = bank::open(&url, 2, RetryPolicy::new()).await?;
    let rows = async || {
        let sql = "SELECT id FROM ledger WHERE call_id = $1";
        let read: Result<usize> = replica
            .transact(TransactOptions::new().read_only(), || async {
                let all = replica.query_all_raw(bank::statement(&replica, sql, [1]));
                Ok(all.await?.len())
            })
            .await;
        read
    };
    assert_eq!(rows().await?, 1);
    let (result, runs) = enter(&replica, 2, TransactOptions::new().retries(1)).await;
    let error = result.expect_err("it takes no writes");
    assert_eq!(error.kind(), FaultKind::ReadOnly, "{error}");
    assert_eq!((error.outcome(), runs), (Outcome::RolledBack, 2));
    // What it said is not held against it once it is the primary.
    site.pair.primary.kill()?;
    site.pair.promote().await?;
    enter(&replica, 3, TransactOptions::new()).await.0?;
    assert_eq!(site.rows(&site.pair.standby, 3).await?, 1);
    Ok(())
}
