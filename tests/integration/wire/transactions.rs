//! A transaction costs two round trips, whatever it is to be like.

use resilient_sea_orm::{CommitMode, ResilientConnection, Result, prelude::*};
use sea_orm::{AccessMode, TransactionTrait};
use support::{Engine, TestResult, engine_tests};

use super::{Wire, read, write};

struct Repo {
    db: ResilientConnection,
}

#[resilient]
impl Repo {
    pub async fn nothing(&self) -> Result<()> {
        Ok(())
    }

    pub async fn one(&self) -> Result<()> {
        Ok(write(&self.db).await?)
    }

    pub async fn reads(&self) -> Result<()> {
        Ok(read(&self.db).await?)
    }

    pub async fn two(&self) -> Result<()> {
        read(&self.db).await?;
        Ok(write(&self.db).await?)
    }

    #[resilient(isolation = "serializable")]
    pub async fn strict(&self) -> Result<()> {
        read(&self.db).await?;
        Ok(write(&self.db).await?)
    }

    #[resilient(isolation = "repeatable_read", read_only, timeout = "20s")]
    pub async fn snapshot(&self) -> Result<()> {
        read(&self.db).await?;
        Ok(read(&self.db).await?)
    }

    #[resilient(propagation = "supports")]
    pub async fn peek(&self) -> Result<()> {
        Ok(read(&self.db).await?)
    }

    #[resilient(propagation = "not_supported", retries = 0)]
    pub async fn alone(&self) -> Result<()> {
        Ok(write(&self.db).await?)
    }
}

async fn a_transaction_costs_two_more_than_its_statements(engine: Engine) -> TestResult {
    let wire = Wire::open(engine).await?;
    let repo = Repo {
        db: wire.db.clone(),
    };
    let none = wire.cost(async || repo.nothing().await).await?;
    assert_eq!((none.trips, none.pings), (0, 0), "{none:?}");
    let one = wire.cost(async || repo.one().await).await?;
    assert_eq!(one.trips, 3, "{one:?}");
    let two = wire.cost(async || repo.two().await).await?;
    assert_eq!(two.trips, 4, "{two:?}");
    let transact = wire
        .cost(async || {
            let options = TransactOptions::new();
            wire.db.transact(options, || repo.two()).await
        })
        .await?;
    assert_eq!(
        transact.trips, 4,
        "a savepoint goes with BEGIN: {transact:?}"
    );
    Ok(())
}

async fn what_it_is_to_be_like_costs_nothing(engine: Engine) -> TestResult {
    let wire = Wire::open(engine).await?;
    let repo = Repo {
        db: wire.db.clone(),
    };
    let strict = wire.cost(async || repo.strict().await).await?;
    assert_eq!(strict.trips, 4, "{strict:?}");
    let snapshot = wire.cost(async || repo.snapshot().await).await?;
    assert_eq!(snapshot.trips, 4, "{snapshot:?}");
    let begin = &snapshot.flights[0].statements.join(";");
    for word in ["REPEATABLE READ", "READ ONLY", "_time"] {
        assert!(begin.contains(word), "no {word} in {begin}");
    }
    Ok(())
}

/// The framework against SeaORM by hand, on the same server in the same run.
async fn by_hand_it_is_never_less(engine: Engine) -> TestResult {
    let wire = Wire::open(engine).await?;
    let repo = Repo {
        db: wire.db.clone(),
    };
    let begin = async |isolation, access| {
        let begun = wire.plain.begin_with_config(isolation, access).await?;
        read(&begun).await?;
        write(&begun).await?;
        begun.commit().await
    };
    let ours = wire.cost(async || repo.two().await).await?;
    let hand = wire.cost(async || begin(None, None).await).await?;
    assert_eq!(ours.trips, hand.trips, "{ours:?}\n{hand:?}");
    let ours = wire.cost(async || repo.strict().await).await?;
    let strict = Some(sea_orm::IsolationLevel::Serializable);
    let write = Some(AccessMode::ReadWrite);
    let hand = wire.cost(async || begin(strict, None).await).await?;
    assert_eq!(hand.trips, ours.trips + 1, "{ours:?}\n{hand:?}");
    let hand = wire.cost(async || begin(strict, write).await).await?;
    assert!(hand.trips > ours.trips, "{ours:?}\n{hand:?}");
    let nested = async || {
        let outer = wire.plain.begin().await?;
        let inner = outer.begin().await?;
        read(&inner).await?;
        inner.commit().await?;
        outer.commit().await
    };
    let hand = wire.cost(nested).await?;
    let ours = wire
        .cost(async || {
            let options = TransactOptions::new();
            wire.db.transact(options, || repo.reads()).await
        })
        .await?;
    assert_eq!(hand.trips, 5, "{hand:?}");
    assert_eq!(ours.trips, 3, "{ours:?}");
    Ok(())
}

async fn a_single_read_without_a_transaction_is_one(engine: Engine) -> TestResult {
    let wire = Wire::open(engine).await?;
    let repo = Repo {
        db: wire.db.clone(),
    };
    let peek = wire.cost(async || repo.peek().await).await?;
    assert_eq!(peek.trips, 1, "{peek:?}");
    let alone = wire.cost(async || repo.alone().await).await?;
    assert_eq!(alone.trips, 1, "{alone:?}");
    let outside = wire.cost(async || read(&wire.db).await).await?;
    assert_eq!(outside.trips, 1, "{outside:?}");
    let plain = wire.cost(async || read(&wire.plain).await).await?;
    assert_eq!(plain.trips, 1, "{plain:?}");
    Ok(())
}

/// An attempt that fails costs its rollback, and no more.
async fn a_rollback_costs_what_a_commit_does(engine: Engine) -> TestResult {
    let wire = Wire::open(engine).await?;
    let options = TransactOptions::new().commit(CommitMode::Reported);
    let fails = async || {
        let result: Result<()> = wire
            .db
            .transact(options, || async {
                write(&wire.db).await?;
                Err(Error::custom("no"))
            })
            .await;
        assert!(result.is_err());
        Ok::<_, sea_orm::DbErr>(())
    };
    let cost = wire.cost(fails).await?;
    assert_eq!(cost.trips, 3, "{cost:?}");
    Ok(())
}

engine_tests! { on_postgres on_mariadb:
    a_transaction_costs_two_more_than_its_statements,
    what_it_is_to_be_like_costs_nothing,
    by_hand_it_is_never_less,
    a_single_read_without_a_transaction_is_one,
    a_rollback_costs_what_a_commit_does,
}
