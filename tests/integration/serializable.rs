//! Write skew and lost updates under `isolation = "serializable"`: the result is that of some
//! serial order, and failures at statements and at COMMIT are both retried.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering},
};

use resilient_sea_orm::{
    IsolationLevel, Locking, ResilientConnection, policy::RetryPolicy, prelude::*,
};
use sea_orm::{ConnectionTrait, Statement, TransactionTrait};
use support::{Engine, TestDb, TestResult, engine_tests};
use tokio::sync::Barrier;

use crate::bank::{Bank, number};

const ON_CALL: &str = "SELECT CAST(COUNT(*) AS CHAR) AS n FROM account WHERE balance > 0";

/// Doctors are accounts; who is on call has a balance. One must always be.
struct Rota {
    db: ResilientConnection,
}

#[resilient(retries = 30, isolation = "serializable", on = [contention])]
impl Rota {
    /// Goes off call if somebody else stays. `meet` makes both of the first attempts read before
    /// either writes, and once more before either commits.
    pub async fn leave(&self, doctor: i32, meet: &Meet) -> Result<bool> {
        let others = value(&self.db, ON_CALL).await?;
        meet.read.once().await;
        if others < 2 {
            return Ok(false);
        }
        let sql = format!("UPDATE account SET balance = 0 WHERE id = {doctor}");
        self.db.execute_unprepared(&sql).await?;
        meet.wrote.once().await;
        Ok(true)
    }

    /// Reads a register and writes the next value: a history in which no two calls read the same.
    pub async fn next(&self, id: i32) -> Result<i64> {
        let sql = format!("SELECT CAST(balance AS CHAR) AS n FROM account WHERE id = {id}");
        let read = value(&self.db, &sql).await?;
        let sql = format!("UPDATE account SET balance = {} WHERE id = {id}", read + 1);
        self.db.execute_unprepared(&sql).await?;
        Ok(read)
    }
}

/// Like [`number`], with the error handed on.
async fn value(db: &ResilientConnection, sql: &str) -> Result<i64> {
    let backend = db.get_database_backend();
    let sql = match backend {
        sea_orm::DbBackend::MySql => sql.to_owned(),
        _ => sql.replace("AS CHAR)", "AS TEXT)"),
    };
    let row = db
        .query_one_raw(Statement::from_string(backend, sql))
        .await?
        .ok_or_else(|| Error::custom("no row"))?;
    let text: String = row.try_get("", "n")?;
    text.parse().map_err(|_| Error::custom("no number"))
}

/// Meets the opponent once, in the first attempt of each.
struct Once {
    barrier: Option<Arc<Barrier>>,
    met: AtomicBool,
}

impl Once {
    async fn once(&self) {
        if let (Some(barrier), false) = (&self.barrier, self.met.swap(true, Ordering::SeqCst)) {
            barrier.wait().await;
        }
    }
}

struct Meet {
    read: Once,
    wrote: Once,
}

impl Meet {
    fn pair(wrote: bool) -> (Self, Self) {
        let barriers =
            [Some(Barrier::new(2)), wrote.then(|| Barrier::new(2))].map(|b| b.map(Arc::new));
        let one = || {
            let [read, wrote] = barriers.clone().map(|barrier| Once {
                barrier,
                met: AtomicBool::new(false),
            });
            Self { read, wrote }
        };
        (one(), one())
    }
}

async fn both_leave(rota: &Arc<Rota>, meet: (Meet, Meet)) -> TestResult<[bool; 2]> {
    let call = |doctor, meet| {
        let rota = Arc::clone(rota);
        tokio::spawn(async move { rota.leave(doctor, &meet).await })
    };
    let (a, b) = tokio::join!(call(1, meet.0), call(2, meet.1));
    Ok([a??, b??])
}

/// What goes wrong at the level that servers have by default: both read two, both leave.
async fn write_skew_happens_to_sea_orm_at_the_default_level(engine: Engine) -> TestResult {
    let bank = Bank::open(engine, 2).await;
    let db = bank.test.connect(2).await?;
    let (a, b) = (db.begin().await?, db.begin().await?);
    for tx in [&a, &b] {
        let sql = "SELECT id FROM account WHERE balance > 0";
        let sql = Statement::from_string(db.get_database_backend(), sql);
        assert_eq!(tx.query_all_raw(sql).await?.len(), 2);
    }
    for (tx, id) in [(&a, 1), (&b, 2)] {
        let sql = format!("UPDATE account SET balance = 0 WHERE id = {id}");
        tx.execute_unprepared(&sql).await?;
    }
    a.commit().await?;
    b.commit().await?;
    assert_eq!(number(&bank.db, ON_CALL).await, 0, "nobody is on call");
    Ok(())
}

async fn one_of_two_doctors_stays_on_call(engine: Engine) -> TestResult {
    // With a lock at BEGIN, SQLite's two could not meet inside.
    let builder = resilient_sea_orm::Builder::default().locking(Locking::Deferred);
    let bank = Bank::built(builder, TestDb::new(engine).await?, 2, 4).await;
    let rota = Arc::new(Rota {
        db: bank.db.clone(),
    });
    for _ in 0..10 {
        // But on PostgreSQL, a write waits for the other's transaction: they cannot meet again.
        let meet = Meet::pair(engine == Engine::Postgres);
        bank.db
            .execute_unprepared("UPDATE account SET balance = 100")
            .await?;
        let left = both_leave(&rota, meet).await?;
        assert_eq!(left.iter().filter(|left| **left).count(), 1, "{left:?}");
        assert_eq!(number(&bank.db, ON_CALL).await, 1);
    }
    let faults = bank.metrics().faults;
    let count = |kind| faults.get(&kind).copied().unwrap_or(0);
    let retried = match engine {
        // Busy while the other holds the lock, a stale snapshot after it.
        Engine::Sqlite => count(FaultKind::LockTimeout) + count(FaultKind::SerializationFailure),
        Engine::MariaDb | Engine::MySql => count(FaultKind::Deadlock),
        Engine::Postgres => count(FaultKind::SerializationFailure),
    };
    assert!(retried >= 10, "{faults:?}");
    Ok(())
}

/// Where the server says no: at COMMIT if both have written by then, at the next statement if the
/// other has committed before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_serialization_failure_at_commit_and_at_a_statement_is_retried_on_postgres() -> TestResult
{
    for at_commit in [true, false] {
        let bank = Bank::open(Engine::Postgres, 2).await;
        let (db, rival) = (&bank.db, bank.test.connect(1).await?);
        let (runs, refused) = (AtomicU32::new(0), AtomicU32::new(0));
        let options = TransactOptions::new()
            .retries(1)
            .isolation(IsolationLevel::Serializable);
        let left = db
            .transact(options, || async {
                let first = runs.fetch_add(1, Ordering::SeqCst) == 0;
                let others = value(db, ON_CALL).await?;
                let off = "UPDATE account SET balance = 0 WHERE id = 1";
                if first && at_commit {
                    db.execute_unprepared(off).await?;
                }
                if first {
                    let level = Some(IsolationLevel::Serializable);
                    let tx = rival.begin_with_config(level, None).await?;
                    // A predicate read of all rows, as ours.
                    let sql = "SELECT id FROM account WHERE balance > 0";
                    let sql = Statement::from_string(sea_orm::DbBackend::Postgres, sql);
                    assert_eq!(tx.query_all_raw(sql).await?.len(), 2);
                    tx.execute_unprepared("UPDATE account SET balance = 0 WHERE id = 2")
                        .await?;
                    tx.commit().await?;
                }
                if others < 2 {
                    return Ok::<_, Error>(false);
                }
                if !at_commit {
                    let result = db.execute_unprepared(off).await;
                    refused.fetch_add(u32::from(result.is_err()), Ordering::SeqCst);
                    result?;
                }
                Ok(true)
            })
            .await?;
        assert!(!left, "in the second attempt the other has left");
        assert_eq!(runs.into_inner(), 2);
        assert_eq!(
            refused.into_inner(),
            u32::from(!at_commit),
            "where it failed"
        );
        let m = bank.metrics();
        assert_eq!(m.faults[&FaultKind::SerializationFailure], 1);
        assert_eq!((m.begun, m.committed, m.rolled_back), (2, 1, 1));
        assert_eq!(
            m.discarded, 0,
            "a COMMIT that was refused costs no connection"
        );
        assert_eq!(number(db, ON_CALL).await, 1);
    }
    Ok(())
}

/// Every call reads what the one before it wrote: the values read are all different, and the last
/// one written is their number.
async fn a_register_history_is_serial(engine: Engine) -> TestResult {
    let builder = resilient_sea_orm::Builder::default().policy(RetryPolicy::new());
    let bank = Bank::built(builder, TestDb::new(engine).await?, 1, 4).await;
    let rota = Arc::new(Rota {
        db: bank.db.clone(),
    });
    let last = Arc::new(AtomicI64::new(0));
    let workers = (0..4).map(|_| {
        let (rota, last) = (Arc::clone(&rota), Arc::clone(&last));
        tokio::spawn(async move {
            let mut history = Vec::new();
            for _ in 0..10 {
                // Whoever starts now must see at least what had been committed before.
                let before = last.load(Ordering::SeqCst);
                let read = rota.next(1).await?;
                assert!(read >= before, "{read} after {before} was committed");
                last.fetch_max(read + 1, Ordering::SeqCst);
                history.push(read);
            }
            Ok::<_, Error>(history)
        })
    });
    let mut history = Vec::new();
    for worker in workers.collect::<Vec<_>>() {
        history.extend(worker.await??);
    }
    history.sort_unstable();
    assert_eq!(history, (100..140).collect::<Vec<_>>());
    assert_eq!(bank.balance(1).await, 140);
    let m = bank.metrics();
    assert_eq!(m.committed, 40);
    assert_eq!(m.begun, m.committed + m.rolled_back);
    Ok(())
}

engine_tests! { one_of_two_doctors_stays_on_call, a_register_history_is_serial }
engine_tests! { on_postgres on_mariadb: write_skew_happens_to_sea_orm_at_the_default_level }
