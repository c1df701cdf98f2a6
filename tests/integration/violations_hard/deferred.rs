//! Constraints that are looked at when the transaction ends.

use std::sync::atomic::{AtomicU32, Ordering};

use resilient_sea_orm::{Error, FaultKind, Outcome, Result, TransactOptions};
use sea_orm::{ConnectionTrait, TransactionTrait};
use support::{Engine, TestResult, engine_tests};

use super::lab::{Lab, shown};

/// The error of a scope whose statements all succeed.
async fn at_commit(lab: &Lab, statements: &[&str]) -> Error {
    let runs = &AtomicU32::new(0);
    let body = || async {
        runs.fetch_add(1, Ordering::Relaxed);
        for sql in statements {
            lab.db.execute_unprepared(sql).await?;
        }
        Ok::<_, Error>(())
    };
    let before = lab.counted_in_all();
    let error = lab.db.transact(TransactOptions::new(), body).await;
    let error = error.expect_err("COMMIT is refused");
    assert_eq!(runs.load(Ordering::Relaxed), 1, "not retried");
    assert_eq!(error.attempts(), 1);
    assert_eq!(error.outcome(), Outcome::RolledBack, "{error}");
    assert_eq!(lab.counted_in_all() - before, 1, "{:?}", lab.counted());
    assert_eq!(lab.test.open_transactions().await.unwrap(), 0);
    // The connection goes on.
    let fine = || async {
        lab.db
            .execute_unprepared("INSERT INTO log VALUES (1)")
            .await?;
        Ok::<_, Error>(())
    };
    lab.db
        .transact(TransactOptions::new(), fine)
        .await
        .expect("goes on");
    error
}

async fn refused_at_commit(lab: &Lab, statements: &[&str]) -> String {
    let error = at_commit(lab, statements).await;
    shown(
        error
            .violation()
            .unwrap_or_else(|| panic!("no violation: {error:?}")),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deferred_constraints_are_named_at_commit_on_postgres() -> TestResult {
    let lab = Lab::new(
        Engine::Postgres,
        &[
            "CREATE TABLE log (n INTEGER)",
            "CREATE TABLE p (id INTEGER PRIMARY KEY)",
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, p INTEGER, span int4range, \
             CONSTRAINT uq UNIQUE (a) DEFERRABLE INITIALLY DEFERRED, \
             CONSTRAINT fk FOREIGN KEY (p) REFERENCES p (id) DEFERRABLE INITIALLY DEFERRED, \
             CONSTRAINT ex EXCLUDE USING gist (span WITH &&) DEFERRABLE INITIALLY DEFERRED)",
            "INSERT INTO p VALUES (1)",
            "INSERT INTO t VALUES (1, 1, 1, '[1,5)')",
        ],
    )
    .await;
    for (sql, expected) in [
        ("INSERT INTO t VALUES (2, 1)", "unique t.uq(a)"),
        ("INSERT INTO t VALUES (2, 2, 7)", "foreign_key t.fk(p) -> p"),
        ("DELETE FROM p", "restrict t.fk(p) -> p"),
        (
            "INSERT INTO t VALUES (2, 2, 1, '[3,9)')",
            "exclusion t.ex(span)",
        ),
    ] {
        assert_eq!(refused_at_commit(&lab, &[sql]).await, expected, "{sql}");
        // SeaORM's way, and SQL's own.
        let tx = lab.db.begin().await?;
        tx.execute_unprepared(sql).await?;
        let error = tx.commit().await.unwrap_err();
        let said = resilient_sea_orm::violation(&error).expect("a violation");
        assert_eq!(shown(&said), expected);
        assert_eq!(
            lab.refused_after(&[sql], "SET CONSTRAINTS ALL IMMEDIATE")
                .await,
            expected
        );
    }
    assert_eq!(lab.count("t").await, 1);
    assert_eq!(lab.count("p").await, 1);
    assert_eq!(lab.count("log").await, 4);
    Ok(())
}

/// The one connection of the pool is the one that COMMIT was refused on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deferred_key_is_named_without_another_connection_on_postgres() -> TestResult {
    let test = support::TestDb::new(Engine::Postgres).await?;
    let lab = Lab::on(test, resilient_sea_orm::Builder::default(), 1).await;
    lab.run(&[
        "CREATE TABLE log (n INTEGER)",
        "CREATE TABLE t (a INTEGER CONSTRAINT uq UNIQUE DEFERRABLE INITIALLY DEFERRED)",
    ])
    .await;
    let said = refused_at_commit(&lab, &["INSERT INTO t VALUES (1), (1)"]).await;
    assert_eq!(said, "unique t.uq(a)");
    Ok(())
}

async fn family() -> Lab {
    Lab::new(
        Engine::Sqlite,
        &[
            "CREATE TABLE log (n INTEGER)",
            "CREATE TABLE p (id INTEGER PRIMARY KEY)",
            "CREATE TABLE t (id INTEGER PRIMARY KEY, \
             a INTEGER CONSTRAINT fk_a REFERENCES p (id) DEFERRABLE INITIALLY DEFERRED, \
             b INTEGER CONSTRAINT fk_b REFERENCES p (id) DEFERRABLE INITIALLY DEFERRED)",
            "CREATE TABLE u (a INTEGER CONSTRAINT fk_u REFERENCES p (id) DEFERRABLE INITIALLY DEFERRED)",
            "CREATE TABLE w (a INTEGER CONSTRAINT fk_w REFERENCES p (id))",
            "INSERT INTO p VALUES (1), (2)",
        ],
    )
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deferred_keys_are_named_at_commit_on_sqlite() -> TestResult {
    let lab = family().await;
    for (statements, expected) in [
        (
            &["INSERT INTO t VALUES (1, 7, NULL)"][..],
            "foreign_key t.fk_a(a) -> p",
        ),
        (
            &["INSERT INTO t VALUES (1, 1, 7)"],
            "foreign_key t.fk_b(b) -> p",
        ),
        (
            &["INSERT INTO u VALUES (7)", "INSERT INTO u VALUES (8)"],
            "foreign_key u.fk_u(a) -> p",
        ),
        // Two at once: which one SQLite means, it does not know itself.
        (&["INSERT INTO t VALUES (1, 7, 8)"], "foreign_key ?.?()"),
        (
            &["INSERT INTO t VALUES (1, 7, 1)", "INSERT INTO u VALUES (7)"],
            "foreign_key ?.?()",
        ),
        // What was mended in time is not blamed.
        (
            &[
                "INSERT INTO t VALUES (1, 7, 1)",
                "INSERT INTO u VALUES (8)",
                "UPDATE t SET a = 1",
            ],
            "foreign_key u.fk_u(a) -> p",
        ),
        (
            &["PRAGMA defer_foreign_keys = ON", "INSERT INTO w VALUES (7)"],
            "foreign_key w.fk_w(a) -> p",
        ),
    ] {
        assert_eq!(
            refused_at_commit(&lab, statements).await,
            expected,
            "{statements:?}"
        );
        assert_eq!(
            lab.count("t").await + lab.count("u").await + lab.count("w").await,
            0
        );
    }
    Ok(())
}

/// Rows without a parent from before foreign keys were enforced are not what COMMIT refuses.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_orphans_are_not_blamed_on_sqlite() -> TestResult {
    let lab = family().await;
    lab.run(&[
        "PRAGMA foreign_keys = OFF",
        "INSERT INTO t VALUES (100, 70, 1), (101, 71, 1)",
        "PRAGMA foreign_keys = ON",
    ])
    .await;
    let said = refused_at_commit(&lab, &["INSERT INTO u VALUES (7)"]).await;
    assert!(
        ["foreign_key ?.?()", "foreign_key u.fk_u(a) -> p"].contains(&&*said),
        "{said}"
    );
    let said = refused_at_commit(&lab, &["INSERT INTO t VALUES (1, 7, 1)"]).await;
    assert!(
        ["foreign_key ?.?()", "foreign_key t.fk_a(a) -> p"].contains(&&*said),
        "{said}"
    );
    // The same for a statement; and an old orphan that only changes is none of its business.
    lab.run(&["CREATE TABLE v (x INTEGER CONSTRAINT fk_x REFERENCES p (id), y INTEGER CONSTRAINT fk_y REFERENCES p (id))"]).await;
    lab.run(&[
        "PRAGMA foreign_keys = OFF",
        "INSERT INTO v VALUES (70, 1), (71, 1)",
        "PRAGMA foreign_keys = ON",
    ])
    .await;
    assert_eq!(
        lab.refused("INSERT INTO v VALUES (1, 9)").await,
        "foreign_key v.fk_y(y) -> p"
    );
    assert_eq!(
        lab.refused("UPDATE v SET y = 9 WHERE x = 70").await,
        "foreign_key v.fk_y(y) -> p"
    );
    assert_eq!(
        lab.refused("UPDATE v SET x = 1, y = 9 WHERE x = 70; ")
            .await
            .replace("v.fk_y(y) -> p", "?"),
        "foreign_key ?"
    );
    Ok(())
}

/// A deferred key that is violated too is not what the statement failed of.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deferred_key_is_not_blamed_for_a_statement_on_sqlite() -> TestResult {
    let lab = Lab::new(
        Engine::Sqlite,
        &[
            "CREATE TABLE p (id INTEGER PRIMARY KEY)",
            "CREATE TABLE log (n INTEGER)",
            "CREATE TABLE t (id INTEGER PRIMARY KEY, \
             a INTEGER CONSTRAINT fk_a REFERENCES p (id) DEFERRABLE INITIALLY DEFERRED, \
             b INTEGER CONSTRAINT fk_b REFERENCES p (id), \
             c INTEGER CONSTRAINT fk_c REFERENCES p (id) NOT DEFERRABLE INITIALLY DEFERRED)",
        ],
    )
    .await;
    let inside = |sql: &str| lab.statement(sql, vec![]);
    for (sql, honest) in [
        (
            "INSERT INTO t VALUES (1, 7, 8, NULL)",
            "foreign_key t.fk_b(b) -> p",
        ),
        (
            "INSERT INTO t VALUES (1, 7, NULL, 8)",
            "foreign_key t.fk_c(c) -> p",
        ),
    ] {
        let error = lab.inside(&[], &inside(sql)).await;
        let said = shown(error.violation().expect("a violation"));
        assert!([honest, "foreign_key ?.?()"].contains(&&*said), "{said}");
    }
    // One that is violated already stays what it is: COMMIT's to refuse.
    let error = lab
        .inside(
            &["INSERT INTO t VALUES (1, 7, NULL, NULL)"],
            &inside("INSERT INTO t VALUES (2, NULL, 8, NULL)"),
        )
        .await;
    assert_eq!(
        shown(error.violation().expect("a violation")),
        "foreign_key t.fk_b(b) -> p"
    );
    let caught = || async {
        lab.db
            .execute_unprepared("INSERT INTO t VALUES (1, 7, NULL, NULL)")
            .await?;
        let bad = lab
            .db
            .execute_unprepared("INSERT INTO t VALUES (2, 7, 8, NULL)")
            .await;
        assert!(bad.is_err());
        lab.db
            .execute_unprepared("INSERT INTO p VALUES (7)")
            .await?;
        Ok::<_, Error>(())
    };
    lab.db.transact(TransactOptions::new(), caught).await?;
    assert_eq!(lab.count("t").await, 1);
    Ok(())
}

/// COMMIT's violation is not one of a kind that a retry heals, unless it is asked for.
async fn a_refused_commit_is_counted_for_each_attempt(engine: Engine) -> TestResult {
    let lab = Lab::new(
        engine,
        &[
            "CREATE TABLE p (id INTEGER PRIMARY KEY)",
            "CREATE TABLE t (a INTEGER CONSTRAINT fk REFERENCES p (id) DEFERRABLE INITIALLY DEFERRED)",
        ],
    )
    .await;
    let options = TransactOptions::new()
        .on(resilient_sea_orm::FaultSet::of(&[FaultKind::ForeignKey]))
        .retries(2);
    let body = || async {
        lab.db
            .execute_unprepared("INSERT INTO t VALUES (7)")
            .await?;
        Result::<()>::Ok(())
    };
    let error = lab.db.transact(options, body).await.unwrap_err();
    assert_eq!(error.attempts(), 3);
    let [counted] = &lab.counted()[..] else {
        panic!("{:?}", lab.counted());
    };
    assert_eq!((counted.count, counted.table.as_deref()), (3, Some("t")));
    assert_eq!(counted.constraint.as_deref(), Some("fk"));
    assert_eq!(lab.count("t").await, 0);
    Ok(())
}

engine_tests! { on_postgres on_sqlite: a_refused_commit_is_counted_for_each_attempt }
