//! SeaORM's own ways to a transaction, through our connection.

use resilient_sea_orm::{Error, FaultKind, ResilientConnection, TransactOptions};
use sea_orm::{
    AccessMode, ActiveModelTrait, DbErr, EntityTrait, IsolationLevel, TransactionError,
    TransactionTrait,
};
use support::{Engine, TestResult, engine_tests};

use super::{Shop, count, entities::bakery, new_bakery};

async fn names(db: &ResilientConnection) -> Result<Vec<String>, DbErr> {
    let mut names: Vec<_> = bakery::Entity::find()
        .all(db)
        .await?
        .into_iter()
        .map(|bakery| bakery.name)
        .collect();
    names.sort();
    Ok(names)
}

async fn a_closure_owns_the_statements_of_the_connection_too(engine: Engine) -> TestResult {
    let shop = Shop::open(engine).await?;
    let db = shop.db.clone();
    let failed = shop
        .db
        .transaction::<_, (), DbErr>(|transaction| {
            Box::pin(async move {
                new_bakery("by handle").insert(transaction).await?;
                new_bakery("by connection").insert(&db).await?;
                assert_eq!(count::<bakery::Entity>(transaction).await?, 2);
                Err(DbErr::Custom("no".to_owned()))
            })
        })
        .await;
    assert!(matches!(
        failed,
        Err(TransactionError::Transaction(DbErr::Custom(_)))
    ));
    assert_eq!(shop.rows().await?, 0);

    let db = &shop.db;
    let made = db
        .transaction_async(async |transaction| {
            new_bakery("by handle").insert(transaction).await?;
            new_bakery("by connection").insert(db).await
        })
        .await?;
    assert_eq!(made.name, "by connection");
    assert_eq!(names(db).await?, ["by connection", "by handle"]);
    assert_eq!(shop.metrics().begun, 2);
    Ok(())
}

async fn a_closure_inside_a_scope_is_a_savepoint(engine: Engine) -> TestResult {
    let shop = Shop::open(engine).await?;
    let db = &shop.db;
    db.transact(TransactOptions::new(), || async {
        new_bakery("kept").insert(db).await?;
        let failed = db
            .transaction_async(async |transaction| {
                new_bakery("undone").insert(transaction).await?;
                new_bakery("undone").insert(db).await.map(drop)
            })
            .await;
        assert!(matches!(failed, Err(TransactionError::Transaction(_))));
        let result: Result<_, TransactionError<DbErr>> = db
            .transaction_async(async |transaction| {
                new_bakery("also kept").insert(transaction).await
            })
            .await;
        result.map_err(|error| Error::custom(error.to_string()))?;
        Ok::<_, Error>(())
    })
    .await?;
    assert_eq!(names(db).await?, ["also kept", "kept"]);
    let metrics = shop.metrics();
    assert_eq!((metrics.begun, metrics.savepoints_rolled_back), (1, 1));
    Ok(())
}

async fn begin_nests(engine: Engine) -> TestResult {
    let shop = Shop::open(engine).await?;
    let outer = shop.db.begin().await?;
    new_bakery("outer").insert(&outer).await?;
    let inner = outer.begin().await?;
    new_bakery("inner").insert(&inner).await?;
    let innermost = inner.begin().await?;
    new_bakery("innermost").insert(&innermost).await?;
    innermost.rollback().await?;
    inner.commit().await?;
    let dropped = outer.begin().await?;
    new_bakery("dropped").insert(&dropped).await?;
    drop(dropped);
    new_bakery("last").insert(&outer).await?;
    outer.commit().await?;
    assert_eq!(names(&shop.db).await?, ["inner", "last", "outer"]);

    let dropped = shop.db.begin().await?;
    new_bakery("gone").insert(&dropped).await?;
    drop(dropped);
    new_bakery("gone").insert(&shop.db).await?;
    assert_eq!(count::<bakery::Entity>(&shop.db).await?, 4);
    Ok(())
}

async fn begin_inside_a_scope_is_a_savepoint(engine: Engine) -> TestResult {
    let shop = Shop::open(engine).await?;
    let db = &shop.db;
    db.transact(TransactOptions::new(), || async {
        new_bakery("kept").insert(db).await?;
        let undone = db.begin().await?;
        new_bakery("undone").insert(&undone).await?;
        undone.rollback().await?;
        let kept = db.begin().await?;
        new_bakery("also kept").insert(&kept).await?;
        kept.commit().await?;
        Ok::<_, Error>(())
    })
    .await?;
    assert_eq!(names(db).await?, ["also kept", "kept"]);
    assert_eq!(shop.metrics().begun, 1);
    Ok(())
}

async fn a_read_only_transaction_refuses_writes(engine: Engine) -> TestResult {
    let shop = Shop::open(engine).await?;
    let transaction = shop
        .db
        .begin_with_config(None, Some(AccessMode::ReadOnly))
        .await?;
    assert_eq!(count::<bakery::Entity>(&transaction).await?, 0);
    let refused = new_bakery("x").insert(&transaction).await.unwrap_err();
    assert_eq!(Error::from(refused).kind(), FaultKind::ReadOnly);
    transaction.rollback().await?;
    // The session writes again.
    for _ in 0..4 {
        let transaction = shop.db.begin().await?;
        new_bakery("x").insert(&transaction).await?;
        transaction.rollback().await?;
    }
    Ok(())
}

async fn the_isolation_level_is_the_one_asked_for(engine: Engine) -> TestResult {
    let shop = Shop::open(engine).await?;
    for (level, seen) in [
        (IsolationLevel::ReadCommitted, 1),
        (IsolationLevel::RepeatableRead, 1),
        (IsolationLevel::Serializable, 2),
    ] {
        let reads_anew = level == IsolationLevel::ReadCommitted;
        let transaction = shop.db.begin_with_config(Some(level), None).await?;
        let before = count::<bakery::Entity>(&transaction).await?;
        if level == IsolationLevel::Serializable && engine == Engine::MariaDb {
            // Its reads lock, so nobody can write in between.
            transaction.rollback().await?;
            continue;
        }
        new_bakery(&format!("{level:?}"))
            .insert(shop.test.admin())
            .await?;
        let after = count::<bakery::Entity>(&transaction).await?;
        assert_eq!(after - before, u64::from(reads_anew), "{level:?}");
        assert!(after >= seen, "{level:?}");
        transaction.commit().await?;
    }
    Ok(())
}

engine_tests! {
    a_closure_owns_the_statements_of_the_connection_too,
    a_closure_inside_a_scope_is_a_savepoint,
    begin_nests,
    begin_inside_a_scope_is_a_savepoint,
    a_read_only_transaction_refuses_writes,
}
engine_tests! { on_postgres on_mariadb: the_isolation_level_is_the_one_asked_for }
