//! A call's future holds the calls in it once: its size grows by the level, not by a factor.

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
async fn a_calls_future_holds_the_calls_in_it_once_on_sqlite() -> TestResult {
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
    grows_by_the_level(sizes);
    let repo = Repo { db: db.clone() };
    let sizes = [
        size_of_val(&repo.third()),
        size_of_val(&repo.second()),
        size_of_val(&repo.first()),
    ];
    grows_by_the_level(sizes);
    three.await?;
    repo.first().await?;
    Ok(())
}

fn grows_by_the_level(sizes: [usize; 3]) {
    let [first, second, third] = sizes;
    assert!(third - second <= second - first + 64, "{sizes:?}");
    assert!(third < 3 * first + 64, "{sizes:?}");
}
