//! What every method does: commit, roll back, nest, retry.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use resilient_sea_orm::{ResilientConnection, prelude::*};
use support::{Engine, TestResult, engine_tests};
use tokio::sync::Barrier;

use crate::bank::{Bank, add, enter};

struct Repo {
    db: ResilientConnection,
}

#[resilient(retries = 8, on = [deadlock, lock_timeout, serialization_failure])]
impl Repo {
    pub async fn transfer(&self, from: i32, to: i32, cents: i64) -> Result<()> {
        add(&self.db, from, -cents).await?;
        add(&self.db, to, cents).await
    }

    pub async fn transfer_noting(&self, from: i32, to: i32, entry: i64) -> Result<bool> {
        add(&self.db, from, -1).await?;
        add(&self.db, to, 1).await?;
        Ok(self.note(entry).await.is_ok())
    }

    pub async fn note(&self, entry: i64) -> Result<()> {
        enter(&self.db, entry, &format!("note {entry}")).await?;
        enter(&self.db, entry + 1000, "same note").await
    }

    pub async fn swallow(&self) -> Result<()> {
        add(&self.db, 1, 5).await?;
        let _ = self.db_fails().await;
        add(&self.db, 2, 5).await.ok();
        Ok(())
    }

    #[resilient(skip)]
    pub async fn db_fails(&self) -> Result<()> {
        enter(&self.db, 1, "twice").await?;
        enter(&self.db, 1, "twice").await
    }

    pub async fn cross(
        &self,
        first: i32,
        second: i32,
        meet: Arc<Barrier>,
        tries: Arc<AtomicU32>,
    ) -> Result<()> {
        add(&self.db, first, 1).await?;
        if tries.fetch_add(1, Ordering::SeqCst) < 2 {
            let _ = tokio::time::timeout(Duration::from_secs(1), meet.wait()).await;
        }
        add(&self.db, second, 1).await
    }
}

async fn commits_and_counts(engine: Engine) -> TestResult {
    let bank = Bank::open(engine, 2).await;
    let repo = Repo {
        db: bank.db.clone(),
    };
    repo.transfer(1, 2, 30).await?;
    assert_eq!((bank.balance(1).await, bank.balance(2).await), (70, 130));
    let error = repo.transfer(2, 1, 1000).await.unwrap_err();
    assert_eq!(error.kind(), FaultKind::Check, "{error}");
    assert_eq!(error.outcome(), Outcome::RolledBack);
    assert_eq!(error.attempts(), 1);
    assert_eq!(bank.total().await, 200);
    let m = bank.metrics();
    assert_eq!((m.begun, m.committed, m.rolled_back), (2, 1, 1));
    Ok(())
}

async fn a_nested_failure_is_survived(engine: Engine) -> TestResult {
    let bank = Bank::open(engine, 2).await;
    let repo = Repo {
        db: bank.db.clone(),
    };
    assert!(repo.transfer_noting(1, 2, 1).await?);
    // The second note violates a unique key after its first insert: both go, the transfer stays.
    assert!(!repo.transfer_noting(1, 2, 2).await?);
    assert_eq!(bank.balance(2).await, 102);
    assert_eq!(bank.entries().await, 2);
    Ok(())
}

async fn a_swallowed_error_never_loses_writes_silently(engine: Engine) -> TestResult {
    let bank = Bank::open(engine, 2).await;
    let repo = Repo {
        db: bank.db.clone(),
    };
    let result = repo.swallow().await;
    match engine {
        // PostgreSQL aborts the transaction: the writes are gone, and the call says so.
        Engine::Postgres => {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), FaultKind::Unique, "{error}");
            assert_eq!(error.outcome(), Outcome::RolledBack);
            assert_eq!(bank.total().await, 200);
        }
        // The others undo the one statement: the rest is there, as the body believes.
        Engine::Sqlite | Engine::MariaDb | Engine::MySql => {
            result?;
            assert_eq!(bank.total().await, 210);
            assert_eq!(bank.entries().await, 1);
        }
    }
    Ok(())
}

async fn opposite_lock_orders_both_succeed(engine: Engine) -> TestResult {
    let bank = Bank::open(engine, 2).await;
    let repo = Arc::new(Repo {
        db: bank.db.clone(),
    });
    let meet = Arc::new(Barrier::new(2));
    let tries = Arc::new(AtomicU32::new(0));
    let (a, b) = tokio::join!(
        tokio::spawn({
            let (r, m, t) = (repo.clone(), meet.clone(), tries.clone());
            async move { r.cross(1, 2, m, t).await }
        }),
        tokio::spawn({
            let (r, m, t) = (repo.clone(), meet.clone(), tries.clone());
            async move { r.cross(2, 1, m, t).await }
        }),
    );
    a??;
    b??;
    assert_eq!(bank.total().await, 204);
    if engine != Engine::Sqlite {
        // The victim runs again, and on PostgreSQL can be quicker than the winner wakes up, and
        // a victim once more.
        let again = u64::from(tries.load(Ordering::SeqCst)) - 2;
        assert!(again >= 1);
        let faults = bank.metrics().faults;
        assert_eq!(faults.get(&FaultKind::Deadlock), Some(&again), "{faults:?}");
    }
    Ok(())
}

engine_tests! {
    commits_and_counts,
    a_nested_failure_is_survived,
    a_swallowed_error_never_loses_writes_silently,
    opposite_lock_orders_both_succeed,
}
