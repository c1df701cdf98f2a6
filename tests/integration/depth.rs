//! Calls nested deeply need no more stack than their depth.

use resilient_sea_orm::{ResilientConnection, prelude::*};
use support::{Engine, TestResult};

use crate::bank::{Bank, enter};

struct Repo {
    db: ResilientConnection,
}

#[resilient(retries = 1)]
impl Repo {
    pub async fn first(&self) -> Result<()> {
        self.second().await
    }

    pub async fn second(&self) -> Result<()> {
        self.third().await
    }

    pub async fn third(&self) -> Result<()> {
        enter(&self.db, 1, "note").await
    }
}

#[tokio::test]
async fn a_calls_future_does_not_grow_with_the_calls_in_it_on_sqlite() -> TestResult {
    let bank = Bank::open(Engine::Sqlite, 1).await;
    let (db, options) = (&bank.db, TransactOptions::new());
    let body = || enter(db, 2, "other");
    let one = db.transact(options, body);
    let two = db.transact(options, || async { db.transact(options, body).await });
    let three = db.transact(options, || async {
        db.transact(options, || async { db.transact(options, body).await })
            .await
    });
    let sizes = [size_of_val(&one), size_of_val(&two), size_of_val(&three)];
    assert!(sizes[2] < sizes[0] + 500, "{sizes:?}");
    let repo = Repo { db: db.clone() };
    let sizes = [
        size_of_val(&repo.third()),
        size_of_val(&repo.second()),
        size_of_val(&repo.first()),
    ];
    assert!(sizes[2] < sizes[0] + 500, "{sizes:?}");
    three.await?;
    repo.first().await?;
    Ok(())
}
