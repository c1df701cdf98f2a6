//! What the monitor costs: `cargo xtask monitor-cost`.
//!
//! Statements are those that PostgreSQL logs, processor time is that of this process. Looks come
//! ten times a second here, so that there is something to measure; the last columns say what
//! they come to at the default of one in 30 s.

use std::{error::Error, fs, process::ExitCode, time::Duration};

use resilient_sea_orm::{
    Builder, Config, ResilientConnection,
    config::{HealthConfig, SoftDeleteConfig},
    health::{
        MonitorOptions,
        soft_delete::{self, Marker, SoftDelete},
    },
};
use sea_orm::{ConnectOptions, ConnectionTrait, TransactionTrait};
use support::{Engine, Server, TestDb};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const LOOKS: u64 = 100;
const EVERY: Duration = Duration::from_millis(100);
const BY_DEFAULT: f64 = 30.0;

#[tokio::main]
async fn main() -> ExitCode {
    match table().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("monitor-cost: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn table() -> Result<()> {
    println!(
        "| idle connections | looks | statements a look | tested a look | statements a minute | processor time a look | share of a core |"
    );
    println!("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for idle in [1, 10, 100] {
        let cost = measure(idle).await?;
        #[allow(clippy::cast_precision_loss)]
        let each = |n: u64| n as f64 / cost.looks as f64;
        let cpu = cost.cpu.as_secs_f64() * each(1);
        println!(
            "| {idle} | {} | {:.2} | {:.2} | {:.1} | {:.2} ms | {:.4} % |",
            cost.looks,
            each(cost.statements),
            each(cost.tested),
            each(cost.statements) * 60.0 / BY_DEFAULT,
            cpu * 1e3,
            cpu / BY_DEFAULT * 100.0,
        );
    }
    println!(
        "one count of a table with soft-deleted rows: {} statements",
        count_of_a_table().await?
    );
    Ok(())
}

struct Cost {
    looks: u64,
    statements: u64,
    tested: u64,
    cpu: Duration,
}

async fn measure(idle: u32) -> Result<Cost> {
    let (server, test) = start().await?;
    let db = connect(&test, idle).await?;
    let tested = || db.connections().iter().map(|c| c.checks).sum::<u64>();
    // The first looks prepare their statement.
    look(&db, 3).await;
    let (statements_before, tested_before) = (logged(&server), tested());
    let cpu_before = cpu()?;
    let looks = look(&db, LOOKS).await;
    Ok(Cost {
        looks,
        cpu: cpu()?.saturating_sub(cpu_before),
        statements: logged(&server) - statements_before,
        tested: tested() - tested_before,
    })
}

/// Statements that one look at the tables takes, with one table.
async fn count_of_a_table() -> Result<u64> {
    let (server, test) = start().await?;
    test.admin()
        .execute_unprepared("CREATE TABLE parcel (id INTEGER PRIMARY KEY, gone INTEGER NOT NULL)")
        .await?;
    soft_delete::register(SoftDelete::new("parcel", "gone", Marker::Number));
    let db = connect(&test, 2).await?;
    db.table_reports(resilient_sea_orm::health::tables::TableOptions::new())
        .await?;
    let before = logged(&server);
    db.table_reports(resilient_sea_orm::health::tables::TableOptions::new())
        .await?;
    Ok(logged(&server) - before)
}

async fn start() -> Result<(Server, TestDb)> {
    let flags = ["--log_statement=all", "--max_connections=130"];
    let server = Server::start_private(Engine::Postgres, &flags)?;
    let test = TestDb::on(&server).await?;
    Ok((server, test))
}

/// A pool with so many idle connections, without a monitor.
async fn connect(test: &TestDb, idle: u32) -> Result<ResilientConnection> {
    let health = HealthConfig::default().with_background_monitoring(false);
    let soft_delete = SoftDeleteConfig::default().with_enable_monitoring(false);
    let config = Config::default()
        .with_health(health)
        .with_soft_delete(soft_delete);
    let mut options = ConnectOptions::new(test.url());
    options.max_connections(idle).sqlx_logging(false);
    let builder = Builder::default().config(&config).to(options);
    let db = builder.connect().await?;
    let mut held = Vec::new();
    for _ in 0..idle {
        let slot = db.begin().await?;
        slot.execute_unprepared("SELECT 1").await?;
        held.push(slot);
    }
    for slot in held {
        slot.rollback().await?;
    }
    Ok(db)
}

/// Lets the monitor look so often, and answers how often it did.
async fn look(db: &ResilientConnection, looks: u64) -> u64 {
    let options = MonitorOptions::new().interval(EVERY).jitter(Duration::ZERO);
    db.start_monitoring_with(options);
    let ticks = || db.monitoring().map_or(0, |report| report.ticks);
    while ticks() < looks {
        tokio::time::sleep(EVERY / 4).await;
    }
    // Until the last one has ended.
    tokio::time::sleep(EVERY / 2).await;
    let looks = ticks();
    db.stop_monitoring().await;
    looks
}

fn logged(server: &Server) -> u64 {
    let log = server.log();
    let sent = |line: &&str| line.contains("LOG:  execute") || line.contains("LOG:  statement");
    log.lines().filter(sent).count() as u64
}

/// What all threads of this process have run for.
fn cpu() -> Result<Duration> {
    let mut nanos = 0;
    for task in fs::read_dir("/proc/self/task")? {
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        let ran = text.split_whitespace().next().ok_or("an empty schedstat")?;
        nanos += ran.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanos))
}
