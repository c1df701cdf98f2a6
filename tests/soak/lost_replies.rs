//! COMMIT replies are lost in every way, under many clients at once.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use resilient_sea_orm::{CommitMode, prelude::*};
use support::{Ending, Engine, Fault, Hit, Plan, Proxy, TestDb, TestResult, is_commit};

use crate::{
    stand::{LONG, Size, connect, number, quiet, server, tables, transfer},
    tally::{Report, Tally},
};

const CLIENTS: u64 = 150;

/// How likely each fault is at a call's COMMIT, and at a fence.
const CHANCE: f64 = 0.15;
const CHANCE_AT_FENCE: f64 = 0.02;

/// Half a second after its client was cut, the COMMIT arrives.
const LATE: Duration = Duration::from_millis(500);

fn faults() -> [(&'static str, Fault); 5] {
    let (after, ending) = (LATE, Ending::Reset);
    [
        ("reset", Fault::Applied(Ending::Reset)),
        ("silence", Fault::Applied(Ending::Silence)),
        ("half", Fault::HalfReply(Ending::Reset)),
        ("not applied", Fault::NotApplied(Ending::Reset)),
        ("late", Fault::Late { after, ending }),
    ]
}

/// A fence begins and commits in one text.
fn is_fence(sql: &str) -> bool {
    is_commit(sql) && (sql.starts_with("BEGIN") || sql.starts_with("START"))
}

fn of_a_call(hit: &Hit) -> bool {
    !is_fence(&hit.sql)
}

/// How often each fault struck the COMMIT of a call.
fn by_fault(hits: &[Hit]) -> BTreeMap<&'static str, u32> {
    let mut all = BTreeMap::new();
    for hit in hits.iter().filter(|hit| of_a_call(hit)) {
        let faults = faults();
        let found = faults.iter().find(|(_, fault)| *fault == hit.fault);
        *all.entry(found.map_or("?", |f| f.0)).or_insert(0) += 1;
    }
    all
}

/// Loses so many replies to the COMMITs of calls. Fences are cut on top of that.
pub async fn run(engine: Engine, mode: CommitMode, size: Size) -> TestResult<Report> {
    let server = server(engine)?;
    let test = TestDb::on(&server).await?;
    // Few for a small share, so that it is not overshot by much.
    let clients = CLIENTS.min(size.work / 8).max(8);
    tables(&test, 2 * clients).await?;
    let proxy = Arc::new(Proxy::before(&test).await?);
    // A second for those who are told by it, so that slowness is not taken for silence; less
    // for those who ask, as they may be slow.
    let control = match mode {
        CommitMode::Verified => Duration::from_millis(600),
        CommitMode::Reported => Duration::from_secs(2),
    };
    let db = connect(proxy.url(), u32::try_from(clients)?, mode, control, LONG).await?;
    db.ensure_marker_table().await?;
    for (seed, (_, fault)) in (size.seed..).zip(faults()) {
        let plan = |chance| Plan::new(fault).chance(chance, seed);
        let commit = |sql: &str| is_commit(sql) && !is_fence(sql);
        proxy.add(plan(CHANCE).matching(commit));
        proxy.add(plan(CHANCE_AT_FENCE).matching(is_fence));
    }
    let tally = Arc::new(Tally::new());
    let lost = Arc::new(AtomicU64::new(0));
    let work: Vec<_> = (0..clients)
        .map(|client| {
            let (db, proxy, tally) = (db.clone(), Arc::clone(&proxy), Arc::clone(&tally));
            let lost = Arc::clone(&lost);
            tokio::spawn(async move {
                // Accounts of its own: what is late holds locks.
                let (from, to) = (2 * client + 1, 2 * client + 2);
                while lost.load(Ordering::Relaxed) < size.work {
                    let call = tally.next();
                    let result = db
                        .transact(TransactOptions::new(), || transfer(&db, call, from, to))
                        .await;
                    tally.end(call, &result);
                    // A copy of all of them, which is not for each call.
                    if call.is_multiple_of(16) {
                        let hits = proxy.hits();
                        let struck = hits.iter().filter(|hit| of_a_call(hit)).count() as u64;
                        lost.store(struck, Ordering::Relaxed);
                        if call.is_multiple_of(2000) {
                            size.progress("lost replies", struck);
                        }
                    }
                }
            })
        })
        .collect();
    for client in work {
        client.await?;
    }
    proxy.calm();
    proxy.settled().await?;
    let hits = proxy.hits();
    let metrics = resilient_sea_orm::metrics::global()
        .snapshot()
        .connection(db.name());
    db.close().await?;
    let proxy = Arc::into_inner(proxy).ok_or("a client lives on")?;
    proxy.finish().await?;
    quiet(&test).await?;
    let tally = Arc::into_inner(tally).ok_or("a client lives on")?;
    let name = match mode {
        CommitMode::Verified => "lost-replies verified",
        CommitMode::Reported => "lost-replies reported",
    };
    let mut report = tally.compare(name, &test).await?;
    let struck = hits.iter().filter(|hit| of_a_call(hit)).count();
    let by_fault = by_fault(&hits);
    report.faults = format!(
        "{struck} lost {by_fault:?}, {} fences cut; {} found stored, {} not",
        hits.len() - struck,
        metrics.resolved_committed,
        metrics.resolved_rolled_back
    );
    report.check(by_fault.len() == faults().len(), || {
        "a fault never struck".to_owned()
    });
    match mode {
        CommitMode::Verified => report.none_unknown(),
        // A server that is too slow to answer is one more lost reply.
        CommitMode::Reported => {
            let unknown = report.unknown;
            report.check(unknown >= struck, || {
                format!("{unknown} unknown of {struck}")
            });
        }
    }
    let rows = number(&test, "(SELECT COUNT(*) FROM ledger)").await?;
    let moved = number(
        &test,
        "(SELECT SUM(balance) FROM account WHERE balance > 0)",
    )
    .await?;
    let total = number(&test, "(SELECT SUM(balance) FROM account)").await?;
    report.check((rows, 0) == (moved, total), || {
        format!("{rows} rows, {moved} moved, total {total}")
    });
    Ok(report)
}
