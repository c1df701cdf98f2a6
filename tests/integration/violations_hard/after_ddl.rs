//! What was read of a schema, after the schema has changed.

use resilient_sea_orm::{Error, Result, TransactOptions};
use sea_orm::ConnectionTrait;
use support::{Engine, TestResult, engine_tests};

use super::lab::{Lab, shown};

const TABLE: [&str; 4] = [
    "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER, CONSTRAINT ck CHECK (a < 100))",
    "CREATE UNIQUE INDEX uq ON t (a)",
    "INSERT INTO t VALUES (1, 1, 1)",
    "CREATE TABLE other (id INTEGER PRIMARY KEY)",
];

fn drop_index(engine: Engine) -> &'static str {
    match engine {
        Engine::MariaDb => "DROP INDEX uq ON t",
        _ => "DROP INDEX uq",
    }
}

async fn changes_through_us_are_seen_at_once(engine: Engine) -> TestResult {
    let lab = Lab::new(engine, &TABLE).await;
    let run = async |sql: &str| lab.db.execute_unprepared(sql).await.map(drop);
    assert_eq!(
        lab.refused("INSERT INTO t VALUES (2, 1, 2)").await,
        "unique t.uq(a)"
    );
    assert_eq!(
        lab.refused("INSERT INTO t VALUES (2, 100, 2)").await,
        "check t.ck(a)"
    );
    run("ALTER TABLE t RENAME COLUMN a TO c").await?;
    assert_eq!(
        lab.refused("INSERT INTO t VALUES (2, 1, 2)").await,
        "unique t.uq(c)"
    );
    assert_eq!(
        lab.refused("INSERT INTO t VALUES (2, 100, 2)").await,
        "check t.ck(c)"
    );
    // The same name on another column.
    // In one text: another of SQLite's connections would still know the old one.
    let drop = drop_index(engine);
    run(&format!("{drop}; CREATE UNIQUE INDEX uq ON t (b)")).await?;
    assert_eq!(
        lab.refused("INSERT INTO t VALUES (2, 1, 1)").await,
        "unique t.uq(b)"
    );
    // The same name on another table.
    run("ALTER TABLE t RENAME TO u").await?;
    assert_eq!(
        lab.refused("INSERT INTO u VALUES (2, 2, 1)").await,
        "unique u.uq(b)"
    );
    Ok(())
}

async fn names_that_others_changed_are_looked_up_again(engine: Engine) -> TestResult {
    let lab = Lab::new(engine, &TABLE).await;
    assert_eq!(
        lab.refused("INSERT INTO t VALUES (2, 1, 2)").await,
        "unique t.uq(a)"
    );
    assert_eq!(
        lab.refused("INSERT INTO t VALUES (2, 100, 2)").await,
        "check t.ck(a)"
    );
    lab.run(&[drop_index(engine), "CREATE UNIQUE INDEX uq_new ON t (b, a)"])
        .await;
    assert_eq!(
        lab.refused("INSERT INTO t VALUES (2, 1, 1)").await,
        "unique t.uq_new(b, a)"
    );
    lab.run(&["ALTER TABLE t RENAME TO u"]).await;
    assert_eq!(
        lab.refused("INSERT INTO u VALUES (2, 1, 1)").await,
        "unique u.uq_new(b, a)"
    );
    Ok(())
}

/// The same name on other columns: PostgreSQL says which, and SQLite numbers its schemas.
async fn a_name_that_others_gave_to_another_key(engine: Engine) -> TestResult {
    let lab = Lab::new(engine, &TABLE).await;
    assert_eq!(
        lab.refused("INSERT INTO t VALUES (2, 1, 2)").await,
        "unique t.uq(a)"
    );
    lab.run(&["DROP INDEX uq", "CREATE UNIQUE INDEX uq ON t (b)"])
        .await;
    assert_eq!(
        lab.refused("INSERT INTO t VALUES (2, 2, 1)").await,
        "unique t.uq(b)"
    );
    lab.run(&["ALTER TABLE t RENAME COLUMN b TO z"]).await;
    assert_eq!(
        lab.refused("INSERT INTO t VALUES (2, 2, 1)").await,
        "unique t.uq(z)"
    );
    Ok(())
}

/// Nobody but the transaction itself sees what it has changed.
async fn changes_within_the_transaction_count(engine: Engine) -> TestResult {
    let lab = Lab::new(engine, &TABLE).await;
    assert_eq!(
        lab.refused("INSERT INTO t VALUES (2, 1, 2)").await,
        "unique t.uq(a)"
    );
    let said = lab
        .refused_after(
            &["DROP INDEX uq", "CREATE UNIQUE INDEX uq ON t (b)"],
            "INSERT INTO t VALUES (2, 2, 1)",
        )
        .await;
    assert_eq!(said, "unique t.uq(b)");
    // It was rolled back.
    assert_eq!(
        lab.refused("INSERT INTO t VALUES (2, 1, 2)").await,
        "unique t.uq(a)"
    );
    let said = lab
        .refused_after(
            &[
                "ALTER TABLE t RENAME COLUMN a TO c",
                "ALTER TABLE t RENAME COLUMN b TO a",
            ],
            "INSERT INTO t VALUES (2, 100, 2)",
        )
        .await;
    assert!(
        ["check t.ck(c)", "check t.ck()"].contains(&&*said),
        "{said}"
    );
    assert_eq!(
        lab.refused("INSERT INTO t VALUES (2, 100, 2)").await,
        "check t.ck(a)"
    );
    Ok(())
}

/// Somebody reads the old schema between the change and its COMMIT.
async fn what_was_read_before_a_change_committed_is_forgotten(engine: Engine) -> TestResult {
    let lab = Lab::new(engine, &TABLE).await;
    let body = || async {
        lab.db
            .execute_unprepared("ALTER TABLE other RENAME TO another")
            .await?;
        Ok::<_, Error>(())
    };
    lab.db.transact(TransactOptions::new(), body).await?;
    let (changed, read) = (tokio::sync::Notify::new(), tokio::sync::Notify::new());
    let change = || async {
        // Takes a lock on its own name only until it is committed.
        lab.db
            .execute_unprepared("ALTER TABLE t DROP CONSTRAINT ck")
            .await?;
        lab.db
            .execute_unprepared("ALTER TABLE t ADD CONSTRAINT ck CHECK (b < 100)")
            .await?;
        changed.notify_one();
        read.notified().await;
        Ok::<_, Error>(())
    };
    let changing = lab.db.transact(TransactOptions::new(), change);
    let reading = async {
        changed.notified().await;
        // The statement of another connection, which has failed before the table was locked,
        // would ask the catalogue now; this one asks as verification does.
        let report = lab.db.verify_constraints().await;
        read.notify_one();
        report
    };
    let (changed, report) = tokio::join!(changing, reading);
    changed?;
    report?;
    assert_eq!(
        lab.refused("INSERT INTO t VALUES (2, 2, 100)").await,
        "check t.ck(b)"
    );
    Ok(())
}

/// DDL in a scope that is caught, on the engine whose DDL ends no transaction.
async fn a_change_that_failed_changes_nothing(engine: Engine) -> TestResult {
    let lab = Lab::new(engine, &TABLE).await;
    let body = || async {
        let nested = || async {
            lab.db
                .execute_unprepared("ALTER TABLE t RENAME COLUMN a TO c")
                .await?;
            lab.db
                .execute_unprepared("INSERT INTO t VALUES (2, 1, 2)")
                .await?;
            Result::<()>::Ok(())
        };
        let error = lab
            .db
            .transact(TransactOptions::new(), nested)
            .await
            .unwrap_err();
        assert_eq!(
            shown(error.violation().expect("a violation")),
            "unique t.uq(c)"
        );
        let again = || async {
            lab.db
                .execute_unprepared("INSERT INTO t VALUES (2, 1, 2)")
                .await?;
            Result::<()>::Ok(())
        };
        let error = lab
            .db
            .transact(TransactOptions::new(), again)
            .await
            .unwrap_err();
        assert_eq!(
            shown(error.violation().expect("a violation")),
            "unique t.uq(a)"
        );
        Result::<()>::Ok(())
    };
    lab.db.transact(TransactOptions::new(), body).await?;
    assert_eq!(
        lab.refused("INSERT INTO t VALUES (2, 1, 2)").await,
        "unique t.uq(a)"
    );
    Ok(())
}

engine_tests! {
    changes_through_us_are_seen_at_once,
    names_that_others_changed_are_looked_up_again,
}
engine_tests! { on_postgres on_sqlite:
    a_name_that_others_gave_to_another_key,
    changes_within_the_transaction_count,
    a_change_that_failed_changes_nothing,
}
engine_tests! { on_postgres: what_was_read_before_a_change_committed_is_forgotten }
