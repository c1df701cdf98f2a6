//! A database that keeps a ledger of calls, and ways to it.

use std::time::{Duration, Instant};

use resilient_sea_orm::{
    CommitMode, Result,
    policy::{BudgetConfig, RetryPolicy},
    prelude::*,
};
use sea_orm::{ConnectOptions, ConnectionTrait, Statement};
use support::{Engine, Server, TestDb, TestResult, unique_name};

/// Long enough that only a lost connection takes it.
pub const LONG: Duration = Duration::from_mins(1);

/// How much of a soak is run.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Lost replies, transactions or cases, as the soak counts.
    pub work: u64,
    pub seed: u64,
    /// Whether to print progress.
    pub loud: bool,
}

impl Size {
    /// Says how far a soak is, now and then.
    pub fn progress(&self, name: &str, done: u64) {
        if self.loud {
            println!("  {name}: {done} of {}", self.work);
        }
    }
}

/// A server of its own with room for many clients.
pub fn server(engine: Engine) -> TestResult<Server> {
    let flags: &[&str] = match engine {
        Engine::Postgres => &["--max_connections=500", "--shared_buffers=64MB"],
        _ => &["--max-connections=600"],
    };
    Ok(Server::start_private(engine, flags)?)
}

/// The tables: `ledger` may hold a call's row twice, so that duplicates show.
pub async fn tables(test: &TestDb, accounts: u64) -> TestResult {
    let admin = test.admin();
    for sql in [
        "CREATE TABLE account (id INTEGER PRIMARY KEY, balance BIGINT NOT NULL)",
        "CREATE TABLE ledger (call_id BIGINT NOT NULL, line INTEGER NOT NULL)",
        "CREATE INDEX ledger_call ON ledger (call_id)",
    ] {
        admin.execute_unprepared(sql).await?;
    }
    let rows: Vec<_> = (1..=accounts).map(|id| format!("({id},0)")).collect();
    let insert = format!("INSERT INTO account VALUES {}", rows.join(","));
    admin.execute_unprepared(&insert).await?;
    Ok(())
}

/// A connection whose commits are of this mode, and for which silence of so long, after a control
/// statement and after another, is a lost connection.
pub async fn connect(
    url: &str,
    pool: u32,
    mode: CommitMode,
    control: Duration,
    statement: Duration,
) -> Result<ResilientConnection> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(pool)
        .acquire_timeout(Duration::from_secs(20))
        .sqlx_logging(false);
    ResilientConnection::builder(options)
        .name(unique_name())
        .commit(mode)
        .control_limit(control)
        .statement_limit(statement)
        // As long as it takes: what is counted is what becomes of commits.
        .policy(RetryPolicy::new().retries(500))
        .retry_budget(BudgetConfig::new(1.0, 10_000_000))
        .connect()
        .await
}

/// Enters a call into the ledger and moves 1 from one account to the other.
pub async fn transfer(db: &ResilientConnection, call: u64, from: u64, to: u64) -> Result<()> {
    let backend = db.get_database_backend();
    let number = i64::try_from(call).unwrap_or(i64::MAX);
    let sql = match backend {
        sea_orm::DbBackend::Postgres => "INSERT INTO ledger VALUES ($1, 1)",
        _ => "INSERT INTO ledger VALUES (?, 1)",
    };
    db.execute_raw(Statement::from_sql_and_values(
        backend,
        sql,
        [number.into()],
    ))
    .await?;
    for (account, sign) in [(from, '-'), (to, '+')] {
        let sql = format!("UPDATE account SET balance = balance {sign} 1 WHERE id = {account}");
        db.execute_unprepared(&sql).await?;
    }
    Ok(())
}

/// A number of the admin's.
pub async fn number(test: &TestDb, expression: &str) -> TestResult<i64> {
    let (backend, whole) = match test.engine() {
        Engine::Postgres => (sea_orm::DbBackend::Postgres, "BIGINT"),
        Engine::Sqlite => (sea_orm::DbBackend::Sqlite, "INTEGER"),
        _ => (sea_orm::DbBackend::MySql, "SIGNED"),
    };
    let sql = format!("SELECT CAST({expression} AS {whole}) AS n");
    let row = test
        .admin()
        .query_one_raw(Statement::from_string(backend, sql));
    Ok(row.await?.ok_or("no row")?.try_get("", "n")?)
}

/// Waits until nobody but the admin has a session, so that nothing changes any more.
pub async fn quiet(test: &TestDb) -> TestResult {
    if test.engine() == Engine::Sqlite {
        return Ok(());
    }
    let limit = Instant::now() + Duration::from_mins(1);
    while test.sessions().await? > 0 {
        if Instant::now() > limit {
            return Err("sessions do not end".into());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}
