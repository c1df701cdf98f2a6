//! A cluster all of whose nodes take writes.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use resilient_sea_orm::{
    FaultKind, Outcome, ResilientConnection, TransactOptions, metrics,
    policy::{BudgetConfig, RetryPolicy},
};
use sea_orm::ConnectionTrait;
use support::{
    Ending, Engine, Fault, Plan, Proxy, TestResult, cluster::Galera, connect, wait_until,
};
use tokio::sync::{Mutex, MutexGuard};

use crate::{
    PATIENCE, bank,
    postgres::{address, enter},
};

/// One for all tests, which take turns: to form it takes ten seconds.
static CLUSTER: Mutex<Option<Galera>> = Mutex::const_new(None);

/// The cluster with all its nodes, and a new bank on it.
struct Site {
    guard: MutexGuard<'static, Option<Galera>>,
    name: String,
}

impl Site {
    async fn new() -> TestResult<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let mut guard = CLUSTER.lock().await;
        if guard.is_none() {
            *guard = Some(Galera::start().await?);
        }
        let name = format!("bank{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let site = Self { guard, name };
        // Another test may have failed before it put everything back.
        for node in 0..support::cluster::NODES {
            if site.cluster().node(node).pid().is_none() {
                site.cluster().node(node).restart()?;
            }
            site.cluster().isolate(node, false).await?;
        }
        for node in 0..support::cluster::NODES {
            site.cluster().joined(node, support::cluster::NODES).await?;
        }
        bank::database(site.cluster().node(0), &site.name).await?;
        let db = site.open(&site.url(0), 1).await?;
        db.ensure_marker_table().await?;
        bank::tables(&db).await?;
        Ok(site)
    }

    fn cluster(&self) -> &Galera {
        self.guard.as_ref().expect("it was started")
    }

    fn url(&self, node: usize) -> String {
        self.cluster().node(node).url(&self.name)
    }

    async fn open(&self, url: &str, pool: u32) -> TestResult<ResilientConnection> {
        let patient = RetryPolicy::new()
            .retries(30)
            .deadline(Duration::from_mins(1));
        bank::open(url, pool, patient).await
    }

    async fn proxy(&self, node: usize) -> TestResult<(Proxy, ResilientConnection)> {
        let server = self.cluster().node(node);
        let proxy = Proxy::to(Engine::MariaDb, address(server)).await?;
        let url = proxy.url_of(&self.url(node))?;
        let db = self.open(&url, 4).await?;
        Ok((proxy, db))
    }

    async fn rows(&self, node: usize, call: i64) -> TestResult<usize> {
        let admin = connect(&self.url(node), 1).await?;
        // All that the others have stored is here before it is read.
        admin
            .execute_unprepared("SET SESSION wsrep_sync_wait = 1")
            .await?;
        let sql = "SELECT id FROM ledger WHERE call_id = $1";
        let rows = admin
            .query_all_raw(bank::statement(&admin, sql, [call]))
            .await?;
        admin.close().await?;
        Ok(rows.len())
    }
}

fn conflicts(db: &ResilientConnection) -> u64 {
    let all = metrics::global().snapshot();
    all.connection(db.name()).rolled_back
}

/// Between the statements of one message nobody is told that another node has taken the locks
/// away: what follows would be stored, or do well, without the rest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_statement_at_the_end_is_a_message_of_its_own_on_mariadb() -> TestResult {
    let site = Site::new().await?;
    let (proxy, db) = site.proxy(0).await?;
    proxy.record_transaction();
    bank::transfer_once(&db, 1).await?;
    let flights = proxy.flights();
    let sent: Vec<&str> = flights
        .iter()
        .flat_map(|flight| flight.statements.iter().map(String::as_str))
        .collect();
    let end = &sent[sent.len() - 3..];
    assert_eq!(
        (end[0], end[2]),
        ("RELEASE SAVEPOINT resilient_0", "COMMIT")
    );
    assert!(
        end[1].starts_with("INSERT INTO") && !end[1].contains(';'),
        "{}",
        end[1]
    );
    db.close().await?;
    proxy.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn increments_on_two_nodes_are_exact_on_mariadb() -> TestResult {
    const CALLS: i64 = 25;
    let site = Site::new().await?;
    let mut dbs = Vec::new();
    for node in [0, 1] {
        let mut options = sea_orm::ConnectOptions::new(site.url(node));
        options.max_connections(4).sqlx_logging(false);
        let db = ResilientConnection::builder(options)
            .name(support::unique_name())
            .policy(RetryPolicy::new().retries(100))
            // They do nothing but run into each other.
            .retry_budget(BudgetConfig::new(1.0, 1_000_000))
            .connect()
            .await?;
        dbs.push(db);
    }
    let mut calls = tokio::task::JoinSet::new();
    for db in dbs.iter().flat_map(|db| [db.clone(), db.clone()]) {
        calls.spawn(async move {
            for _ in 0..CALLS {
                db.transact(TransactOptions::new(), || async {
                    let sql = "UPDATE account SET balance = balance + 1 WHERE id = 0";
                    db.execute_unprepared(sql).await?;
                    Ok::<_, resilient_sea_orm::Error>(())
                })
                .await?;
            }
            Ok::<_, resilient_sea_orm::Error>(())
        });
    }
    while let Some(worker) = calls.join_next().await {
        worker??;
    }
    let admin = connect(&site.url(2), 1).await?;
    admin
        .execute_unprepared("SET SESSION wsrep_sync_wait = 1")
        .await?;
    let sql = "SELECT balance FROM account WHERE id = 0";
    let row = admin
        .query_one_raw(bank::statement(&admin, sql, []))
        .await?;
    let balance: i64 = row.ok_or("no account")?.try_get_by_index(0)?;
    assert_eq!(balance, 100_000 + 4 * CALLS);
    let conflicts: u64 = dbs.iter().map(conflicts).sum();
    println!("{} increments, {conflicts} conflicts", 4 * CALLS);
    assert!(conflicts > 0, "the nodes were in each other's way");
    admin.close().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_killed_under_load_loses_nothing_and_doubles_nothing_on_mariadb() -> TestResult {
    let site = Site::new().await?;
    let begun = Instant::now();
    let other = site.open(&site.url(0), 4).await?;
    let (proxy, db) = site.proxy(1).await?;
    let load = bank::Load::start(&[&db, &other], 6);
    load.work().await?;
    site.cluster().node(1).kill()?;
    proxy.target_server(site.cluster().node(2)).await?;
    load.work().await?;
    site.cluster().node(1).restart()?;
    site.cluster().joined(1, 3).await?;
    load.work().await?;
    let tally = load.stop().await?;
    println!(
        "{} transfers, 1 node killed, {:.1} s, {} rolled back",
        tally.ok.len(),
        begun.elapsed().as_secs_f64(),
        conflicts(&db) + conflicts(&other),
    );
    for node in 0..3 {
        let admin = connect(&site.url(node), 1).await?;
        admin
            .execute_unprepared("SET SESSION wsrep_sync_wait = 1")
            .await?;
        bank::audit(&admin, &tally).await?;
        admin.close().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_without_a_majority_is_left_on_mariadb() -> TestResult {
    let site = Site::new().await?;
    let (proxy, db) = site.proxy(2).await?;
    let (result, _) = enter(&db, 1, TransactOptions::new()).await;
    result.unwrap_or_else(|error| panic!("before: {error}"));
    site.cluster().isolate(2, true).await?;
    let alone = async || Ok(!site.cluster().is_primary(2).await?);
    wait_until("a node that is alone", PATIENCE, alone).await?;
    let (result, runs) = enter(&db, 2, TransactOptions::new().retries(0)).await;
    let error = result.expect_err("it may not write");
    assert_eq!(error.kind(), FaultKind::ServerUnavailable, "{error}");
    assert!(error.is_transient(), "{error}");
    assert_ne!(error.outcome(), Outcome::Unknown, "{error}");
    assert_eq!(runs, 1);
    // The address leads elsewhere. The node still answers, and pings go well.
    proxy.lead_to(site.cluster().node(0));
    let (result, runs) = enter(&db, 3, TransactOptions::new()).await;
    result.unwrap_or_else(|error| panic!("elsewhere: {error}"));
    assert_eq!(runs, 1, "no session of that node is left");
    site.cluster().isolate(2, false).await?;
    site.cluster().joined(2, 3).await?;
    for (call, rows) in [(1, 1), (2, 0), (3, 1)] {
        assert_eq!(site.rows(2, call).await?, rows, "call {call}");
    }
    Ok(())
}

/// COMMIT went to one node, and another one is asked what became of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_reply_is_found_out_on_another_node_on_mariadb() -> TestResult {
    let site = Site::new().await?;
    let late = Fault::Late {
        after: Duration::from_secs(1),
        ending: Ending::Silence,
    };
    for (call, fault, times) in [
        (1, Fault::Applied(Ending::Silence), 1),
        (2, Fault::NotApplied(Ending::Silence), 2),
        // The fence is there first: the cluster refuses what comes after it.
        (3, late, 2),
    ] {
        let (proxy, db) = site.proxy(0).await?;
        proxy.add(Plan::new(fault));
        let entered = tokio::spawn(async move { enter(&db, call, TransactOptions::new()).await });
        let hit = async || Ok(!proxy.hits().is_empty());
        wait_until("the fault", PATIENCE, hit).await?;
        proxy.target_server(site.cluster().node(1)).await?;
        let (result, runs) = entered.await?;
        result?;
        proxy.settled().await?;
        assert_eq!(runs, times, "{fault:?}");
        for node in 0..3 {
            assert_eq!(site.rows(node, call).await?, 1, "{fault:?} on node {node}");
        }
    }
    Ok(())
}
