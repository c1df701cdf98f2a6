//! What nested calls cost: nothing if they join, at most one round trip each as savepoints.

use resilient_sea_orm::{ResilientConnection, Result, prelude::*};
use support::{Engine, TestResult, engine_tests};

use super::{Wire, read, write};

struct Repo {
    db: ResilientConnection,
}

#[resilient]
impl Repo {
    #[resilient(propagation = "required")]
    pub async fn joined(&self) -> Result<()> {
        Ok(write(&self.db).await?)
    }

    pub async fn nested(&self) -> Result<()> {
        Ok(write(&self.db).await?)
    }

    pub async fn idle(&self) -> Result<()> {
        Ok(())
    }

    pub async fn deeper(&self) -> Result<()> {
        self.nested().await
    }

    pub async fn fails(&self) -> Result<()> {
        write(&self.db).await?;
        Err(Error::custom("no"))
    }

    pub async fn with_joined(&self) -> Result<()> {
        read(&self.db).await?;
        self.joined().await
    }

    pub async fn with_nested(&self, calls: u32) -> Result<()> {
        read(&self.db).await?;
        for _ in 0..calls {
            self.nested().await?;
        }
        Ok(())
    }

    pub async fn around_nested(&self) -> Result<()> {
        read(&self.db).await?;
        self.nested().await?;
        Ok(read(&self.db).await?)
    }

    pub async fn nested_first(&self) -> Result<()> {
        self.nested().await
    }

    pub async fn with_deeper(&self) -> Result<()> {
        read(&self.db).await?;
        self.deeper().await
    }

    pub async fn with_idle(&self) -> Result<()> {
        read(&self.db).await?;
        self.idle().await?;
        self.idle().await
    }

    pub async fn only_idle(&self) -> Result<()> {
        self.idle().await
    }

    pub async fn survives(&self) -> Result<()> {
        read(&self.db).await?;
        assert!(self.fails().await.is_err());
        Ok(read(&self.db).await?)
    }
}

async fn a_call_that_joins_costs_nothing(engine: Engine) -> TestResult {
    let wire = Wire::open(engine).await?;
    let repo = Repo {
        db: wire.db.clone(),
    };
    // Two statements and the transaction.
    let joined = wire.cost(async || repo.with_joined().await).await?;
    assert_eq!(joined.trips, 4, "{joined:?}");
    Ok(())
}

async fn a_nested_call_costs_at_most_one(engine: Engine) -> TestResult {
    let wire = Wire::open(engine).await?;
    let repo = Repo {
        db: wire.db.clone(),
    };
    for calls in [1, 2, 5] {
        let cost = wire.cost(async || repo.with_nested(calls).await).await?;
        let calls = calls as usize;
        assert_eq!(cost.trips, 2 + 1 + calls + calls, "{cost:?}");
    }
    // Nothing has to go out at its end.
    let around = wire.cost(async || repo.around_nested().await).await?;
    assert_eq!(around.trips, 2 + 3 + 1, "{around:?}");
    // The savepoint goes with BEGIN.
    let first = wire.cost(async || repo.nested_first().await).await?;
    assert_eq!(first.trips, 2 + 1, "{first:?}");
    // Two savepoints go together.
    let deeper = wire.cost(async || repo.with_deeper().await).await?;
    assert_eq!(deeper.trips, 2 + 2 + 1, "{deeper:?}");
    Ok(())
}

async fn a_nested_call_without_statements_costs_nothing(engine: Engine) -> TestResult {
    let wire = Wire::open(engine).await?;
    let repo = Repo {
        db: wire.db.clone(),
    };
    let idle = wire.cost(async || repo.with_idle().await).await?;
    assert_eq!(idle.trips, 3, "{idle:?}");
    let only = wire.cost(async || repo.only_idle().await).await?;
    assert_eq!((only.trips, only.pings), (0, 0), "{only:?}");
    Ok(())
}

async fn a_nested_call_that_fails_costs_its_rollback(engine: Engine) -> TestResult {
    let wire = Wire::open(engine).await?;
    let repo = Repo {
        db: wire.db.clone(),
    };
    let cost = wire.cost(async || repo.survives().await).await?;
    assert_eq!(cost.trips, 2 + 3 + 2, "{cost:?}");
    Ok(())
}

engine_tests! { on_postgres on_mariadb:
    a_call_that_joins_costs_nothing,
    a_nested_call_costs_at_most_one,
    a_nested_call_without_statements_costs_nothing,
    a_nested_call_that_fails_costs_its_rollback,
}
