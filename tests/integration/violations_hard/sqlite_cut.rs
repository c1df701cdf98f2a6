//! The search for the violated key, dropped at every await.

use resilient_sea_orm::{Builder, Error, TransactOptions};
use sea_orm::ConnectionTrait;
use support::{Engine, TestDb, TestResult, wait_until};

use super::lab::Lab;
use crate::rig::{PATIENCE, polled};

async fn lab(pool: u32) -> TestResult<Lab> {
    let test = TestDb::new(Engine::Sqlite).await?;
    let lab = Lab::on(test, Builder::default(), pool).await;
    lab.run(&[
        "CREATE TABLE p (id INTEGER PRIMARY KEY)",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p, q INTEGER REFERENCES p)",
        "INSERT INTO p VALUES (1)",
    ])
    .await;
    Ok(lab)
}

async fn nothing_open(lab: &Lab) -> TestResult {
    let none = async || Ok(lab.test.open_transactions().await? == 0);
    wait_until("no open transaction", PATIENCE, none).await?;
    Ok(())
}

/// Drops the statement alone; the body goes on as if nothing had happened.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_that_is_dropped_loses_the_transaction_whole_on_sqlite() -> TestResult {
    let lab = lab(2).await?;
    let (mut cut, mut ended) = (0, 0);
    for answered in [false, true] {
        for polls in 1..60 {
            let row = 2 * polls;
            let body = || async {
                let before = format!("INSERT INTO t VALUES ({row}, 1, 1)");
                lab.db.execute_unprepared(&before).await?;
                let bad = lab
                    .db
                    .execute_unprepared("INSERT INTO t VALUES (1000, 1, 9)");
                let finished = polled(bad, polls, answered).await;
                if let Some(result) = &finished {
                    assert!(result.is_err());
                }
                let after = format!("INSERT INTO t VALUES ({}, 1, 1)", row + 1);
                let after = lab.db.execute_unprepared(&after).await;
                assert!(finished.is_some() || after.is_err(), "goes on at {polls}");
                Ok::<_, Error>(finished.is_some())
            };
            let result = lab
                .db
                .transact(TransactOptions::new().retries(0), body)
                .await;
            let rows = lab
                .count(&format!("t WHERE id IN ({row}, {})", row + 1))
                .await;
            if let Ok(finished) = result {
                assert!(finished);
                assert_eq!(rows, 2, "committed whole");
                ended += 1;
            } else {
                assert_eq!(rows, 0, "committed by halves at {polls}");
                cut += 1;
            }
            assert_eq!(lab.count("t WHERE id = 1000").await, 0);
            nothing_open(&lab).await?;
            lab.run(&["DELETE FROM t"]).await;
        }
    }
    assert!(cut > 5 && ended > 10, "cut {cut}, ended {ended}");
    Ok(())
}

/// The same with the whole call.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_dropped_while_it_searches_leaves_nothing_on_sqlite() -> TestResult {
    let lab = lab(1).await?;
    let (mut cut, mut ended) = (0, 0);
    for polls in 1..80 {
        let body = || async {
            lab.db
                .execute_unprepared("INSERT INTO t VALUES (1, 1, 1)")
                .await?;
            lab.db
                .execute_unprepared("INSERT INTO t VALUES (2, 1, 9)")
                .await?;
            Ok::<_, Error>(())
        };
        let call = lab.db.transact(TransactOptions::new().retries(0), body);
        match polled(call, polls, polls % 2 == 0).await {
            Some(result) => {
                assert!(result.is_err());
                ended += 1;
            }
            None => cut += 1,
        }
        nothing_open(&lab).await?;
        assert_eq!(lab.count("t").await, 0);
    }
    assert!(cut > 5 && ended > 10, "cut {cut}, ended {ended}");
    Ok(())
}

/// On the pool, the search has a transaction of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_on_the_pool_that_is_dropped_leaves_no_transaction_on_sqlite() -> TestResult {
    let lab = lab(1).await?;
    let (mut cut, mut ended) = (0, 0);
    for polls in 1..80 {
        let bad = lab.db.execute_unprepared("INSERT INTO t VALUES (2, 1, 9)");
        match polled(bad, polls, polls % 2 == 0).await {
            Some(result) => {
                assert!(result.is_err());
                ended += 1;
            }
            None => cut += 1,
        }
        nothing_open(&lab).await?;
        assert_eq!(lab.count("t").await, 0);
    }
    assert!(cut > 5 && ended > 10, "cut {cut}, ended {ended}");
    Ok(())
}

/// And COMMIT, whose rows are still there while they are looked at.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_commit_that_is_dropped_leaves_nothing_on_sqlite() -> TestResult {
    let lab = lab(1).await?;
    let (mut cut, mut ended) = (0, 0);
    for polls in 1..60 {
        let body = || async {
            lab.db
                .execute_unprepared("PRAGMA defer_foreign_keys = ON")
                .await?;
            lab.db
                .execute_unprepared("INSERT INTO t VALUES (2, 1, 9)")
                .await?;
            Ok::<_, Error>(())
        };
        let call = lab.db.transact(TransactOptions::new().retries(0), body);
        match polled(call, polls, polls % 2 == 0).await {
            Some(result) => {
                assert!(result.unwrap_err().violation().is_some());
                ended += 1;
            }
            None => cut += 1,
        }
        nothing_open(&lab).await?;
        assert_eq!(lab.count("t").await, 0);
    }
    assert!(cut > 2 && ended > 10, "cut {cut}, ended {ended}");
    Ok(())
}
