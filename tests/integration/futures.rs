//! What a call costs as a future.

use resilient_sea_orm::{ResilientConnection, prelude::*};
use sea_orm::ConnectionTrait;

struct Repo {
    db: ResilientConnection,
}

#[resilient]
impl Repo {
    pub async fn leaf(&self) -> Result<()> {
        self.db.execute_unprepared("SELECT 1").await?;
        Ok(())
    }

    pub async fn one(&self) -> Result<()> {
        self.leaf().await
    }

    pub async fn two(&self) -> Result<()> {
        self.one().await
    }

    pub async fn three(&self) -> Result<()> {
        self.two().await
    }
}

/// If each level multiplied the size, a few nested methods would fill the stack.
#[tokio::test]
async fn a_level_of_nesting_adds_to_the_future_and_does_not_multiply_it() -> Result<()> {
    let repo = Repo {
        db: ResilientConnection::connect("sqlite::memory:").await?,
    };
    let sizes = [
        size_of_val(&repo.leaf()),
        size_of_val(&repo.one()),
        size_of_val(&repo.two()),
        size_of_val(&repo.three()),
    ];
    let added: Vec<usize> = sizes.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(added.iter().all(|n| *n < 2048), "{sizes:?}");
    assert!(added[2] <= added[0] * 2, "{sizes:?}");

    let closure = repo
        .db
        .transact(TransactOptions::new(), async || repo.three().await);
    assert!(size_of_val(&closure) < sizes[3] + 4096, "{sizes:?}");
    closure.await
}
