//! A small bank whose tasks get in each other's way, and lose nothing.
//!
//! `cargo run --example quickstart` uses an SQLite file in a temporary folder.
//! `--database-url` runs the same on PostgreSQL, MySQL or MariaDB.

#![allow(unreachable_pub, reason = "a program's modules have no outside")]

mod bank;
mod report;
mod scenes;

use std::{process::ExitCode, time::Duration};

use clap::Parser;
use resilient_sea_orm::{ResilientConnection, Result, policy::RetryPolicy};
use sea_orm::{ConnectOptions, ConnectionTrait, DbBackend};

/// A small bank whose tasks get in each other's way, and lose nothing.
#[derive(Clone, Debug, Parser)]
pub struct Options {
    /// Where the bank lives; an SQLite file in a temporary folder if not given.
    #[arg(long)]
    database_url: Option<String>,
    /// Tasks that transfer at the same time.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=200))]
    tasks: u32,
    /// Transfers in all.
    #[arg(long, default_value_t = 1500)]
    transfers: u32,
    /// Accounts; fewer collide more.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(i32).range(2..))]
    accounts: i32,
    /// Seed of the random transfers.
    #[arg(long, default_value_t = 7)]
    seed: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    match run(options).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("quickstart: {error}");
            if let Some(source) = error.db_err() {
                eprintln!("  caused by: {source}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<bool> {
    // Removed, with the database in it, when the program ends.
    let folder = tempfile::tempdir()
        .map_err(|e| resilient_sea_orm::Error::custom(format!("no temporary folder: {e}")))?;
    let url = options.database_url.clone().unwrap_or_else(|| {
        let file = folder.path().join("bank.sqlite");
        format!("sqlite://{}?mode=rwc", file.display())
    });
    let db = connect(&url).await?;
    println!(
        "A bank of {} accounts on {}.\n",
        options.accounts,
        db.name()
    );

    bank::create(&db, options.accounts).await?;
    let before = bank::total(&db).await?;
    scenes::collisions(&db, &options).await?;
    scenes::failed_savepoint(&db).await?;
    let caught = scenes::swallowed_error(&db).await?;
    let after = bank::total(&db).await?;

    report::print(&db, before, after);
    Ok(before == after && caught)
}

async fn connect(url: &str) -> Result<ResilientConnection> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(8)
        .acquire_timeout(Duration::from_secs(10))
        .sqlx_logging(false);
    let sqlite = url.starts_with("sqlite:");
    if sqlite {
        // Readers beside one writer; and writers give up waiting early, so that they collide
        // in earnest: in production leave the busy timeout at its five seconds.
        options.map_sqlx_sqlite_opts(|sqlite| {
            sqlite
                .pragma("journal_mode", "WAL")
                .pragma("synchronous", "NORMAL")
                .busy_timeout(Duration::from_millis(1))
        });
    }
    let db = ResilientConnection::builder(options)
        // So many tasks for so few accounts: one of them may lose a dozen times in a row.
        .policy(RetryPolicy::new().retries(50))
        .connect()
        .await?;
    if db.get_database_backend() == DbBackend::Postgres {
        // Deadlocks are looked for sooner than after the usual second.
        let _ = db.execute_unprepared("SET deadlock_timeout = '20ms'").await;
    }
    Ok(db)
}
