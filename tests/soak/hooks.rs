//! Hooks fire once per commit, also of calls that were dropped.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use resilient_sea_orm::{CommitMode, policy::Delay, prelude::*};
use sea_orm::ConnectionTrait;
use support::{Engine, TestDb, TestResult, wait_until};

use crate::{
    stand::{LONG, Size, connect, number, quiet, server, tables, transfer},
    tally::{Report, Tally, Told, ledger},
};

const CLIENTS: u64 = 16;

/// A serialization failure, as the server would report one.
fn serialization_failure(engine: Engine) -> &'static str {
    match engine {
        Engine::Postgres => "DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE='40001'; END $$",
        _ => "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213",
    }
}

/// Works until so many calls have ended. Three attempts in ten are made to fail, and one call in
/// ten is dropped at some point.
pub async fn run(engine: Engine, size: Size) -> TestResult<Report> {
    let server = server(engine)?;
    let test = TestDb::on(&server).await?;
    tables(&test, 2 * CLIENTS).await?;
    let pool = u32::try_from(CLIENTS)?;
    let control = Duration::from_secs(20);
    let db = connect(test.url(), pool, CommitMode::Verified, control, LONG).await?;
    db.ensure_marker_table().await?;
    let forced = serialization_failure(engine);
    let tally = Arc::new(Tally::new());
    let fired: Arc<Mutex<HashMap<u64, u64>>> = Arc::default();
    let done = Arc::new(AtomicBool::new(false));
    let work: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (db, tally, done) = (db.clone(), Arc::clone(&tally), Arc::clone(&done));
            let fired = Arc::clone(&fired);
            let mut dice = fastrand::Rng::with_seed(size.seed ^ client << 32);
            tokio::spawn(async move {
                let (from, to) = (2 * client + 1, 2 * client + 2);
                while !done.load(Ordering::Relaxed) {
                    let call = tally.next();
                    // About as long as a call takes.
                    let drops = dice.u32(..10) == 0;
                    let after = Duration::from_micros(dice.u64(..25_000));
                    let mut dice = dice.fork();
                    let (db, fired) = (&db, &fired);
                    let result = db.transact(TransactOptions::new().backoff(Delay::none()), || {
                        let fails = dice.u32(..10) < 3;
                        async move {
                            let fired = Arc::clone(fired);
                            db.after_commit(move || async move {
                                let mut fired = fired.lock().expect("no panic");
                                *fired.entry(call).or_default() += 1;
                            })?;
                            transfer(db, call, from, to).await?;
                            if fails {
                                db.execute_unprepared(forced).await?;
                            }
                            Ok::<_, Error>(())
                        }
                    });
                    let limit = if drops { after } else { Duration::MAX };
                    match tokio::time::timeout(limit, result).await {
                        Ok(result) => tally.end(call, &result),
                        Err(_) => tally.tell(call, Told::Nothing),
                    }
                    if call.is_multiple_of(10_000) {
                        size.progress("hooks", call);
                    }
                    if tally.ended() >= size.work {
                        done.store(true, Ordering::Relaxed);
                    }
                }
            })
        })
        .collect();
    for client in work {
        client.await?;
    }
    // What was dropped is found out in the background.
    let count = |fired: &Mutex<HashMap<u64, u64>>| -> usize {
        let fired = fired.lock().expect("no panic");
        fired.values().sum::<u64>().try_into().unwrap_or(usize::MAX)
    };
    let settled = wait_until("a hook for each row", Duration::from_mins(1), async || {
        Ok(test.rows("ledger").await? == count(&fired))
    })
    .await;
    let metrics = resilient_sea_orm::metrics::global()
        .snapshot()
        .connection(db.name());
    db.close().await?;
    quiet(&test).await?;
    let rows = ledger(&test).await?;
    let tally = Arc::into_inner(tally).ok_or("a client lives on")?;
    let mut report = tally.compare("hooks", &test).await?;
    let fired = std::mem::take(&mut *fired.lock().expect("no panic"));
    report.faults = format!(
        "{} hooks fired, {} attempts rolled back; {} commits found stored, {} not",
        fired.len(),
        metrics.rolled_back,
        metrics.resolved_committed,
        metrics.resolved_rolled_back
    );
    report.check(settled.is_ok(), || {
        "hooks and rows differ in number".to_owned()
    });
    let differ = fired
        .iter()
        .filter(|(call, n)| rows.get(call) != Some(n))
        .count()
        + rows.keys().filter(|call| !fired.contains_key(call)).count();
    report.check(differ == 0, || {
        format!("hooks and rows differ in {differ} calls")
    });
    report.none_unknown();
    let total = number(&test, "(SELECT SUM(balance) FROM account)").await?;
    report.check(total == 0, || format!("the total has changed by {total}"));
    let dropped = report.dropped;
    report.check(dropped > 0, || "nothing was dropped".to_owned());
    Ok(report)
}
