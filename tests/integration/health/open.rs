//! Transactions that are open, and the methods that deadlock.

use std::{sync::Arc, time::Duration};

use resilient_sea_orm::{
    Config, Error, FaultKind, Outcome, ResilientConnection, Result,
    config::{HealthConfig, SessionConfig},
    core::scope::CallStatus,
    health::{deadlocks::Participant, sessions::Overdue},
    resilient,
};
use sea_orm::ConnectionTrait;
use support::{Engine, TestResult, engine_tests, wait_until};
use tokio::sync::Barrier;

use crate::{
    bank::{Bank, number},
    rig::{PATIENCE, nothing_leaks},
};

struct Accounts {
    db: ResilientConnection,
    both: Arc<Barrier>,
}

impl Accounts {
    /// Both have their first lock. Whoever runs again does so alone.
    async fn meet(&self, alone: bool) {
        let attempts = CallStatus::current().expect("in a call").attempts();
        if !alone && attempts == 1 {
            let both = tokio::time::timeout(PATIENCE, self.both.wait());
            both.await.expect("the other one");
        }
    }

    async fn touch(&self, id: i32) -> Result<()> {
        let sql = format!("UPDATE account SET balance = balance + 1 WHERE id = {id}");
        self.db.execute_unprepared(&sql).await?;
        Ok(())
    }
}

#[resilient(retries = 3)]
impl Accounts {
    pub async fn forwards(&self, alone: bool) -> Result<()> {
        self.touch(1).await?;
        self.meet(alone).await;
        self.touch(2).await
    }

    pub async fn backwards(&self, alone: bool) -> Result<()> {
        self.touch(2).await?;
        self.meet(alone).await;
        self.touch(1).await
    }

    /// Open until somebody else is done.
    pub async fn endless(&self) -> Result<()> {
        self.touch(1).await?;
        self.both.wait().await;
        self.both.wait().await;
        self.touch(2).await
    }
}

/// Without a monitor, which would end them before this test does.
fn ends_after(timeout: Duration) -> Config {
    let health = HealthConfig::default().with_background_monitoring(false);
    let session = SessionConfig::default().with_timeout(timeout);
    Config::default().with_session(session).with_health(health)
}

async fn both_methods_of_a_deadlock_are_named(engine: Engine) -> TestResult {
    let bank = Bank::open(engine, 2).await;
    let accounts = Accounts {
        db: bank.db.clone(),
        both: Arc::new(Barrier::new(2)),
    };
    let (one, other) = tokio::join!(accounts.forwards(false), accounts.backwards(false));
    one?;
    other?;
    let seen = async || Ok(bank.db.deadlocks().total > 0);
    wait_until("the deadlock", PATIENCE, seen).await?;
    let report = bank.db.deadlocks();
    let methods = ["Accounts::backwards", "Accounts::forwards"];
    assert_eq!(report.pairs[0].methods, methods, "{report:?}");
    // The one that is repeated may meet the other one again.
    assert!(report.by_table["account"] >= 1, "{report:?}");
    let deadlock = &report.last[0];
    assert_eq!(deadlock.participants.iter().filter(|p| p.victim).count(), 1);
    // PostgreSQL keeps what the other one did to its log.
    let told = |p: &&Participant| p.victim || engine == Engine::MariaDb;
    for participant in deadlock.participants.iter().filter(told) {
        let statement = participant.statement.as_deref().unwrap_or_default();
        assert!(statement.contains("WHERE id = ?"), "{report:?}");
    }
    let advice = &report.advice[0].text;
    assert!(
        advice.contains("lock the rows in the same order"),
        "{advice}"
    );
    Ok(())
}

async fn a_transaction_that_is_open_for_too_long_is_ended(engine: Engine) -> TestResult {
    // It warns for a fifth of the time.
    let config = ends_after(Duration::from_secs(4));
    let builder = resilient_sea_orm::Builder::default().config(&config);
    let test = support::TestDb::new(engine).await?;
    let bank = Bank::built(builder, test, 2, 4).await;
    let accounts = Accounts {
        db: bank.db.clone(),
        both: Arc::new(Barrier::new(2)),
    };
    let watched = async {
        accounts.both.wait().await;
        let open = bank.db.sessions();
        assert_eq!(open.len(), 1);
        assert_eq!(open[0].method, Some("Accounts::endless"));
        assert_eq!(open[0].server_pid.is_some(), engine != Engine::Sqlite);
        assert_eq!(open[0].statements, 1);
        let mut said = Vec::new();
        while said.last() != Some(&Overdue::Ended) {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let found = bank.db.end_overdue_sessions();
            said.extend(found.iter().map(|(_, what)| *what));
        }
        // Its locks are gone before its method knows.
        assert!(bank.db.sessions().is_empty());
        accounts.forwards(true).await?;
        accounts.both.wait().await;
        Ok::<_, Error>(said)
    };
    let (ended, said) = tokio::join!(accounts.endless(), watched);
    assert_eq!(said?, [Overdue::Warned, Overdue::Ended]);
    let error = ended.unwrap_err();
    assert_eq!(error.kind(), FaultKind::SessionExpired);
    assert_eq!(
        (error.outcome(), error.attempts()),
        (Outcome::RolledBack, 1)
    );
    assert!(error.to_string().contains("Accounts::endless"), "{error}");
    // What `forwards` did, and nothing else.
    let sum = "SELECT CAST(SUM(balance) AS CHAR) AS n FROM account";
    assert_eq!(number(&bank.db, sum).await, 202);
    nothing_leaks(&bank, 4).await;
    Ok(())
}

async fn a_refreshed_transaction_goes_on(engine: Engine) -> TestResult {
    // It warns for a fifth of the time.
    let config = ends_after(Duration::from_secs(4));
    let builder = resilient_sea_orm::Builder::default().config(&config);
    let test = support::TestDb::new(engine).await?;
    let bank = Bank::built(builder, test, 2, 4).await;
    let db = &bank.db;
    assert!(!db.refresh_session());
    db.transact(resilient_sea_orm::TransactOptions::new(), || async {
        db.execute_unprepared("UPDATE account SET balance = 1 WHERE id = 1")
            .await?;
        for _ in 0..4 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert!(db.refresh_session());
            assert!(db.end_overdue_sessions().is_empty());
        }
        Ok::<_, Error>(())
    })
    .await?;
    Ok(())
}

engine_tests! { on_postgres on_mariadb: both_methods_of_a_deadlock_are_named }
engine_tests! { a_transaction_that_is_open_for_too_long_is_ended }
// Elsewhere than in memory the pause could outlast the timeout on a busy machine.
engine_tests! { on_sqlite: a_refreshed_transaction_goes_on }
