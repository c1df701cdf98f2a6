//! What happens in the bank.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use resilient_sea_orm::{Error, ResilientConnection, Result};
use sea_orm::{ConnectionTrait, DbBackend, TransactionTrait};
use tokio::task::JoinSet;

use crate::{Options, bank::Accounts};

/// Many tasks, few accounts.
pub async fn collisions(db: &ResilientConnection, options: &Options) -> Result<()> {
    println!(
        "1. {} tasks transfer money between the same {} accounts, in both directions.",
        options.tasks, options.accounts
    );
    let bar = ProgressBar::new(u64::from(options.transfers));
    bar.set_style(
        ProgressStyle::with_template("   {bar:40} {pos}/{len} transfers  {elapsed}  {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let mut tasks = JoinSet::new();
    for task in 0..options.tasks {
        let accounts = Accounts::new(db);
        let (bar, options) = (bar.clone(), options.clone());
        tasks.spawn(async move {
            let mut random = fastrand::Rng::with_seed(options.seed + u64::from(task));
            let share = options.transfers / options.tasks
                + u32::from(task < options.transfers % options.tasks);
            for n in 0..share {
                let from = random.i32(1..=options.accounts);
                let to = from % options.accounts + 1;
                let (from, to) = if random.bool() {
                    (from, to)
                } else {
                    (to, from)
                };
                if n % 10 == 9 {
                    accounts.even_out(from, to).await?;
                } else {
                    accounts
                        .transfer(from, to, random.i64(1..500), &format!("{task}/{n}"))
                        .await?;
                }
                bar.inc(1);
                // Where there is no terminal for a bar, a line now and then.
                let fifth = (u64::from(options.transfers) / 5).max(1);
                if bar.is_hidden() && bar.position() % fifth == 0 {
                    println!("   {}/{} transfers", bar.position(), options.transfers);
                }
            }
            Ok::<_, Error>(())
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.map_err(|e| Error::custom(format!("a task panicked: {e}")))??;
    }
    bar.finish_with_message("all done");
    println!("   Every one of them succeeded, some after losing a collision.\n");
    Ok(())
}

/// A nested method fails; its savepoint is rolled back, its caller goes on.
pub async fn failed_savepoint(db: &ResilientConnection) -> Result<()> {
    println!("2. A transfer whose reference is taken tries another one, inside its transaction.");
    let accounts = Accounts::new(db);
    accounts.transfer(1, 2, 1, "rent").await?;
    let used = accounts.transfer_anyway(1, 2, "rent").await?;
    println!("   \"rent\" was taken, so the same transaction stored {used:?}.\n");
    Ok(())
}

/// A method drops an error that cost it its writes. Answers whether that was noticed.
pub async fn swallowed_error(db: &ResilientConnection) -> Result<bool> {
    println!("3. A careless method credits 10,000.00, swallows an error and returns Ok.");
    let accounts = Accounts::new(db);
    // On MySQL and MariaDB, losing the wait for another transaction's lock.
    let blocker = db.begin().await?;
    let lose = match db.get_database_backend() {
        DbBackend::MySql => {
            blocker
                .execute_unprepared("UPDATE quickstart_account SET cents = cents WHERE id = 2")
                .await?;
            "SELECT * FROM quickstart_account WHERE id = 2 FOR UPDATE NOWAIT"
        }
        DbBackend::Postgres => "INSERT INTO quickstart_account VALUES (1, 0)",
        _ => "INSERT OR ROLLBACK INTO quickstart_account VALUES (1, 0)",
    };
    let result = tokio::time::timeout(Duration::from_mins(1), accounts.careless(lose)).await;
    blocker.rollback().await?;
    match result {
        Ok(Err(error)) => {
            println!("   Caught: {error}.\n");
            Ok(true)
        }
        Ok(Ok(())) => {
            println!("   NOT CAUGHT: it was reported as a success.\n");
            Ok(false)
        }
        Err(_) => {
            println!("   NOT CAUGHT: it did not return within a minute.\n");
            Ok(false)
        }
    }
}
