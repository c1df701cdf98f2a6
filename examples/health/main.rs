//! A shop in some trouble, and the report on its database's health.
//!
//! `cargo run --example health` uses an SQLite file in a temporary folder. `--database-url` runs
//! the same on PostgreSQL, MySQL or MariaDB.

#![allow(unreachable_pub, reason = "a program's modules have no outside")]

mod shop;
mod trouble;

use std::{
    io::{IsTerminal, stdout},
    process::ExitCode,
    time::Duration,
};

use clap::Parser;
use resilient_sea_orm::{Error, HealthSettings, ResilientConnection, Result, policy::RetryPolicy};
use sea_orm::ConnectOptions;

/// A shop in some trouble, and the report on its database's health.
#[derive(Clone, Debug, Parser)]
struct Options {
    /// Where the shop lives; an SQLite file in a temporary folder if not given.
    #[arg(long)]
    database_url: Option<String>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    /// Looks at everything, constraints and settings too, and says what to do.
    #[arg(long)]
    diagnostics: bool,
    /// Prints the report again every two seconds, until the program is ended.
    #[arg(long)]
    watch: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("health: {error}");
            if let Some(source) = error.db_err() {
                eprintln!("  caused by: {source}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<()> {
    // Removed, with the database in it, when the program ends.
    let folder =
        tempfile::tempdir().map_err(|e| Error::custom(format!("no temporary folder: {e}")))?;
    let url = options.database_url.clone().unwrap_or_else(|| {
        let file = folder.path().join("shop.sqlite");
        format!("sqlite://{}?mode=rwc", file.display())
    });
    let db = connect(&url).await?;
    shop::create(&db).await?;
    let kept = trouble::make(&db).await?;
    loop {
        print(&db, &options).await?;
        if !options.watch {
            break;
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        if stdout().is_terminal() {
            print!("\u{1b}[2J\u{1b}[H");
        }
    }
    kept.end().await
}

async fn print(db: &ResilientConnection, options: &Options) -> Result<()> {
    let color = stdout().is_terminal();
    let json = |json: std::result::Result<String, serde_json::Error>| {
        json.map_err(|e| Error::custom(format!("no JSON: {e}")))
    };
    if options.diagnostics {
        let all = db.diagnostics().await;
        if options.json {
            println!("{}", json(serde_json::to_string_pretty(&all))?);
        } else {
            print!("{}", all.display().color(color));
        }
    } else {
        let report = db.health_report().await;
        if options.json {
            println!("{}", json(serde_json::to_string_pretty(&report))?);
        } else {
            print!("{}", report.display().color(color));
        }
    }
    Ok(())
}

async fn connect(url: &str) -> Result<ResilientConnection> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(5)
        .acquire_timeout(Duration::from_secs(10))
        .sqlx_logging(false);
    if url.starts_with("sqlite:") {
        // Readers beside one writer, and writers that give up waiting at once, so that they
        // collide in earnest.
        options.map_sqlx_sqlite_opts(|sqlite| {
            sqlite
                .pragma("journal_mode", "WAL")
                .busy_timeout(Duration::from_millis(1))
        });
    }
    ResilientConnection::builder(options)
        .name("shop")
        .policy(RetryPolicy::new().retries(20))
        // A minute would be long for an example.
        .health(HealthSettings {
            leak_after: Duration::from_millis(300),
            ..HealthSettings::default()
        })
        .connect()
        .await
}
