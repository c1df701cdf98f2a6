//! Swallowed errors where scopes are nested, and what a lost scope answers.

use std::sync::{
    Mutex,
    atomic::{AtomicU32, Ordering},
};

use resilient_sea_orm::{Builder, ResilientConnection, core::Reason, prelude::*};
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use support::{Engine, Server, TestDb, TestResult, engine_tests};

use crate::bank::{Bank, add, enter, impatient, number};

struct Repo {
    db: ResilientConnection,
}

#[resilient(retries = 0)]
impl Repo {
    /// Swallows a violation, and says so.
    pub async fn careless(&self, id: i64) -> Result<()> {
        enter(&self.db, id, "once").await?;
        enter(&self.db, id, "twice").await.unwrap_err();
        Ok(())
    }

    /// Goes on when `careless` has failed.
    pub async fn careful(&self) -> Result<bool> {
        add(&self.db, 1, 5).await?;
        let inner = self.careless(1).await;
        add(&self.db, 2, 5).await?;
        Ok(inner.is_ok())
    }

    #[resilient(propagation = "required")]
    pub async fn joined(&self) -> Result<()> {
        add(&self.db, 1, 5).await?;
        Err(Error::custom("no"))
    }

    /// Swallows the failure of a call that had no savepoint to be rolled back to.
    pub async fn swallows_joined(&self) -> Result<()> {
        self.joined().await.unwrap_err();
        Ok(())
    }

    /// Goes on after a lock timeout as if nothing had happened, though the lock is free by then.
    pub async fn stubborn(&self, failing: &str, held: &Held) -> Result<()> {
        self.db.execute_unprepared(failing).await.unwrap_err();
        let held = held.lock().expect("lock").take();
        held.expect("one attempt").rollback().await?;
        for _ in 0..50 {
            let later = add(&self.db, 2, 5).await.unwrap_err();
            assert_eq!(later.reason(), &Reason::ScopeLost, "{later}");
            assert_eq!(later.kind(), FaultKind::LockTimeout);
            assert!(later.db_err().is_some(), "the first cause is named");
        }
        Ok(())
    }
}

type Held = Mutex<Option<DatabaseTransaction>>;

fn repo(bank: &Bank) -> Repo {
    Repo {
        db: bank.db.clone(),
    }
}

async fn a_nested_method_that_swallows_loses_its_own_work_and_nothing_else(
    engine: Engine,
) -> TestResult {
    let bank = Bank::open(engine, 2).await;
    let inner_ok = repo(&bank).careful().await?;
    assert_eq!(
        bank.total().await,
        210,
        "the outer method's work is all there"
    );
    match engine {
        // The savepoint was aborted: the inner call fails, and its first entry is gone with it.
        Engine::Postgres => {
            assert!(!inner_ok);
            assert_eq!(bank.entries().await, 0);
            assert_eq!(bank.metrics().savepoints_rolled_back, 1);
        }
        // Only the second entry was refused: the inner call has what it believes.
        Engine::Sqlite | Engine::MariaDb | Engine::MySql => {
            assert!(inner_ok);
            assert_eq!(bank.entries().await, 1);
        }
    }
    Ok(())
}

async fn a_joined_call_that_failed_cannot_be_swallowed(engine: Engine) -> TestResult {
    let bank = Bank::open(engine, 2).await;
    let error = repo(&bank).swallows_joined().await.unwrap_err();
    assert_eq!(error.reason(), &Reason::JoinedCallFailed, "{error}");
    assert_eq!(error.outcome(), Outcome::RolledBack);
    assert_eq!(bank.total().await, 200);
    Ok(())
}

async fn a_lost_scope_sends_nothing_more_and_names_the_first_cause(engine: Engine) -> TestResult {
    // MariaDB counts statements for the whole server, so the server must be this test's own.
    let server = match engine {
        Engine::MariaDb => Some(Server::start_private(engine, &[])?),
        _ => None,
    };
    let bank = match (engine, &server) {
        (Engine::Sqlite, _) => Bank::impatient_sqlite(Builder::default(), 2).await,
        (_, Some(server)) => Bank::on(TestDb::on(server).await?, 2, 1).await,
        _ => Bank::with_pool(engine, 2, 1).await,
    };
    let take_1 = "UPDATE account SET balance = balance WHERE id = 1";
    let held = Mutex::new(Some(bank.holds(take_1).await));
    let updates = "SELECT CAST(variable_value AS CHAR) AS n \
                   FROM information_schema.global_status WHERE variable_name = 'COM_UPDATE'";
    let before = match engine {
        Engine::MariaDb => number(&bank.db, updates).await,
        _ => 0,
    };
    let failing = impatient(engine, take_1);
    let error = repo(&bank).stubborn(&failing, &held).await.unwrap_err();
    assert_eq!(error.reason(), &Reason::Swallowed, "{error}");
    assert_eq!(error.kind(), FaultKind::LockTimeout, "{error}");
    assert_eq!(bank.total().await, 200);
    if engine == Engine::MariaDb {
        assert_eq!(
            number(&bank.db, updates).await - before,
            1,
            "the failing one"
        );
    }
    Ok(())
}

/// `rollback_on_timeout`: a lock timeout takes the transaction along, savepoints and all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_timeout_that_ends_the_transaction_restarts_the_root_on_mariadb() -> TestResult {
    let server = Server::start_private(Engine::MariaDb, &["--innodb-rollback-on-timeout=1"])?;
    let bank = Bank::on(TestDb::on(&server).await?, 3, 2).await;
    let take_3 = "UPDATE account SET balance = balance + 5 WHERE id = 3";
    let held = Mutex::new(Some(bank.holds(take_3).await));
    let (db, failing) = (&bank.db, &impatient(Engine::MariaDb, take_3));
    let options = TransactOptions::new().retries(3);
    let (outer, inner) = (AtomicU32::new(0), AtomicU32::new(0));
    db.transact(options, || async {
        outer.fetch_add(1, Ordering::SeqCst);
        add(db, 1, 5).await?;
        db.transact(options, || async {
            inner.fetch_add(1, Ordering::SeqCst);
            add(db, 2, 5).await?;
            let taken = db.execute_unprepared(failing).await;
            if let Some(held) = { held.lock().expect("lock").take() } {
                held.rollback().await?;
            }
            taken?;
            Ok::<_, Error>(())
        })
        .await
    })
    .await?;
    assert_eq!(bank.total().await, 315, "each once");
    let runs = (outer.into_inner(), inner.into_inner());
    assert_eq!(runs, (2, 2), "no second run in a savepoint that is no more");
    Ok(())
}

engine_tests! {
    a_nested_method_that_swallows_loses_its_own_work_and_nothing_else,
    a_joined_call_that_failed_cannot_be_swallowed,
    a_lost_scope_sends_nothing_more_and_names_the_first_cause,
}
