//! The outbox: a message is stored in the transaction that it is about, and delivered later.
//!
//! `cargo run --example outbox` uses an SQLite file in a temporary folder. `--database-url` runs
//! the same on PostgreSQL, MySQL or MariaDB: in a database that may be written to, as it drops and
//! creates the tables `outbox_order` and `outbox_message`.

#![allow(unreachable_pub, reason = "a program's modules have no outside")]

mod deliverer;
mod orders;

use std::{process::ExitCode, sync::Arc, time::Duration};

use clap::Parser;
use deliverer::Receiver;
use orders::{Orders, Outbox};
use resilient_sea_orm::{Error, ResilientConnection, Result};
use sea_orm::ConnectOptions;
use tokio::sync::Notify;

/// The outbox: a message is stored in the transaction that it is about, and delivered later.
#[derive(Clone, Debug, Parser)]
struct Options {
    /// Where the orders live; an SQLite file in a temporary folder if not given.
    #[arg(long)]
    database_url: Option<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Options::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("outbox: the story did not end as it should");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("outbox: {error}");
            if let Some(source) = error.db_err() {
                eprintln!("  caused by: {source}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<bool> {
    // Removed, with the database in it, when the program ends.
    let folder =
        tempfile::tempdir().map_err(|e| Error::custom(format!("no temporary folder: {e}")))?;
    let url = options.database_url.unwrap_or_else(|| {
        let file = folder.path().join("outbox.sqlite");
        format!("sqlite://{}?mode=rwc", file.display())
    });
    let receiver = Receiver::default();

    let db = connect(&url).await?;
    orders::create(&db).await?;
    println!("While the deliverer runs, on {}:", db.name());
    let wake = Arc::new(Notify::new());
    let shop = Orders::new(&db, &wake);
    let outbox = Outbox::new(&db);
    let running = deliverer::run(outbox.clone(), receiver.clone(), Arc::clone(&wake));
    let running = tokio::spawn(running);
    for item in ["a kettle", "two cups"] {
        shop.place(item, true).await?;
    }
    wait_for(&outbox).await?;

    println!("\nA refused order leaves no message:");
    if let Err(error) = shop.place("a teapot", false).await {
        println!("  {error}");
    }

    println!("\nThe deliverer ends; orders are taken all the same:");
    running.abort();
    for item in ["some tea", "a spoon"] {
        let order = shop.place(item, true).await?;
        println!("  order {}: {item}", order.id);
    }
    // It had delivered one of them, and ended before it could note that.
    let pending = outbox.pending().await?;
    if let Some(first) = pending.first() {
        receiver.take(first.id);
    }
    drop((shop, outbox, db));

    println!("\nAfter a restart, with nobody to wake it:");
    let db = connect(&url).await?;
    let outbox = Outbox::new(&db);
    let left = deliverer::deliver(&outbox, &receiver).await?;

    let orders = Orders::new(&db, &wake).count().await?;
    let messages = outbox.count().await?;
    let (known, arrivals) = receiver.counts();
    println!("\n{orders} orders, {messages} messages, {known} received in {arrivals} arrivals.");
    let rest = outbox.pending().await?.len();
    Ok((orders, messages, known) == (4, 4, 4) && (left, rest, arrivals) == (2, 0, 5))
}

async fn connect(url: &str) -> Result<ResilientConnection> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(2).sqlx_logging(false);
    ResilientConnection::connect(options).await
}

/// Waits until everything is delivered.
async fn wait_for(outbox: &Outbox) -> Result<()> {
    while !outbox.pending().await?.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}
