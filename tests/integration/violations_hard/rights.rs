//! Little room, and little that one may see.

use std::time::{Duration, Instant};

use resilient_sea_orm::{Builder, Error, FaultKind, TransactOptions};
use sea_orm::ConnectionTrait;
use support::{Engine, TestDb, TestResult, engine_tests};

use super::lab::{Lab, shown};
use crate::bank::without_hanging;

/// The only connection of the pool is the one whose transaction has failed.
async fn an_exhausted_pool_is_not_waited_for(engine: Engine) -> TestResult {
    let lab = Lab::on(TestDb::new(engine).await?, Builder::default(), 1).await;
    lab.run(&[
        "CREATE TABLE p (id INTEGER PRIMARY KEY)",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER NOT NULL, b INTEGER, p INTEGER, \
         CONSTRAINT fk FOREIGN KEY (p) REFERENCES p (id), CONSTRAINT ck CHECK (b < 9))",
        "CREATE UNIQUE INDEX uq ON t (b, a)",
        "INSERT INTO p VALUES (1)",
        "INSERT INTO t VALUES (1, 1, 1, 1)",
    ])
    .await;
    for (sql, expected) in [
        ("INSERT INTO t VALUES (2, 1, 1, 1)", "unique t.uq(b, a)"),
        (
            "INSERT INTO t VALUES (2, 1, 2, 7)",
            "foreign_key t.fk(p) -> p",
        ),
        ("INSERT INTO t VALUES (2, NULL, 2, 1)", "not_null t.?(a)"),
        (
            "INSERT INTO t VALUES (2, 2, 9, 1)",
            match engine {
                Engine::Postgres => "check t.ck()",
                _ => "check t.ck(b)",
            },
        ),
        (
            "DELETE FROM p",
            match engine {
                Engine::Postgres => "restrict t.fk() -> p",
                _ => "restrict t.fk(p) -> p",
            },
        ),
    ] {
        // Who waited for another connection would not know the name.
        assert_eq!(
            without_hanging(lab.refused_after(&[], sql)).await,
            expected,
            "{sql}"
        );
    }
    // On the pool there is room again: the statement is over.
    assert_eq!(
        without_hanging(lab.refused("INSERT INTO t VALUES (2, 1, 1, 1)")).await,
        "unique t.uq(b, a)"
    );
    Ok(())
}

/// A statement on the pool, while everybody else holds on to their connections.
async fn a_statement_on_a_busy_pool_is_answered_at_once(engine: Engine) -> TestResult {
    let lab = Lab::on(TestDb::new(engine).await?, Builder::default(), 2).await;
    lab.run(&[
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER)",
        "CREATE UNIQUE INDEX uq ON t (a)",
        "INSERT INTO t VALUES (1, 1)",
    ])
    .await;
    let busy = lab.db.clone();
    // Takes whatever becomes free, and never gives it back for long.
    let tasks: Vec<_> = (0..6)
        .map(|_| {
            let db = busy.clone();
            tokio::spawn(async move {
                let sleep = match engine {
                    Engine::MariaDb => "SELECT SLEEP(0.4)",
                    _ => "SELECT pg_sleep(0.4)",
                };
                for _ in 0..8 {
                    let statement =
                        sea_orm::Statement::from_string(db.get_database_backend(), sleep);
                    let _ = db.query_all_raw(statement).await;
                }
            })
        })
        .collect();
    let body = || async {
        let start = Instant::now();
        let error = lab
            .db
            .execute_unprepared("INSERT INTO t VALUES (2, 1)")
            .await
            .unwrap_err();
        let said = resilient_sea_orm::violation(&error).expect("a violation");
        assert_eq!(said.constraint(), Some("uq"));
        start.elapsed()
    };
    let mut longest = Duration::ZERO;
    for _ in 0..2 {
        longest = longest.max(without_hanging(body()).await);
    }
    for task in tasks {
        task.abort();
    }
    // Each waits for a connection itself, as any statement does, and a second for the catalogue.
    assert!(longest < Duration::from_secs(6), "{longest:?}");
    Ok(())
}

async fn a_read_only_transaction_violates_nothing(engine: Engine) -> TestResult {
    let lab = Lab::new(
        engine,
        &[
            "CREATE TABLE t (id INTEGER PRIMARY KEY)",
            "INSERT INTO t VALUES (1)",
        ],
    )
    .await;
    let body = || async {
        lab.db
            .execute_unprepared("INSERT INTO t VALUES (1)")
            .await?;
        Ok::<_, Error>(())
    };
    let error = lab
        .db
        .transact(TransactOptions::new().read_only(), body)
        .await
        .unwrap_err();
    assert_eq!(error.violation(), None);
    assert_eq!(error.kind(), FaultKind::ReadOnly);
    assert_eq!(lab.counted_in_all(), 0);
    Ok(())
}

/// Who may not read a table gets no DETAIL, and its catalogue all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_may_not_read_the_table_on_postgres() -> TestResult {
    let lab = Lab::new(
        Engine::Postgres,
        &[
            "CREATE TABLE p (id INTEGER PRIMARY KEY)",
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, p INTEGER CONSTRAINT fk REFERENCES p (id))",
            "CREATE UNIQUE INDEX uq ON t (a)",
            "CREATE UNIQUE INDEX uq_twice ON t ((a * p))",
            "INSERT INTO p VALUES (1)",
            "INSERT INTO t VALUES (1, 1, 1)",
        ],
    )
    .await;
    let role = format!(
        "{}_writer",
        lab.test.url().rsplit('/').next().expect("a name")
    );
    let role = role.replace(['?', '='], "_");
    let set = format!("SET LOCAL ROLE {role}");
    lab.run(&[
        &format!("CREATE ROLE {role}"),
        &format!("GRANT INSERT ON t TO {role}"),
    ])
    .await;
    let mut said = Vec::new();
    for sql in [
        "INSERT INTO t VALUES (2, 1, 1)",
        "INSERT INTO t VALUES (2, 2, 7)",
        "INSERT INTO t VALUES (1, 2, 1)",
    ] {
        let error = lab.inside(&[&set], &lab.statement(sql, vec![])).await;
        let text = error.db_err().map(ToString::to_string).unwrap_or_default();
        assert!(!text.contains("already exists"), "no DETAIL");
        said.push(shown(error.violation().expect("a violation")));
    }
    lab.run(&[
        &format!("DROP OWNED BY {role}"),
        &format!("DROP ROLE {role}"),
    ])
    .await;
    assert_eq!(
        said,
        [
            "unique t.uq(a)",
            "foreign_key t.fk(p) -> p",
            "unique t.t_pkey(id)"
        ]
    );
    Ok(())
}

engine_tests! { an_exhausted_pool_is_not_waited_for }
engine_tests! { on_postgres on_mariadb:
    a_statement_on_a_busy_pool_is_answered_at_once,
    a_read_only_transaction_violates_nothing,
}
