//! A violation that the body catches: finding out about it leaves nothing behind.

use resilient_sea_orm::{Error, Result, TransactOptions};
use sea_orm::{ConnectionTrait, Statement};
use support::{Engine, TestResult};

use super::lab::{Lab, shown};

async fn lab() -> Lab {
    Lab::new(
        Engine::Sqlite,
        &[
            "CREATE TABLE p (id INTEGER PRIMARY KEY)",
            "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, p INTEGER REFERENCES p, q INTEGER REFERENCES p)",
            "CREATE TABLE seen (n INTEGER)",
            "CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO seen VALUES (NEW.id); END",
            "INSERT INTO p VALUES (1)",
        ],
    )
    .await
}

async fn number(lab: &Lab, sql: &str) -> Result<i64> {
    let statement: Statement = lab.statement(sql, vec![]);
    let row = lab.db.query_one_raw(statement).await?.expect("a row");
    Ok(row.try_get_by_index(0)?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_scope_goes_on_after_a_caught_violation_on_sqlite() -> TestResult {
    let lab = lab().await;
    let body = || async {
        let db = &lab.db;
        for round in 0..3 {
            db.execute_unprepared("INSERT INTO t (p, q) VALUES (1, 1)")
                .await?;
            for _ in 0..2 {
                let bad = db
                    .execute_unprepared("INSERT INTO t (p, q) VALUES (1, 9)")
                    .await;
                let said = resilient_sea_orm::violation(&bad.unwrap_err()).expect("a violation");
                assert_eq!(shown(&said), "foreign_key t.?(q) -> p");
                assert_eq!(number(&lab, "PRAGMA defer_foreign_keys").await?, 0);
            }
            let nested = || async {
                db.execute_unprepared("INSERT INTO t (p, q) VALUES (1, NULL)")
                    .await?;
                let bad = db.execute_unprepared("UPDATE t SET p = 9").await;
                let said = resilient_sea_orm::violation(&bad.unwrap_err()).expect("a violation");
                assert_eq!(shown(&said), "foreign_key t.?(p) -> p");
                if round == 1 {
                    Err(Error::custom("enough"))
                } else {
                    Ok(())
                }
            };
            let nested = db.transact(TransactOptions::new(), nested).await;
            assert_eq!(nested.is_err(), round == 1);
        }
        Ok::<_, Error>(())
    };
    lab.db.transact(TransactOptions::new(), body).await?;
    assert_eq!(lab.count("t WHERE p = 1").await, 5);
    assert_eq!(lab.count("t").await, 5);
    assert_eq!(lab.count("seen").await, 5);
    // No number was used up by what was tried again.
    assert_eq!(number(&lab, "SELECT max(id) FROM t").await?, 5);
    assert_eq!(
        number(&lab, "SELECT seq FROM sqlite_sequence WHERE name = 't'").await?,
        5
    );
    assert_eq!(lab.test.open_transactions().await?, 0);
    Ok(())
}

/// A key that the body has put off until COMMIT is still put off after another one was named.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deferral_is_as_it_was_after_the_search_on_sqlite() -> TestResult {
    let lab = lab().await;
    lab.run(&[
        // As RESTRICT does, where nothing is put off.
        "CREATE TRIGGER refuses BEFORE DELETE ON p BEGIN \
         SELECT RAISE(ABORT, 'FOREIGN KEY constraint failed'); END",
    ])
    .await;
    let body = || async {
        let db = &lab.db;
        db.execute_unprepared("PRAGMA defer_foreign_keys = ON")
            .await?;
        db.execute_unprepared("INSERT INTO t (p, q) VALUES (5, 5)")
            .await?;
        let refused = db.execute_unprepared("DELETE FROM p").await.unwrap_err();
        assert!(resilient_sea_orm::violation(&refused).is_some());
        assert_eq!(number(&lab, "PRAGMA defer_foreign_keys").await?, 1);
        db.execute_unprepared("INSERT INTO t (p, q) VALUES (6, 6)")
            .await?;
        db.execute_unprepared("INSERT INTO p VALUES (5), (6)")
            .await?;
        Ok::<_, Error>(())
    };
    lab.db.transact(TransactOptions::new(), body).await?;
    assert_eq!(lab.count("t").await, 2);
    // It ends with the transaction.
    let next = || async {
        assert_eq!(number(&lab, "PRAGMA defer_foreign_keys").await?, 0);
        Ok::<_, Error>(())
    };
    lab.db.transact(TransactOptions::new(), next).await?;
    Ok(())
}

/// The row number that the body reads is its own, not that of the search.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_transaction_can_be_refused_and_repeated_on_sqlite() -> TestResult {
    let lab = lab().await;
    for _ in 0..20 {
        assert_eq!(
            lab.refused("INSERT INTO t (p, q) VALUES (9, 1)").await,
            "foreign_key t.?(p) -> p"
        );
    }
    lab.db
        .execute_unprepared("INSERT INTO t (p, q) VALUES (1, 1)")
        .await?;
    assert_eq!(number(&lab, "SELECT max(id) FROM t").await?, 1);
    assert_eq!(lab.count("seen").await, 1);
    assert_eq!(lab.test.open_transactions().await?, 0);
    Ok(())
}
