//! Missing indexes, and the statements that add them.

use resilient_sea_orm::{
    constraint::{self, Declaration},
    health::{
        indexes::{IndexNeed, MissingIndex},
        soft_delete::Marker,
        tables::{TableOptions, TableStatus},
    },
};
use support::{Engine, TestResult, engine_tests};

use super::{declare, report};
use crate::verify::Schema;

fn needs(missing: &[MissingIndex]) -> Vec<(Vec<&str>, IndexNeed)> {
    let one = |index: &'_ MissingIndex| index.why;
    missing
        .iter()
        .map(|index| {
            (
                index.columns.iter().map(String::as_str).collect(),
                one(index),
            )
        })
        .collect()
}

async fn found_and_gone_after_the_statement(engine: Engine) -> TestResult {
    let quote = |sql: &str| match engine {
        Engine::MariaDb => sql.replace('"', "`"),
        _ => sql.to_owned(),
    };
    let schema = Schema::with(
        engine,
        &[
            "CREATE TABLE parent (a INTEGER NOT NULL, b INTEGER NOT NULL, PRIMARY KEY (a, b))",
            &quote(
                "CREATE TABLE \"Bob's list\" (id INTEGER PRIMARY KEY, \"deleted, when\" BOOLEAN,
                 \"to\" INTEGER, b INTEGER, FOREIGN KEY (\"to\", b) REFERENCES parent (a, b))",
            ),
        ],
    )
    .await;
    declare(&schema, "Bob's list", "deleted, when", Marker::Flag);
    let before = report(&schema, "Bob's list", TableOptions::new()).await;
    let mut expected = vec![(vec!["deleted, when"], IndexNeed::SoftDelete)];
    if engine != Engine::MariaDb {
        expected.push((vec!["to", "b"], IndexNeed::ForeignKey));
    }
    assert_eq!(needs(&before.missing_indexes), expected);
    for index in &before.missing_indexes {
        assert_eq!(index.table, "Bob's list");
        let concurrently = index.statement.contains("CONCURRENTLY");
        assert_eq!(concurrently, engine == Engine::Postgres);
        schema.run(&[&index.statement]).await;
    }
    let after = report(&schema, "Bob's list", TableOptions::new()).await;
    assert_eq!(after.missing_indexes, []);
    assert_eq!(after.status, TableStatus::Good);
    Ok(())
}

async fn what_serves_is_accepted(engine: Engine) -> TestResult {
    let schema = Schema::with(
        engine,
        &[
            "CREATE TABLE p (id INTEGER PRIMARY KEY)",
            "CREATE TABLE led (id INTEGER PRIMARY KEY REFERENCES p (id), deleted BOOLEAN, a INTEGER)",
            "CREATE INDEX led_1 ON led (deleted, a)",
            "CREATE TABLE behind (id INTEGER PRIMARY KEY, deleted BOOLEAN, a INTEGER)",
            "CREATE INDEX behind_1 ON behind (a, deleted)",
        ],
    )
    .await;
    declare(&schema, "led", "deleted", Marker::Flag);
    declare(&schema, "behind", "deleted", Marker::Flag);
    let led = report(&schema, "led", TableOptions::new()).await;
    assert_eq!(led.missing_indexes, []);
    let behind = report(&schema, "behind", TableOptions::new()).await;
    assert_eq!(
        needs(&behind.missing_indexes),
        [(vec!["deleted"], IndexNeed::SoftDelete)]
    );
    Ok(())
}

async fn partial_ones(engine: Engine) -> TestResult {
    let schema = Schema::with(
        engine,
        &[
            "CREATE TABLE p (id INTEGER PRIMARY KEY)",
            "CREATE TABLE part (id INTEGER PRIMARY KEY, deleted BOOLEAN, a INTEGER REFERENCES p (id),
               b INTEGER REFERENCES p (id))",
            "CREATE INDEX part_1 ON part (a) WHERE NOT deleted",
            "CREATE INDEX part_2 ON part (b) WHERE b IS NOT NULL",
        ],
    )
    .await;
    declare(&schema, "part", "deleted", Marker::Flag);
    let part = report(&schema, "part", TableOptions::new()).await;
    // The first serves queries for what is not deleted, but not the parent's.
    assert_eq!(
        needs(&part.missing_indexes),
        [(vec!["a"], IndexNeed::ForeignKey)]
    );
    Ok(())
}

/// An entity without soft-deletes, of which a constraint is declared.
async fn of_every_declared_table(engine: Engine) -> TestResult {
    let schema = Schema::with(
        engine,
        &[
            "CREATE TABLE p (id INTEGER PRIMARY KEY)",
            "CREATE TABLE only_constraints (id INTEGER PRIMARY KEY, a INTEGER, FOREIGN KEY (a) REFERENCES p (id))",
            "INSERT INTO only_constraints (id) VALUES (1)",
        ],
    )
    .await;
    let name = schema.db.name().to_owned();
    constraint::register(Declaration::of("only_constraints").database(name));
    let all = schema.db.table_reports(TableOptions::new()).await?;
    let report = all.iter().find(|r| r.entity == "only_constraints");
    let report = report.expect("reported");
    assert_eq!(report.status, TableStatus::Good);
    assert_eq!((report.total_rows, report.deleted_rows), (Some(1), None));
    let missing = usize::from(engine != Engine::MariaDb);
    assert_eq!(report.missing_indexes.len(), missing);
    Ok(())
}

/// Concurrently is refused for partitioned tables; an index that failed serves nothing.
async fn partitions_and_broken_indexes(engine: Engine) -> TestResult {
    let schema = Schema::with(
        engine,
        &[
            "CREATE TABLE parts (id INTEGER, deleted BOOLEAN, PRIMARY KEY (id)) PARTITION BY RANGE (id)",
            "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10)",
            "INSERT INTO parts VALUES (1, true), (2, false)",
            "CREATE TABLE broken (id INTEGER PRIMARY KEY, deleted INTEGER)",
            "INSERT INTO broken VALUES (1, 1), (2, 1)",
        ],
    )
    .await;
    declare(&schema, "parts", "deleted", Marker::Flag);
    declare(&schema, "broken", "deleted", Marker::Number);
    let parts = report(&schema, "parts", TableOptions::new()).await;
    assert_eq!(parts.deleted_rows, Some(1));
    for index in &parts.missing_indexes {
        schema.run(&[&index.statement]).await;
    }
    let parts = report(&schema, "parts", TableOptions::new()).await;
    assert_eq!(parts.missing_indexes, []);

    let unique = "CREATE UNIQUE INDEX CONCURRENTLY ON broken (deleted)";
    let failed = sea_orm::ConnectionTrait::execute_unprepared(schema.test.admin(), unique).await;
    assert!(failed.is_err());
    let broken = report(&schema, "broken", TableOptions::new()).await;
    assert_eq!(broken.missing_indexes.len(), 1);
    schema.run(&[&broken.missing_indexes[0].statement]).await;
    let broken = report(&schema, "broken", TableOptions::new()).await;
    assert_eq!(broken.missing_indexes, []);
    Ok(())
}

engine_tests! {
    found_and_gone_after_the_statement,
    what_serves_is_accepted,
    of_every_declared_table,
}
engine_tests! { on_postgres on_sqlite: partial_ones }
engine_tests! { on_postgres: partitions_and_broken_indexes }
