//! What `SQLite` does with many writers of one process, in line and on their own:
//! `cargo run --release -p resilient-contention-benches --bin writers`.
//!
//! Each task has a pool of its own, of one connection, or all share one. Pools of one file stand in one line. Those
//! that name it by a URI do not know of each other: `SQLite`'s own busy handler is what keeps them
//! apart, as it was before there was a line. Rounds are interleaved, and ratios are taken within a
//! round.

use std::{
    error::Error,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use clap::Parser;
use comfy_table::{Table, presets};
use resilient_sea_orm::{
    Locking, ResilientConnection, TransactOptions,
    policy::{BudgetConfig, Delay, RetryPolicy},
};
use sea_orm::{ConnectionTrait, SqlxSqliteConnector};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// The benchmark of writers.
#[derive(Parser)]
#[command(name = "writers", about)]
struct Arguments {
    /// Tasks that write all the time
    #[arg(long, default_value_t = 16)]
    tasks: u32,
    /// Rounds of each way
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of each round
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// One pool for all tasks, with a connection for each, instead of one each
    #[arg(long)]
    shared: bool,
}

/// A way of keeping writers apart.
struct Way {
    name: &'static str,
    clients: Vec<ResilientConnection>,
    rounds: Vec<Round>,
}

/// What a round measured.
struct Round {
    length: Duration,
    attempts: u64,
    failed: u64,
    /// How long the calls of each task took.
    took: Vec<Vec<Duration>>,
}

impl Round {
    #[allow(clippy::cast_precision_loss)]
    fn per_second(&self) -> f64 {
        let commits: usize = self.took.iter().map(Vec::len).sum();
        commits as f64 / self.length.as_secs_f64()
    }

    /// Jain's index over the commits of each task.
    #[allow(clippy::cast_precision_loss)]
    fn jain(&self) -> f64 {
        let each: Vec<f64> = self.took.iter().map(|t| t.len() as f64).collect();
        let (sum, squares) = (
            each.iter().sum::<f64>(),
            each.iter().map(|n| n * n).sum::<f64>(),
        );
        sum * sum / (each.len() as f64 * squares)
    }
}

async fn client(
    name: &str,
    filename: &str,
    locking: Locking,
    connections: u32,
) -> Result<ResilientConnection> {
    let options = SqliteConnectOptions::new()
        .filename(filename)
        .journal_mode(SqliteJournalMode::Wal);
    let pool = SqlitePoolOptions::new().max_connections(connections);
    let pool = pool.connect_with(options).await?;
    let connection = SqlxSqliteConnector::from_sqlx_sqlite_pool(pool);
    let policy = RetryPolicy::new().retries(1_000_000).delay(Delay::none());
    let db = ResilientConnection::builder(connection)
        .name(name)
        .locking(locking)
        .retry_budget(BudgetConfig::new(1.0, 1_000_000_000))
        .policy(policy)
        .connect()
        .await?;
    Ok(db)
}

async fn round(clients: &[ResilientConnection], length: Duration) -> Result<Round> {
    let attempts = Arc::new(AtomicU64::new(0));
    let end = Instant::now() + length;
    let tasks = (0..).zip(clients.iter().cloned()).map(|(task, db)| {
        let attempts = Arc::clone(&attempts);
        tokio::spawn(async move {
            let (mut took, mut failed) = (Vec::new(), 0);
            while Instant::now() < end {
                let start = Instant::now();
                let options = TransactOptions::new().name("writers");
                let result: resilient_sea_orm::Result<()> = db
                    .transact(options, || {
                        attempts.fetch_add(1, Ordering::Relaxed);
                        let read = format!("SELECT n FROM counter WHERE id = {task}");
                        let write = format!("UPDATE counter SET n = n + 1 WHERE id = {task}");
                        let db = &db;
                        async move {
                            db.execute_unprepared(&read).await?;
                            db.execute_unprepared(&write).await?;
                            Ok(())
                        }
                    })
                    .await;
                match result {
                    Ok(()) => took.push(start.elapsed()),
                    Err(_) => failed += 1,
                }
            }
            (took, failed)
        })
    });
    let tasks: Vec<_> = tasks.collect();
    let (mut took, mut failed) = (Vec::new(), 0);
    for task in tasks {
        let (calls, lost) = task.await?;
        took.push(calls);
        failed += lost;
    }
    let attempts = attempts.load(Ordering::Relaxed);
    Ok(Round {
        length,
        attempts,
        failed,
        took,
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[allow(clippy::cast_precision_loss)]
fn row(way: &Way, base: &Way) -> [String; 7] {
    let ratios = way.rounds.iter().zip(&base.rounds);
    let ratio = median(
        ratios
            .map(|(a, b)| a.per_second() / b.per_second())
            .collect(),
    );
    let mut took: Vec<Duration> = way
        .rounds
        .iter()
        .flat_map(|r| r.took.iter().flatten().copied())
        .collect();
    took.sort_unstable();
    let at = |share: usize| {
        took.get(took.len() * share / 100)
            .map_or(f64::NAN, |t| t.as_secs_f64() * 1e3)
    };
    let attempts: u64 = way.rounds.iter().map(|r| r.attempts).sum();
    let failed: u64 = way.rounds.iter().map(|r| r.failed).sum();
    [
        way.name.to_owned(),
        format!(
            "{:.0}",
            median(way.rounds.iter().map(Round::per_second).collect())
        ),
        format!("{ratio:.2}"),
        format!("{:.1} / {:.1}", at(50), at(99)),
        format!("{:.3}", attempts as f64 / took.len() as f64),
        format!("{failed}"),
        format!(
            "{:.2}",
            median(way.rounds.iter().map(Round::jain).collect())
        ),
    ]
}

async fn run(arguments: &Arguments) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("writers.db");
    let path = path.to_str().ok_or("a path that is text")?;
    std::fs::write(path, "")?;
    let uri = format!("file:{path}");
    let mut ways = Vec::new();
    for (name, filename, locking) in [
        ("on their own", uri.as_str(), Locking::Immediate),
        ("on their own, deferred", uri.as_str(), Locking::Deferred),
        ("in line", path, Locking::Immediate),
    ] {
        let mut clients = Vec::new();
        if arguments.shared {
            let shared = client(name, filename, locking, arguments.tasks).await?;
            clients.extend((0..arguments.tasks).map(|_| shared.clone()));
        } else {
            for _ in 0..arguments.tasks {
                clients.push(client(name, filename, locking, 1).await?);
            }
        }
        let rounds = Vec::new();
        ways.push(Way {
            name,
            clients,
            rounds,
        });
    }
    let admin = &ways[2].clients[0];
    admin
        .execute_unprepared("CREATE TABLE counter (id INTEGER PRIMARY KEY, n INTEGER)")
        .await?;
    for task in 0..arguments.tasks {
        admin
            .execute_unprepared(&format!("INSERT INTO counter VALUES ({task}, 0)"))
            .await?;
    }
    let length = Duration::from_secs_f64(arguments.seconds);
    for number in 0..arguments.rounds {
        let count = ways.len();
        for at in 0..count {
            let way = &mut ways[(at + number) % count];
            let measured = round(&way.clients, length).await?;
            eprintln!("{:<24} {:>6.0} commits/s", way.name, measured.per_second());
            way.rounds.push(measured);
        }
    }
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header([
        "writers",
        "commits/s",
        "ratio",
        "p50 / p99 ms",
        "attempts/commit",
        "failed",
        "fairness",
    ]);
    for way in &ways {
        table.add_row(row(way, &ways[0]));
    }
    println!("{} tasks\n{table}", arguments.tasks);
    Ok(())
}

#[tokio::main(flavor = "multi_thread")]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("writers: {error}");
            ExitCode::FAILURE
        }
    }
}
