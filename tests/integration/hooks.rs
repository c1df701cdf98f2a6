//! Promise 5: hooks fire once per commit.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering},
};

use resilient_sea_orm::{CommitMode, policy::Delay, prelude::*};
use sea_orm::{ConnectionTrait, TransactionTrait};
use support::{Engine, TestResult, engine_tests};

use crate::{
    bank::{add, number},
    rig::{Rig, nothing_leaks},
};

type Heard = Arc<Mutex<Vec<i32>>>;

fn hears(heard: &Heard, what: i32) -> impl FnOnce() -> std::future::Ready<()> + Send + 'static {
    let heard = Arc::clone(heard);
    move || {
        heard.lock().expect("no panic").push(what);
        std::future::ready(())
    }
}

async fn a_hook_sees_what_is_stored_and_has_a_connection(engine: Engine) -> TestResult {
    // One connection: the transaction has given it back when the hook runs.
    let bank = Rig::new(1).bank(engine, 2).await;
    let (db, seen) = (bank.db.clone(), Arc::new(AtomicU32::new(0)));
    bank.db
        .transact(TransactOptions::new(), || async {
            add(&bank.db, 1, 5).await?;
            let (db, seen) = (db.clone(), Arc::clone(&seen));
            bank.db.after_commit(move || async move {
                let sum = "SELECT CAST(SUM(balance) AS CHAR) AS n FROM account";
                let sum = number(&db, sum).await;
                seen.store(u32::try_from(sum).unwrap_or(0), Ordering::SeqCst);
            })
        })
        .await?;
    assert_eq!(seen.load(Ordering::SeqCst), 200_005);
    nothing_leaks(&bank, 1).await;
    Ok(())
}

async fn handles_and_savepoints_have_hooks(engine: Engine) -> TestResult {
    let bank = Rig::new(1).bank(engine, 2).await;
    let heard = Heard::default();
    let outer = bank.db.begin().await?;
    outer.after_commit(hears(&heard, 1))?;
    let kept = outer.begin().await?;
    kept.execute_unprepared("UPDATE account SET balance = balance + 1")
        .await?;
    kept.after_commit(hears(&heard, 2))?;
    kept.commit().await?;
    let undone = outer.begin().await?;
    undone
        .execute_unprepared("UPDATE account SET balance = 0")
        .await?;
    undone.after_commit(hears(&heard, 3))?;
    undone.after_rollback(hears(&heard, 4))?;
    undone.rollback().await?;
    assert!(heard.lock().expect("no panic").is_empty());
    outer.commit().await?;
    assert_eq!(*heard.lock().expect("no panic"), [1, 2, 4]);
    assert_eq!(bank.total().await, 200_002);
    nothing_leaks(&bank, 1).await;
    Ok(())
}

/// A hook that cannot be registered any more may own what belongs to its transaction.
async fn a_hook_that_comes_too_late_is_dropped_without_harm(engine: Engine) -> TestResult {
    let bank = Rig::new(1).bank(engine, 1).await;
    let outer = bank.db.begin().await?;
    let ended = outer.begin().await?;
    let late = ended.begin().await?;
    let owned = outer.begin().await?;
    ended.rollback().await?;
    let error = late.after_commit(move || async move { drop(owned) });
    assert!(error.is_err());
    drop(late);
    outer.rollback().await?;
    nothing_leaks(&bank, 1).await;
    Ok(())
}

/// A script that begins a transaction on the pool leaves none behind.
async fn a_script_outside_leaves_no_transaction_open(engine: Engine) -> TestResult {
    let bank = Rig::new(1).bank(engine, 1).await;
    let script = "BEGIN; UPDATE account SET balance = 0; SELECT no_such_column; COMMIT";
    assert!(bank.db.execute_unprepared(script).await.is_err());
    bank.db
        .execute_unprepared("UPDATE account SET balance = balance + 1")
        .await?;
    assert_eq!(
        bank.test
            .admin()
            .execute_unprepared("UPDATE account SET balance = balance + 1")
            .await?
            .rows_affected(),
        1
    );
    assert_eq!(bank.total().await, 100_002);
    Ok(())
}

async fn outside_of_a_transaction_there_is_nothing_to_wait_for(engine: Engine) -> TestResult {
    let bank = Rig::new(1).bank(engine, 1).await;
    let error = bank.db.after_commit(|| async {}).expect_err("no scope");
    assert!(
        error.to_string().contains("outside of a transaction"),
        "{error}"
    );
    assert_eq!(error.outcome(), Outcome::NotSent);
    Ok(())
}

/// A thousand transactions of eight clients, of which three in ten fail once.
async fn hooks_fired_equal_commits(engine: Engine) -> TestResult {
    const CLIENTS: u32 = 8;
    const EACH: u32 = 125;
    let bank = Arc::new(Rig::new(4).bank(engine, 8).await);
    bank.db.ensure_marker_table().await?;
    // A serialization failure, as the server would report one.
    let forced = match engine {
        Engine::Postgres => "DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE='40001'; END $$",
        _ => "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213",
    };
    let fired = Arc::new(AtomicU32::new(0));
    let undone = Arc::new(AtomicU32::new(0));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (bank, fired, undone) = (bank.clone(), fired.clone(), undone.clone());
            tokio::spawn(async move {
                for n in 0..EACH {
                    let mut tries = 0;
                    let options = TransactOptions::new()
                        .backoff(Delay::none())
                        .retries(50)
                        .commit(if n % 2 == 0 {
                            CommitMode::Verified
                        } else {
                            CommitMode::Reported
                        });
                    bank.db
                        .transact(options, || {
                            tries += 1;
                            let fails = tries == 1 && n % 10 < 3;
                            let (bank, fired) = (bank.clone(), fired.clone());
                            let undone = undone.clone();
                            async move {
                                let account = i32::try_from(client).unwrap_or(0) + 1;
                                bank.db.after_commit(move || async move {
                                    fired.fetch_add(1, Ordering::SeqCst);
                                })?;
                                bank.db.after_rollback(move || async move {
                                    undone.fetch_add(1, Ordering::SeqCst);
                                })?;
                                add(&bank.db, account, 1).await?;
                                if fails {
                                    bank.db.execute_unprepared(forced).await?;
                                }
                                Ok::<_, Error>(())
                            }
                        })
                        .await?;
                }
                Ok::<_, Error>(())
            })
        })
        .collect();
    for client in clients {
        client.await??;
    }
    let commits = CLIENTS * EACH;
    assert_eq!(fired.load(Ordering::SeqCst), commits);
    assert_eq!(bank.total().await, 800_000 + i64::from(commits));
    let metrics = bank.metrics();
    assert_eq!(u64::from(commits), metrics.committed);
    assert_eq!(
        u64::from(undone.load(Ordering::SeqCst)),
        metrics.rolled_back
    );
    nothing_leaks(&bank, 4).await;
    Ok(())
}

engine_tests! {
    a_hook_sees_what_is_stored_and_has_a_connection,
    handles_and_savepoints_have_hooks,
    outside_of_a_transaction_there_is_nothing_to_wait_for,
    a_hook_that_comes_too_late_is_dropped_without_harm,
    a_script_outside_leaves_no_transaction_open,
}

engine_tests! { on_postgres on_mariadb: hooks_fired_equal_commits }
