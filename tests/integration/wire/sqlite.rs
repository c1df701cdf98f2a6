//! SQLite has no wire: what is counted is the steps that reach its connection. Releases of
//! savepoints are not among them.

use resilient_sea_orm::{
    ResilientConnection, Result,
    prelude::*,
    testing::{FaultPlan, Point},
};
use support::{Engine, TestResult, engine_tests};

use super::{read, write};
use crate::bank::Bank;

struct Repo {
    db: ResilientConnection,
}

#[resilient]
impl Repo {
    pub async fn one(&self) -> Result<()> {
        Ok(write(&self.db).await?)
    }

    #[resilient(isolation = "serializable", read_only, timeout = "20s")]
    pub async fn snapshot(&self) -> Result<()> {
        Ok(read(&self.db).await?)
    }

    #[resilient(propagation = "required")]
    pub async fn joined(&self) -> Result<()> {
        Ok(write(&self.db).await?)
    }

    #[resilient(propagation = "supports")]
    pub async fn peek(&self) -> Result<()> {
        Ok(read(&self.db).await?)
    }

    pub async fn idle(&self) -> Result<()> {
        Ok(())
    }

    pub async fn with_joined(&self) -> Result<()> {
        self.joined().await
    }

    pub async fn with_nested(&self) -> Result<()> {
        read(&self.db).await?;
        self.one().await
    }

    pub async fn with_idle(&self) -> Result<()> {
        self.idle().await
    }
}

/// The steps of one call, in order; taking a connection is none.
async fn steps(db: &ResilientConnection, call: impl Future<Output = Result<()>>) -> Vec<Point> {
    let plan = db.inject(FaultPlan::new(1)).expect("a real database");
    call.await.expect("it does well");
    let steps = plan.steps().into_iter().map(|step| step.point);
    steps.filter(|point| *point != Point::Acquire).collect()
}

async fn steps_are_what_a_server_would_be_sent(engine: Engine) -> TestResult {
    use Point::{Begin, Commit, Savepoint, Statement};
    let bank = Bank::open(engine, 1).await;
    let (db, repo) = (
        &bank.db,
        Repo {
            db: bank.db.clone(),
        },
    );
    assert_eq!(steps(db, repo.idle()).await, []);
    assert_eq!(steps(db, repo.peek()).await, [Statement]);
    let transaction = [Begin, Statement, Commit];
    assert_eq!(steps(db, repo.one()).await, transaction);
    assert_eq!(steps(db, repo.snapshot()).await, transaction);
    assert_eq!(steps(db, repo.with_joined()).await, transaction);
    assert_eq!(steps(db, repo.with_idle()).await, []);
    assert_eq!(
        steps(db, repo.with_nested()).await,
        [Begin, Statement, Savepoint, Statement, Commit]
    );
    Ok(())
}

engine_tests! { on_sqlite: steps_are_what_a_server_would_be_sent }
