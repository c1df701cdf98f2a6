//! A primary that goes away under load, and the standby that takes over.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use resilient_sea_orm::{
    CommitMode, FaultKind, Outcome, ResilientConnection, Result, TransactOptions,
    policy::RetryPolicy,
};
use sea_orm::ConnectionTrait;
use support::{
    Ending, Engine, Fault, Plan, Proxy, Server, TestResult,
    cluster::{Pair, Standby},
    connect, wait_until,
};

use crate::{PATIENCE, bank};

/// How long a call may take, over all its attempts.
const DEADLINE: Duration = Duration::from_secs(30);

/// A primary and a synchronous standby with a bank, behind a proxy.
pub struct Site {
    pub pair: Pair,
    pub proxy: Proxy,
    pub db: ResilientConnection,
}

impl Site {
    pub async fn new(pool: u32) -> TestResult<Self> {
        let pair = Pair::start(Standby::Synchronous).await?;
        bank::database(&pair.primary, "bank").await?;
        let proxy = Proxy::to(Engine::Postgres, address(&pair.primary)).await?;
        let url = proxy.url_of(&pair.primary.url("bank"))?;
        // The number of retries is the default one.
        let db = bank::open(&url, pool, RetryPolicy::new().deadline(DEADLINE)).await?;
        db.ensure_marker_table().await?;
        bank::tables(&db).await?;
        Ok(Self { pair, proxy, db })
    }

    /// The standby takes over.
    pub async fn fail_over(&self) -> TestResult {
        self.pair.promote().await?;
        self.proxy.target_server(&self.pair.standby).await?;
        Ok(())
    }

    /// Ledger rows of one call, on the server that is the primary by now.
    pub async fn rows(&self, server: &Server, call: i64) -> TestResult<usize> {
        let admin = connect(&server.url("bank"), 1).await?;
        let sql = "SELECT id FROM ledger WHERE call_id = $1";
        let rows = admin
            .query_all_raw(bank::statement(&admin, sql, [call]))
            .await?;
        admin.close().await?;
        Ok(rows.len())
    }

    /// Enters one ledger row in the background; the result, and how often the body ran.
    pub fn enter(&self, call: i64, options: TransactOptions) -> tokio::task::JoinHandle<Entered> {
        let db = self.db.clone();
        tokio::spawn(async move { enter(&db, call, options).await })
    }

    /// Waits until the fault that was planned has struck.
    pub async fn struck(&self) -> TestResult {
        let hit = async || Ok(!self.proxy.hits().is_empty());
        Ok(wait_until("the fault", PATIENCE, hit).await?)
    }
}

pub type Entered = (Result<()>, u32);

pub async fn enter(db: &ResilientConnection, call: i64, options: TransactOptions) -> Entered {
    let runs = Arc::new(AtomicU32::new(0));
    let result = db
        .transact(options, || async {
            runs.fetch_add(1, Ordering::SeqCst);
            let sql = "INSERT INTO ledger (call_id, payer, payee, cents) VALUES ($1, 0, 1, 0)";
            db.execute_raw(bank::statement(db, sql, [call])).await?;
            Ok(())
        })
        .await;
    (result, runs.load(Ordering::SeqCst))
}

pub fn address(server: &Server) -> SocketAddr {
    ([127, 0, 0, 1], server.port()).into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failovers_under_load_lose_nothing_and_double_nothing_on_postgres() -> TestResult {
    let mut site = Site::new(10).await?;
    let load = bank::Load::start(&[&site.db], 8);
    let (mut failovers, begun) = (0, Instant::now());
    load.work().await?;
    // Killed at first; then silent while its sessions stay open.
    for gray in [false, true] {
        if gray {
            site.pair.primary.sigstop();
        } else {
            site.pair.primary.kill()?;
        }
        site.fail_over().await?;
        failovers += 1;
        load.work().await?;
        site.pair = site.pair.rebuild(Standby::Synchronous).await?;
        load.work().await?;
    }
    let tally = load.stop().await?;
    println!(
        "{} transfers, {failovers} failovers, {:.1} s, {:?}",
        tally.ok.len(),
        begun.elapsed().as_secs_f64(),
        site.db.pool_status().churn,
    );
    for server in [&site.pair.primary, &site.pair.standby] {
        let admin = connect(&server.url("bank"), 1).await?;
        let behind = async || {
            let sql = "SELECT COUNT(*) FROM ledger";
            let row = admin
                .query_one_raw(bank::statement(&admin, sql, []))
                .await?;
            let rows: Option<i64> = row.map(|row| row.try_get_by_index(0)).transpose()?;
            Ok(rows == i64::try_from(tally.ok.len()).ok())
        };
        // A synchronous standby has it all, and shows it a moment later. On a primary this says
        // no more than the audit.
        let _ = wait_until("the standby", Duration::from_secs(2), behind).await;
        bank::audit(&admin, &tally).await?;
        admin.close().await?;
    }
    Ok(())
}

/// The reply to COMMIT is held back, the primary dies, and the standby knows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_in_doubt_is_decided_by_the_standby_on_postgres() -> TestResult {
    for (fault, times) in [
        (Fault::Applied(Ending::Silence), 1),
        (Fault::NotApplied(Ending::Silence), 2),
    ] {
        let site = Site::new(3).await?;
        site.proxy.add(Plan::new(fault));
        let call = site.enter(1, TransactOptions::new());
        site.struck().await?;
        site.pair.primary.kill()?;
        site.fail_over().await?;
        let (result, runs) = call.await?;
        result?;
        assert_eq!(runs, times, "{fault:?}");
        assert_eq!(site.rows(&site.pair.standby, 1).await?, 1, "{fault:?}");
    }
    Ok(())
}

/// Without verification it stays unknown, and is not repeated.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_waits_for_a_lost_standby_is_unknown_on_postgres() -> TestResult {
    let site = Site::new(3).await?;
    site.pair.standby.stop()?;
    let reported = TransactOptions::new()
        .commit(CommitMode::Reported)
        .timeout(Duration::from_secs(1));
    let (result, runs) = enter(&site.db, 1, reported).await;
    let error = result.expect_err("COMMIT waits for ever");
    assert_eq!(error.kind(), FaultKind::CommitUnknown, "{error}");
    assert_eq!((error.outcome(), runs), (Outcome::Unknown, 1));
    Ok(())
}

/// With it, the standby that comes back lets it be decided: that it was stored.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_waits_for_its_standby_is_decided_when_that_is_back_on_postgres() -> TestResult
{
    let site = Site::new(3).await?;
    site.pair.standby.stop()?;
    let call = site.enter(1, TransactOptions::new());
    waits_for_standby(&site).await?;
    // Longer than the answer to a COMMIT is waited for.
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(!call.is_finished(), "nobody can tell yet");
    site.pair.standby.restart()?;
    let (result, runs) = call.await?;
    result?;
    assert_eq!(runs, 1);
    assert_eq!(site.rows(&site.pair.primary, 1).await?, 1);
    Ok(())
}

/// The primary has stored it and waits for the standby, which never heard of it and takes over:
/// it never happened, and is done again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_only_the_dead_primary_had_is_done_again_on_postgres() -> TestResult {
    let site = Site::new(3).await?;
    site.pair.standby.stop()?;
    let call = site.enter(1, TransactOptions::new());
    waits_for_standby(&site).await?;
    site.pair.primary.kill()?;
    site.pair.standby.restart()?;
    site.fail_over().await?;
    let (result, runs) = call.await?;
    result?;
    assert_eq!(runs, 2);
    assert_eq!(site.rows(&site.pair.standby, 1).await?, 1);
    Ok(())
}

async fn waits_for_standby(site: &Site) -> TestResult {
    let admin = connect(&site.pair.primary.url("postgres"), 1).await?;
    let waits = async || {
        let sql = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        let rows = admin
            .query_all_raw(bank::statement(&admin, sql, []))
            .await?;
        Ok(!rows.is_empty())
    };
    wait_until("a COMMIT that waits", PATIENCE, waits).await?;
    Ok(admin.close().await?)
}
