//! `SQLite` lets one writer at a time in, and says "database is locked" to the others. Those of this
//! process stand in line instead.

use std::time::Duration;

use resilient_sea_orm::{Builder, Locking, ResilientConnection, prelude::*};
use sea_orm::{ConnectOptions, ConnectionTrait, TransactionTrait};
use support::{Engine, TestDb, TestResult};
use tokio::task::JoinSet;

use crate::bank::{Bank, add, unique_name, without_hanging};

/// A connection without any patience: two writers that meet are an error at once.
async fn impatient(url: &str, pool: u32) -> Result<ResilientConnection> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(pool)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(|options| options.busy_timeout(Duration::ZERO));
    Builder::default()
        .name(unique_name())
        .to(options)
        .connect()
        .await
}

/// What writers do. Some are dropped on their way, whenever.
async fn write(db: &ResilientConnection, random: &mut fastrand::Rng) -> Result<()> {
    let patience = if random.bool() {
        Duration::from_micros(random.u64(0..3_000))
    } else {
        Duration::from_mins(1)
    };
    let way = random.u8(0..6);
    let work = async {
        match way {
            // A nested scope is undone, or its future is dropped.
            0 => {
                db.transact(TransactOptions::new(), || async {
                    add(db, 1, -1).await?;
                    let nested = db.transact(TransactOptions::new(), || async {
                        add(db, 1, -5).await?;
                        Err::<(), _>(Error::custom("on purpose"))
                    });
                    assert!(nested.await.is_err());
                    add(db, 2, 1).await
                })
                .await
            }
            // A handle that is dropped.
            1 => {
                let handle = db.begin().await?;
                handle
                    .execute_unprepared("UPDATE account SET balance = 0 WHERE id = 1")
                    .await?;
                drop(handle);
                Ok(())
            }
            // Outside of transactions.
            2 => add(db, 3, 1).await,
            3 => {
                let failed = db.transact(TransactOptions::new(), || async {
                    add(db, 1, 1).await?;
                    Err::<(), _>(Error::custom("on purpose"))
                });
                assert!(failed.await.is_err());
                Ok(())
            }
            _ => {
                db.transact(TransactOptions::new(), || async {
                    add(db, 1, -1).await?;
                    add(db, 2, 1).await
                })
                .await
            }
        }
    };
    match tokio::time::timeout(patience, work).await {
        Ok(result) => result,
        Err(_) => Ok(()),
    }
}

/// Twenty runs of sixteen writers, without SQLite's own patience: not one of them is told that the
/// database is locked, not even behind its back by an attempt that was repeated.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_is_never_locked_by_ourselves_on_sqlite() -> TestResult {
    for run in 0..20 {
        let test = TestDb::new(Engine::Sqlite).await?;
        let bank = Bank::on(test, 3, 4).await;
        // Two pools of the same file, one of them by another way.
        let (folder, file) = bank.test.url().rsplit_once('/').expect("a path");
        let around = format!("{folder}/./{file}");
        let dbs = [
            impatient(bank.test.url(), 4).await?,
            impatient(&around, 2).await?,
        ];
        for db in &dbs {
            add(db, 1, 1_000).await?;
        }
        let mut tasks = JoinSet::new();
        for (task, db) in (0..16_u64).zip(dbs.iter().cycle().cloned()) {
            let mut random = fastrand::Rng::with_seed(run * 16 + task);
            tasks.spawn(async move {
                for _ in 0..12 {
                    write(&db, &mut random).await?;
                }
                Ok::<_, Error>(())
            });
        }
        while let Some(done) = tasks.join_next().await {
            done??;
        }
        for db in &dbs {
            let metrics = resilient_sea_orm::metrics::global()
                .snapshot()
                .connection(db.name());
            let locked = metrics.faults.get(&FaultKind::LockTimeout);
            assert_eq!(locked, None, "run {run}");
            assert!(metrics.turns_waited > 0);
        }
        let moved = bank.balance(1).await + bank.balance(2).await;
        assert_eq!(moved, 2_200, "run {run}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_and_deferred_writers_stand_in_no_line_on_sqlite() -> TestResult {
    let test = TestDb::new(Engine::Sqlite).await?;
    let bank = Bank::on(test, 2, 4).await;
    let db = &bank.db;
    let deferred = Builder::default()
        .locking(Locking::Deferred)
        .to(ConnectOptions::new(bank.test.url()))
        .connect()
        .await?;
    let writer = db.begin().await?;
    writer
        .execute_unprepared("UPDATE account SET balance = 1 WHERE id = 1")
        .await?;
    let read = TransactOptions::new().read_only();
    without_hanging(db.transact(read, || async {
        db.execute_unprepared("SELECT 1").await?;
        Ok::<_, Error>(())
    }))
    .await?;
    // It reads so far.
    without_hanging(deferred.transact(TransactOptions::new(), || async {
        deferred.execute_unprepared("SELECT 1").await?;
        Ok::<_, Error>(())
    }))
    .await?;
    // What only looks like a write.
    without_hanging(db.execute_unprepared("PRAGMA user_version")).await?;
    writer.commit().await?;
    assert_eq!(bank.balance(1).await, 1);
    Ok(())
}

/// The same task has begun a writer and forgotten it: there is no hang, and the error says who has
/// the turn.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forgotten_writer_is_named_on_sqlite() -> TestResult {
    let mut rig = crate::rig::Rig::new(4);
    rig.acquire = Duration::from_millis(200);
    let bank = rig.bank(Engine::Sqlite, 1).await;
    let forgotten = bank.db.begin().await?;
    forgotten
        .execute_unprepared("UPDATE account SET balance = 1 WHERE id = 1")
        .await?;
    let once = TransactOptions::new().retries(0);
    let error = bank.db.transact(once, || add(&bank.db, 1, 1)).await;
    let error: Error = error.unwrap_err();
    assert_eq!(error.kind(), FaultKind::LockTimeout, "{error}");
    let text = error.to_string();
    assert!(
        text.contains("only writer") && text.contains("begin()"),
        "{text}"
    );
    drop(forgotten);
    // It is rolled back beside this.
    let again = TransactOptions::new().retries(50);
    bank.db.transact(again, || add(&bank.db, 1, 1)).await?;
    Ok(())
}
