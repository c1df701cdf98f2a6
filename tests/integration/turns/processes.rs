//! Across processes turns do not reach; a lock of the server's does. A second connection has turns
//! of its own, as another process would have.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use resilient_sea_orm::{
    ResilientConnection,
    policy::{BudgetConfig, RetryPolicy},
    prelude::*,
};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use support::{Engine, TestDb, TestResult};
use tokio::task::JoinSet;

use super::{HOT, TASKS};
use crate::bank::{Bank, add};

#[derive(Clone)]
struct Accounts {
    db: ResilientConnection,
    attempts: Arc<AtomicU32>,
}

/// The ways of `docs/turns.md`.
#[resilient(isolation = "read_committed", retries = 50)]
impl Accounts {
    #[resilient(serialize_by = (from, to))]
    pub async fn transfer(&self, from: i32, to: i32) -> Result<()> {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        for id in [from.min(to), from.max(to)] {
            let sql = "SELECT pg_advisory_xact_lock(hashtextextended('account', $1))";
            let values = [i64::from(id).into()];
            let lock = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
            self.db.execute_raw(lock).await?;
        }
        add(&self.db, from, -1).await?;
        add(&self.db, to, 1).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn advisory_locks_reach_from_one_process_to_another_on_postgres() -> TestResult {
    let builder = || {
        resilient_sea_orm::Builder::default()
            .retry_budget(BudgetConfig::new(1.0, 1_000_000))
            .policy(RetryPolicy::new().retries(50))
    };
    let test = TestDb::new(Engine::Postgres).await?;
    let bank = Bank::built(builder(), test, HOT, 8).await;
    let add_much = "UPDATE account SET balance = 100000";
    bank.db.execute_unprepared(add_much).await?;
    let total = bank.total().await;
    let other = builder().to(bank.test.url()).connect().await?;
    let attempts = Arc::new(AtomicU32::new(0));
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let processes = [&bank.db, &other];
        let accounts = Accounts {
            db: processes[usize::from(task % 2 == 0)].clone(),
            attempts: Arc::clone(&attempts),
        };
        tasks.spawn(async move {
            let mut random = fastrand::Rng::with_seed(task);
            for _ in 0..25 {
                let from = random.i32(1..=HOT);
                let to = (from + random.i32(1..HOT) - 1) % HOT + 1;
                accounts.transfer(from, to).await?;
            }
            Ok::<_, Error>(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    assert_eq!(attempts.load(Ordering::Relaxed), 400, "nothing ran twice");
    assert_eq!(bank.total().await, total);
    Ok(())
}
