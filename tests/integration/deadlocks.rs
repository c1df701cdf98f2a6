//! Real deadlocks, many of them: every one is retried from the root, and nothing is sent to a
//! savepoint that died with its transaction.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use resilient_sea_orm::{ResilientConnection, prelude::*};
use sea_orm::{ConnectionTrait, Statement, TransactionTrait};
use support::{Engine, Server, TestDb, TestResult, engine_tests, wait_until};
use tokio::sync::Barrier;

use crate::bank::{Bank, add, enter};

struct Repo {
    db: ResilientConnection,
}

#[resilient(retries = 8, on = [deadlock])]
impl Repo {
    /// Adds to both accounts; in the first attempt, after `meet` says that the opponent holds
    /// its first lock too.
    pub async fn both(&self, order: [i32; 2], meet: &Meet) -> Result<()> {
        add(&self.db, order[0], 1).await?;
        meet.once().await;
        add(&self.db, order[1], 1).await
    }

    /// The same with the second half in a savepoint, and a note that needs one more.
    pub async fn both_nested(&self, order: [i32; 2], note: i64, meet: &Meet) -> Result<()> {
        self.note(note).await?;
        add(&self.db, order[0], 1).await?;
        meet.once().await;
        self.second(order[1]).await
    }

    pub async fn second(&self, id: i32) -> Result<()> {
        // The savepoint exists on the server when the deadlock comes.
        let note = fresh();
        enter(&self.db, note, &format!("note {note}")).await?;
        add(&self.db, id, 1).await
    }

    pub async fn note(&self, id: i64) -> Result<()> {
        enter(&self.db, id, &format!("note {id}")).await
    }
}

/// A number that no other call has got.
fn fresh() -> i64 {
    static NEXT: AtomicI64 = AtomicI64::new(5000);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Two calls wait for each other once; their later attempts do not.
struct Meet {
    barrier: Arc<Barrier>,
    met: AtomicBool,
}

impl Meet {
    fn pair() -> (Self, Self) {
        let barrier = Arc::new(Barrier::new(2));
        let one = |barrier: &Arc<Barrier>| Self {
            barrier: Arc::clone(barrier),
            met: AtomicBool::new(false),
        };
        (one(&barrier), one(&barrier))
    }

    async fn once(&self) {
        if !self.met.swap(true, Ordering::SeqCst) {
            self.barrier.wait().await;
        }
    }
}

const ROUNDS: u64 = 25;

/// Every round is a deadlock: both calls hold their first lock before they want the second.
async fn deadlock_each_round(repo: &Arc<Repo>, nested: bool) -> TestResult {
    for round in 0..i64::try_from(ROUNDS)? {
        let (left, right) = Meet::pair();
        let call = |order: [i32; 2], note: i64, meet: Meet| {
            let repo = Arc::clone(repo);
            tokio::spawn(async move {
                if nested {
                    repo.both_nested(order, note, &meet).await
                } else {
                    repo.both(order, &meet).await
                }
            })
        };
        let (a, b) = tokio::join!(
            call([1, 2], 2 * round, left),
            call([2, 1], 2 * round + 1, right)
        );
        a??;
        b??;
    }
    Ok(())
}

/// Waits until the server's own count is as expected; `PostgreSQL` publishes it late.
async fn server_counts(test: &TestDb, before: u64, expected: u64) -> TestResult {
    let counted = async || Ok(test.deadlock_count().await? - before == expected);
    wait_until(
        "the server's count of deadlocks",
        Duration::from_secs(20),
        counted,
    )
    .await?;
    Ok(())
}

async fn every_deadlock_is_retried_and_counted_as_often_as_the_server_counts_it(
    engine: Engine,
) -> TestResult {
    // MariaDB counts for the whole server, so the server must be this test's own.
    let server = Server::start_private(engine, &[])?;
    let bank = Bank::on(TestDb::on(&server).await?, 2, 4).await;
    let repo = Arc::new(Repo {
        db: bank.db.clone(),
    });
    let before = bank.test.deadlock_count().await?;
    deadlock_each_round(&repo, false).await?;
    let expected = 200 + 4 * i64::try_from(ROUNDS)?;
    assert_eq!(bank.total().await, expected);
    let m = bank.metrics();
    let deadlocks = m.faults[&FaultKind::Deadlock];
    assert!(deadlocks >= ROUNDS, "{m:?}");
    assert_eq!(m.faults.len(), 1, "nothing but deadlocks: {m:?}");
    assert_eq!(m.committed, 2 * ROUNDS);
    assert_eq!(m.begun, 2 * ROUNDS + deadlocks, "one attempt more for each");
    let method = resilient_sea_orm::metrics::global()
        .snapshot()
        .method("Repo::both");
    assert!(method.retries[&FaultKind::Deadlock] >= deadlocks);
    // Sessions that end tell the statistics at once.
    bank.db.close_by_ref().await?;
    server_counts(&bank.test, before, deadlocks).await
}

async fn a_deadlock_in_a_savepoint_restarts_the_root_and_leaves_nothing_twice(
    engine: Engine,
) -> TestResult {
    let bank = Bank::open(engine, 2).await;
    let repo = Arc::new(Repo {
        db: bank.db.clone(),
    });
    deadlock_each_round(&repo, true).await?;
    let rounds = i64::try_from(ROUNDS)?;
    assert_eq!(bank.total().await, 200 + 4 * rounds);
    assert_eq!(bank.entries().await, 4 * rounds, "two notes of each call");
    let m = bank.metrics();
    let deadlocks = m.faults[&FaultKind::Deadlock];
    assert!(deadlocks >= ROUNDS, "{m:?}");
    assert_eq!(m.committed, 2 * ROUNDS);
    Ok(())
}

/// What `MariaDB` was asked, in order, by session: `(thread, text)`.
async fn general_log(
    server: &Server,
    work: impl Future<Output = TestResult>,
) -> TestResult<Vec<(i64, String)>> {
    let admin = support::connect(&server.url("mysql"), 1).await?;
    for sql in [
        "SET GLOBAL log_output = 'TABLE'",
        "SET GLOBAL general_log = 1",
    ] {
        admin.execute_unprepared(sql).await?;
    }
    work.await?;
    admin
        .execute_unprepared("SET GLOBAL general_log = 0")
        .await?;
    let sql = "SELECT CAST(thread_id AS SIGNED) AS t, CAST(argument AS CHAR) AS a \
               FROM mysql.general_log WHERE command_type IN ('Query', 'Execute')";
    let rows = admin
        .query_all_raw(Statement::from_string(sea_orm::DbBackend::MySql, sql))
        .await?;
    rows.iter()
        .map(|row| Ok((row.try_get("", "t")?, row.try_get("", "a")?)))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_sent_to_a_savepoint_that_died_in_a_deadlock_on_mariadb() -> TestResult {
    let server = Server::start_private(Engine::MariaDb, &[])?;
    let bank = Bank::on(TestDb::on(&server).await?, 2, 4).await;
    let repo = Arc::new(Repo {
        db: bank.db.clone(),
    });
    let log = general_log(&server, deadlock_each_round(&repo, true)).await?;
    let m = bank.metrics();
    assert!(m.faults[&FaultKind::Deadlock] >= ROUNDS);
    assert_eq!(m.savepoints_rolled_back, 0, "{m:?}");
    assert_eq!(m.discarded, 0, "{m:?}");

    // A text of several statements is one entry.
    let count = |part: &str| log.iter().filter(|(_, sql)| sql.contains(part)).count();
    assert!(count("SAVEPOINT resilient_") as u64 >= 4 * ROUNDS);
    assert_eq!(count("ROLLBACK TO"), 0);

    // Every write of a session stands between its START TRANSACTION and its end.
    let mut open = BTreeMap::new();
    let (mut writes, mut rollbacks) = (0_u64, 0_u64);
    for (session, sql) in &log {
        // An end is preceded by its check of the transaction, in the same text.
        let word = match sql.rsplit(';').next() {
            Some(end @ ("COMMIT" | "ROLLBACK")) => end.to_owned(),
            _ => sql.split_whitespace().next().unwrap_or("").to_uppercase(),
        };
        match word.trim_end_matches(|c: char| !c.is_alphabetic()) {
            "START" => assert_ne!(open.insert(*session, true), Some(true)),
            "COMMIT" => assert_eq!(open.insert(*session, false), Some(true)),
            "ROLLBACK" => {
                rollbacks += 1;
                assert_eq!(open.insert(*session, false), Some(true));
            }
            "UPDATE" | "INSERT" => {
                writes += 1;
                assert_eq!(open.get(session), Some(&true), "in autocommit: {sql}");
            }
            _ => {}
        }
    }
    assert!(writes >= 8 * ROUNDS, "{writes}");
    assert_eq!(rollbacks, m.faults[&FaultKind::Deadlock]);
    Ok(())
}

/// The same workload as people write it today: SeaORM's nested transactions. The deadlock takes
/// the savepoint along, and what is written afterwards through the outer handle stays although
/// it is rolled back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sea_orm_alone_writes_in_autocommit_after_a_nested_deadlock_on_mariadb() -> TestResult {
    let bank = Bank::open(Engine::MariaDb, 2).await;
    let db = bank.test.connect(4).await?;
    let (left, right) = Meet::pair();
    let opponent = tokio::spawn({
        let db = db.clone();
        async move {
            let tx = db.begin().await?;
            // The bigger transaction wins: MariaDB rolls back the one that has changed less.
            for id in 100..140 {
                tx.execute_unprepared(&format!("INSERT INTO account VALUES ({id}, 0)"))
                    .await?;
            }
            tx.execute_unprepared("UPDATE account SET balance = 0 WHERE id = 2")
                .await?;
            right.once().await;
            tx.execute_unprepared("UPDATE account SET balance = 0 WHERE id = 1")
                .await?;
            tx.rollback().await
        }
    });
    let outer = db.begin().await?;
    outer
        .execute_unprepared("UPDATE account SET balance = 7 WHERE id = 1")
        .await?;
    left.once().await;
    let inner = outer.begin().await?;
    let deadlock = inner
        .execute_unprepared("UPDATE account SET balance = 7 WHERE id = 2")
        .await;
    assert!(deadlock.unwrap_err().to_string().contains("Deadlock"));
    opponent.await??;
    // Its savepoint is no more, and sqlx asks for it twice.
    assert!(inner.rollback().await.is_err());
    assert!(outer.execute_unprepared("SELECT 1").await.is_err());
    outer
        .execute_unprepared("INSERT INTO entry VALUES (1, 'undone?')")
        .await?;
    outer.rollback().await?;
    assert_eq!(bank.entries().await, 1, "survived the rollback");
    Ok(())
}

engine_tests! { on_postgres on_mariadb:
    every_deadlock_is_retried_and_counted_as_often_as_the_server_counts_it,
    a_deadlock_in_a_savepoint_restarts_the_root_and_leaves_nothing_twice,
}
