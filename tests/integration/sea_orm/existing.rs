//! A pool that was there before, and the connection's own methods.

use resilient_sea_orm::{Error, FaultKind, Outcome, ResilientConnection, TransactOptions};
use sea_orm::{ActiveModelTrait, DatabaseConnection, DbErr};
use support::{Engine, TestResult, engine_tests};

use super::{Shop, count, entities::bakery, new_bakery};

async fn an_existing_pool_gets_the_same_guarantees(engine: Engine) -> TestResult {
    let shop = Shop::open(engine).await?;
    let db = ResilientConnection::from(shop.test.connect(2).await?);
    let result = db
        .transact(TransactOptions::new(), || async {
            new_bakery("a").insert(&db).await?;
            // Swallowed: what PostgreSQL answers to COMMIT now is ROLLBACK, and no error.
            let _ = new_bakery("a").insert(&db).await;
            Ok::<_, Error>(())
        })
        .await;
    if engine == Engine::Postgres {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), FaultKind::Unique);
        assert_eq!(error.outcome(), Outcome::RolledBack);
        assert_eq!(shop.rows().await?, 0);
    } else {
        result?;
        assert_eq!(shop.rows().await?, 1);
    }
    Ok(())
}

async fn the_pool_underneath_is_shared(engine: Engine) -> TestResult {
    let shop = Shop::open(engine).await?;
    let pool: DatabaseConnection = shop.test.connect(2).await?;
    let db = ResilientConnection::from(pool.clone());
    db.ping().await?;
    new_bakery("a").insert(&pool).await?;
    new_bakery("b").insert(db.as_sea_orm()).await?;
    assert_eq!(count::<bakery::Entity>(&db).await?, 2);
    assert_eq!(db.get_database_backend(), pool.get_database_backend());
    let idle = match engine {
        Engine::Sqlite => db.get_sqlite_connection_pool().size(),
        Engine::Postgres => db.get_postgres_connection_pool().size(),
        Engine::MariaDb | Engine::MySql => db.get_mysql_connection_pool().size(),
    };
    assert!((1..=2).contains(&idle));

    let clone = db.clone();
    db.close().await?;
    let error = new_bakery("c").insert(&clone).await.unwrap_err();
    assert!(matches!(error, DbErr::ConnectionAcquire(_)), "{error:?}");
    let result = clone
        .transact(TransactOptions::new(), || async {
            new_bakery("c").insert(&clone).await.map_err(Error::from)
        })
        .await;
    assert_eq!(result.unwrap_err().outcome(), Outcome::NotSent);
    assert!(clone.ping().await.is_err());
    Ok(())
}

engine_tests! {
    an_existing_pool_gets_the_same_guarantees,
    the_pool_underneath_is_shared,
}
