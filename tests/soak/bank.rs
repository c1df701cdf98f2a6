//! A bank at work while its server is killed, restarted, and its sessions are ended.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use resilient_sea_orm::{CommitMode, prelude::*};
use sea_orm::{ConnectOptions, ConnectionTrait, Database};
use support::{Engine, Server, TestDb, TestResult};

use crate::{
    stand::{LONG, Size, connect, number, quiet, server, tables, transfer},
    tally::{Report, Tally},
};

const CLIENTS: u64 = 32;
const ACCOUNTS: u64 = 50;

/// Between two blows.
const PAUSE: Duration = Duration::from_millis(2500);

/// Works until so many transactions are stored.
pub async fn run(engine: Engine, size: Size) -> TestResult<Report> {
    let server = Arc::new(server(engine)?);
    let test = TestDb::on(&server).await?;
    tables(&test, ACCOUNTS).await?;
    let pool = u32::try_from(CLIENTS)?;
    let control = Duration::from_secs(10);
    let db = connect(test.url(), pool, CommitMode::Verified, control, LONG).await?;
    db.ensure_marker_table().await?;
    let tally = Arc::new(Tally::new());
    let done = Arc::new(AtomicBool::new(false));
    let work: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (db, tally, done) = (db.clone(), Arc::clone(&tally), Arc::clone(&done));
            let mut dice = fastrand::Rng::with_seed(size.seed ^ client << 32);
            tokio::spawn(async move {
                while !done.load(Ordering::Relaxed) {
                    let call = tally.next();
                    // In any order, so that there are deadlocks too.
                    let (from, to) = (dice.u64(1..=ACCOUNTS), dice.u64(1..=ACCOUNTS));
                    let result = db
                        .transact(TransactOptions::new(), || transfer(&db, call, from, to))
                        .await;
                    if let (true, Err(error)) = (size.loud, &result) {
                        println!("  bank: call {call}: {error}");
                    }
                    tally.end(call, &result);
                    if call.is_multiple_of(10_000) {
                        size.progress("bank", call);
                    }
                    if tally.ended() >= size.work {
                        done.store(true, Ordering::Relaxed);
                    }
                }
            })
        })
        .collect();
    let blows = blows(&server, &test, &done, size).await;
    done.store(true, Ordering::Relaxed);
    for client in work {
        client.await?;
    }
    let blows = blows?;
    let metrics = resilient_sea_orm::metrics::global()
        .snapshot()
        .connection(db.name());
    db.close().await?;
    quiet(&test).await?;
    let tally = Arc::into_inner(tally).ok_or("a client lives on")?;
    let mut report = tally.compare("bank", &test).await?;
    report.faults = format!(
        "{} kills, {} restarts, {} times all sessions ended, {} times statements cancelled; \
         {} commits found stored, {} not",
        blows[0],
        blows[1],
        blows[2],
        blows[3],
        metrics.resolved_committed,
        metrics.resolved_rolled_back
    );
    report.none_unknown();
    let total = number(&test, "(SELECT SUM(balance) FROM account)").await?;
    report.check(total == 0, || format!("the total has changed by {total}"));
    report.check(blows.iter().all(|n| *n > 0), || {
        "a blow was never struck".to_owned()
    });
    Ok(report)
}

/// Strikes until the work is done; answers how often, by kind.
async fn blows(
    server: &Arc<Server>,
    test: &TestDb,
    done: &AtomicBool,
    size: Size,
) -> TestResult<[u32; 4]> {
    let mut blows = [0; 4];
    let mut dice = fastrand::Rng::with_seed(size.seed);
    // Each kind once, then at random.
    let mut kinds = vec![0, 1, 2, 3];
    dice.shuffle(&mut kinds);
    while !done.load(Ordering::Relaxed) || !kinds.is_empty() {
        tokio::time::sleep(PAUSE.mul_f64(0.4 + 0.8 * dice.f64())).await;
        let kind = kinds.pop().unwrap_or_else(|| dice.usize(..4));
        blows[kind] += 1;
        let server = Arc::clone(server);
        match kind {
            0 => {
                tokio::task::spawn_blocking(move || server.kill().and_then(|()| server.restart()))
                    .await??;
            }
            1 => tokio::task::spawn_blocking(move || server.restart()).await??,
            2 => drop(terminate(test).await?),
            _ => cancel(test).await?,
        }
    }
    Ok(blows)
}

/// Ends what sessions there are. Others come at once, so nobody waits for there being none.
async fn terminate(test: &TestDb) -> TestResult {
    each_session(test, "pg_terminate_backend(pid)", "KILL").await
}

/// Cancels whatever statement each session is at, COMMITs too, a hundred times.
async fn cancel(test: &TestDb) -> TestResult {
    for _ in 0..100 {
        each_session(test, "pg_cancel_backend(pid)", "KILL QUERY").await?;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

async fn each_session(test: &TestDb, postgres: &str, mariadb: &str) -> TestResult {
    let admin = admin(test).await?;
    if test.engine() == Engine::Postgres {
        let sql = format!(
            "SELECT {postgres} FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()"
        );
        admin.execute_unprepared(&sql).await?;
    } else {
        let sql = "SELECT id FROM information_schema.processlist \
                   WHERE db = DATABASE() AND id <> CONNECTION_ID()";
        let backend = admin.get_database_backend();
        let rows = admin
            .query_all_raw(sea_orm::Statement::from_string(backend, sql))
            .await?;
        for row in rows {
            let id: i64 = row.try_get("", "id")?;
            match admin.execute_unprepared(&format!("{mariadb} {id}")).await {
                // It has gone by itself.
                Err(error) if error.to_string().contains("1094") => {}
                other => {
                    other?;
                }
            }
        }
    }
    admin.close().await?;
    Ok(())
}

/// One that is new: the server may have been killed since the last.
async fn admin(test: &TestDb) -> TestResult<sea_orm::DatabaseConnection> {
    let mut options = ConnectOptions::new(test.url());
    options.max_connections(1).sqlx_logging(false);
    Ok(Database::connect(options).await?)
}
