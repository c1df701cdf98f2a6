//! A catalogue that does not answer: the error is the one it was, and it comes soon.

use std::time::{Duration, Instant};

use resilient_sea_orm::{Builder, Outcome};
use sea_orm::{ConnectionTrait, TransactionTrait};
use support::{Engine, Server, TestDb, TestResult, wait_until};

use super::lab::{Lab, shown};
use crate::{bank::without_hanging, rig::PATIENCE};

const TABLE: [&str; 3] = [
    "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER)",
    "CREATE UNIQUE INDEX uq ON t (a)",
    "INSERT INTO t VALUES (1, 1)",
];

/// On a server of its own: nobody else could connect meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_catalogue_is_not_waited_for_on_postgres() -> TestResult {
    let server = Server::start_private(Engine::Postgres, &[])?;
    let lab = Lab::on(TestDb::on(&server).await?, Builder::default(), 4).await;
    lab.run(&TABLE).await;
    // What the server needs of the catalogue is in its sessions' caches, and nothing in ours.
    let sea = lab.test.connect(2).await?;
    let db = Builder::default()
        .name(lab.db.name().to_owned())
        .to(sea.clone());
    let db = db.connect().await?;
    let lab = Lab { test: lab.test, db };
    let (one, two) = (sea.begin().await?, sea.begin().await?);
    for warm in [one, two] {
        for _ in 0..2 {
            warm.execute_unprepared("SAVEPOINT s").await?;
            let bad = "INSERT INTO t VALUES (3, 1)";
            let raw = lab.statement(bad, vec![]);
            warm.execute_raw(raw).await.unwrap_err();
            warm.execute_unprepared("ROLLBACK TO s").await?;
            warm.execute_unprepared(bad).await.unwrap_err();
            warm.execute_unprepared("ROLLBACK TO s").await?;
        }
        warm.rollback().await?;
    }
    let blocker = lab.test.connect(1).await?;
    let lock = blocker.begin().await?;
    lock.execute_unprepared("LOCK TABLE pg_catalog.pg_class IN ACCESS EXCLUSIVE MODE")
        .await?;
    let start = Instant::now();
    let statement = lab.statement("INSERT INTO t VALUES (3, 1)", vec![]);
    let error = without_hanging(lab.inside(&[], &statement)).await;
    assert_eq!(error.outcome(), Outcome::RolledBack);
    assert_eq!(
        shown(error.violation().expect("a violation")),
        "unique t.uq(a)"
    );
    assert!(
        start.elapsed() < Duration::from_secs(4),
        "{:?}",
        start.elapsed()
    );
    let error = without_hanging(lab.db.execute_unprepared("INSERT INTO t VALUES (3, 1)")).await;
    let said = resilient_sea_orm::violation(&error.unwrap_err()).expect("a violation");
    assert_eq!(shown(&said), "unique t.uq(a)");
    assert!(
        start.elapsed() < Duration::from_secs(8),
        "{:?}",
        start.elapsed()
    );
    lock.rollback().await?;
    assert_eq!(lab.counted_in_all(), 2);
    assert_eq!(
        lab.refused("INSERT INTO t VALUES (3, 1)").await,
        "unique t.uq(a)"
    );
    Ok(())
}

/// Its trigger writes to `t`.
const BAD: &str = "INSERT INTO source VALUES (7, 1)";

/// Somebody's exclusive lock on a table that the search through all tables comes by.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn locked_metadata_is_not_waited_for_on_mariadb() -> TestResult {
    let own = [
        "CREATE TABLE locked (id INT PRIMARY KEY, a INT, UNIQUE KEY uq_locked (a))",
        "CREATE TABLE read_on (id INT PRIMARY KEY)",
        "CREATE TABLE source (id INT PRIMARY KEY, a INT)",
        "CREATE TRIGGER copy AFTER INSERT ON source FOR EACH ROW \
         INSERT INTO t VALUES (NEW.id, NEW.a)",
    ];
    let lab = Lab::new(Engine::MariaDb, &[&TABLE[..], &own].concat()).await;
    assert_eq!(lab.refused(BAD).await, "unique t.uq(a)");
    lab.db
        .execute_unprepared("CREATE TABLE forgets (n INT)")
        .await?;
    // A rename locks all its names in order, and keeps those that it has while it waits.
    let reader = lab.test.connect(1).await?;
    let reading = reader.begin().await?;
    reading.execute_unprepared("SELECT * FROM read_on").await?;
    let renaming = lab.test.connect(1).await?;
    let rename = "RENAME TABLE locked TO locked_2, read_on TO read_on_2";
    let rename = tokio::spawn(async move { renaming.execute_unprepared(rename).await });
    let other = lab.test.connect(1).await?;
    other
        .execute_unprepared("SET lock_wait_timeout = 0")
        .await?;
    let locked = async || {
        let read = other.execute_unprepared("SELECT * FROM locked").await;
        Ok(read.is_err())
    };
    wait_until("the lock", PATIENCE, locked).await?;
    for _ in 0..2 {
        let start = Instant::now();
        let error = without_hanging(lab.db.execute_unprepared(BAD)).await;
        let said = resilient_sea_orm::violation(&error.unwrap_err()).expect("a violation");
        let honest = ["unique ?.uq()", "unique t.uq(a)"];
        assert!(honest.contains(&&*shown(&said)), "{}", shown(&said));
        let error = without_hanging(lab.inside(&[], &lab.statement(BAD, vec![]))).await;
        let said = shown(error.violation().expect("a violation"));
        assert!(honest.contains(&&*said), "{said}");
        assert_eq!(error.outcome(), Outcome::RolledBack);
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "{:?}",
            start.elapsed()
        );
    }
    reading.rollback().await?;
    rename.await??;
    assert_eq!(lab.refused(BAD).await, "unique t.uq(a)");
    assert_eq!(lab.counted_in_all(), 3 + 4 + 3);
    Ok(())
}
