//! A transaction is cut at each of its messages.

use std::{sync::Arc, time::Duration};

use resilient_sea_orm::{CommitMode, Result, prelude::*};
use sea_orm::{ConnectionTrait, Statement};
use support::{Boundary, Ending, Engine, Proxy, Server, Side, TestDb, TestResult, is_commit};

use crate::{
    stand::{Size, connect, quiet, server, tables},
    tally::{Report, Told, ledger},
};

/// How many cases are under way at once, each with a database and a proxy of its own.
const WORKERS: usize = 12;

/// When silence is taken for a lost connection.
const SILENCE: Duration = Duration::from_millis(1500);

#[derive(Clone, Copy, Debug)]
struct Case {
    mode: CommitMode,
    retries: u32,
    side: Side,
    ending: Ending,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for mode in [CommitMode::Verified, CommitMode::Reported] {
        for retries in [0, 20] {
            for side in [Side::Before, Side::After] {
                for ending in [Ending::Reset, Ending::Fin, Ending::Silence] {
                    cases.push(Case {
                        mode,
                        retries,
                        side,
                        ending,
                    });
                }
            }
        }
    }
    cases
}

/// Enters a line, by a prepared statement or by one that is not.
async fn line(db: &ResilientConnection, call: u64, line: i32) -> Result<()> {
    if line % 2 == 0 {
        let sql = format!("INSERT INTO ledger VALUES ({call}, {line})");
        db.execute_unprepared(&sql).await?;
        return Ok(());
    }
    let backend = db.get_database_backend();
    let sql = match backend {
        sea_orm::DbBackend::Postgres => "INSERT INTO ledger VALUES ($1, $2)",
        _ => "INSERT INTO ledger VALUES (?, ?)",
    };
    let number = i64::try_from(call).unwrap_or(i64::MAX);
    let statement = Statement::from_sql_and_values(backend, sql, [number.into(), line.into()]);
    db.execute_raw(statement).await?;
    Ok(())
}

/// Five statements, two of them in a nested scope.
async fn five(db: &ResilientConnection, call: u64) -> Result<()> {
    line(db, call, 1).await?;
    line(db, call, 2).await?;
    db.transact(TransactOptions::new(), || async move {
        line(db, call, 3).await?;
        line(db, call, 4).await
    })
    .await?;
    line(db, call, 5).await
}

struct Worker {
    test: TestDb,
    proxy: Proxy,
    calls: u64,
}

impl Worker {
    async fn new(server: &Server) -> TestResult<Self> {
        let test = TestDb::on(server).await?;
        tables(&test, 1).await?;
        let proxy = Proxy::before(&test).await?;
        let worker = Self {
            test,
            proxy,
            calls: 0,
        };
        let db = worker.connect(CommitMode::Verified).await?;
        db.ensure_marker_table().await?;
        db.close().await?;
        Ok(worker)
    }

    /// Each time anew: on a connection that knows its statements already, other messages pass.
    async fn connect(&self, mode: CommitMode) -> Result<ResilientConnection> {
        connect(self.proxy.url(), 2, mode, SILENCE, SILENCE).await
    }

    async fn call(&mut self, case: Case) -> TestResult<(u64, Told, String)> {
        let db = self.connect(case.mode).await?;
        self.calls += 1;
        let options = TransactOptions::new().retries(case.retries);
        let result = db.transact(options, || five(&db, self.calls)).await;
        let text = result.as_ref().err().map(ToString::to_string);
        db.close().await?;
        Ok((self.calls, Told::from(&result), text.unwrap_or_default()))
    }

    /// What the transaction sends and gets.
    async fn dry_run(&mut self, case: Case) -> TestResult<Vec<Boundary>> {
        self.proxy.record_transaction();
        let (call, told, text) = self.call(case).await?;
        assert_eq!((told, self.lines(call).await?), (Told::Stored, 5), "{text}");
        Ok(self.proxy.boundaries())
    }

    async fn lines(&self, call: u64) -> TestResult<u64> {
        Ok(ledger(&self.test).await?.get(&call).copied().unwrap_or(0))
    }

    async fn cut(
        &mut self,
        case: Case,
        at: &Boundary,
        commit: usize,
        report: &mut Report,
    ) -> TestResult {
        // The numbers are those of a transaction.
        self.proxy.record_transaction();
        self.proxy.cut_at(at.number, case.side, case.ending);
        let (call, told, text) = self.call(case).await?;
        self.proxy.cut().await?;
        quiet(&self.test).await?;
        let lines = self.lines(call).await?;
        report.calls += 1;
        let what = || format!("{case:?} at {at}: {told:?}, {lines} lines: {text}");
        report.check([0, 5].contains(&lines), || {
            format!("half of it: {}", what())
        });
        match told {
            Told::Stored => {
                report.stored += 1;
                report.lost += usize::from(lines == 0);
                report.duplicated += usize::from(lines > 5);
                report.check(lines == 5, what);
            }
            Told::NotStored | Told::Nothing => {
                report.not_stored += 1;
                report.phantom += usize::from(lines > 0);
                report.check(lines == 0, what);
            }
            Told::Unknown => {
                report.unknown += 1;
                // After the message before it, COMMIT is sent into what is cut already.
                let sent = at.number + usize::from(case.side == Side::After) >= commit;
                let may = case.mode == CommitMode::Reported && sent;
                report.check(may, what);
            }
        }
        // With retries, the database being there, only an unknown outcome is an error.
        let patient = case.retries == 0 || told != Told::NotStored;
        report.check(patient, || format!("gave up: {}", what()));
        Ok(())
    }
}

/// Cuts at every message, or at as many as `size` says, in every way.
pub async fn run(engine: Engine, size: Size) -> TestResult<Report> {
    let server = server(engine)?;
    let started = std::time::Instant::now();
    let mut plan = Vec::new();
    let mut first = Worker::new(&server).await?;
    for case in cases() {
        let messages = first.dry_run(case).await?;
        let sent = |at: &Boundary| at.message.split_once(' ').is_some_and(|m| is_commit(m.1));
        let commit = messages.iter().position(sent).ok_or("no COMMIT")?;
        plan.extend(messages.into_iter().map(|at| (case, at, commit)));
    }
    let boundaries = plan.len() / cases().len();
    fastrand::Rng::with_seed(size.seed).shuffle(&mut plan);
    plan.truncate(usize::try_from(size.work)?);
    let size = Size {
        work: plan.len() as u64,
        ..size
    };
    let plan = Arc::new(plan);
    let next = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let mut workers = Vec::new();
    for _ in 0..WORKERS.min(plan.len()) {
        let mut worker = Worker::new(&server).await?;
        let (plan, next) = (Arc::clone(&plan), Arc::clone(&next));
        workers.push(tokio::spawn(async move {
            let mut report = Report::default();
            loop {
                let n = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let Some((case, at, commit)) = plan.get(n) else {
                    return Ok::<_, Box<dyn std::error::Error + Send + Sync>>(report);
                };
                if n.is_multiple_of(100) {
                    size.progress("boundaries", n as u64);
                }
                worker.cut(*case, at, *commit, &mut report).await?;
            }
        }));
    }
    let mut all = Report {
        name: "boundaries",
        engine: engine.to_string(),
        faults: format!("{boundaries} messages"),
        ..Report::default()
    };
    for worker in workers {
        let report = worker.await??;
        all.calls += report.calls;
        all.stored += report.stored;
        all.not_stored += report.not_stored;
        all.unknown += report.unknown;
        all.lost += report.lost;
        all.duplicated += report.duplicated;
        all.phantom += report.phantom;
        all.violations.extend(report.violations);
    }
    all.took = started.elapsed();
    let unknown = all.unknown;
    all.check(unknown > 0, || "no COMMIT was cut".to_owned());
    let done = all.calls == plan.len();
    all.check(done, || "not all was done".to_owned());
    Ok(all)
}
