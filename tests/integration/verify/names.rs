//! The names in the catalogue are those that errors give: by them a violation is found in it.

use resilient_sea_orm::{ConstraintKind, Error};
use sea_orm::ConnectionTrait;
use support::{Engine, TestResult, engine_tests};

use super::Schema;

impl Schema {
    /// Violates a constraint, and finds it in the catalogue by the error: its columns.
    async fn violated(&self, kind: ConstraintKind, sql: &str) -> Vec<String> {
        let error = Error::from(self.db.execute_unprepared(sql).await.expect_err(sql));
        let fault = error.fault();
        assert_eq!(fault.constraint_kind(), Some(kind), "{sql}: {error}");
        let catalogue = self.catalogue().await;
        let name = fault.constraint().expect(sql);
        // The engines other than PostgreSQL leave the table out for some.
        let found: Vec<_> = catalogue
            .tables
            .iter()
            .filter(|table| fault.table().is_none_or(|t| t == table.name))
            .flat_map(|table| &table.constraints)
            .filter(|c| c.name.as_deref() == Some(name))
            .collect();
        assert_eq!(found.len(), 1, "{sql}: {name:?} in {:?}", catalogue.tables);
        found[0].columns.clone()
    }
}

async fn checks_are_found_by_their_error(engine: Engine) -> TestResult {
    let quote = if engine == Engine::MariaDb { '`' } else { '"' };
    let schema = Schema::with(
        engine,
        &[
            "CREATE TABLE a (id INTEGER PRIMARY KEY, age INTEGER CHECK (age >= 13), b INTEGER,
               c INTEGER, CHECK (b  >  1 AND b <> 7), CONSTRAINT \nnamed CHECK (c > 1))"
                .replace("\nnamed", &format!("{quote}na med{quote}"))
                .as_str(),
            &format!(
                "CREATE TABLE q (id INTEGER PRIMARY KEY, d INTEGER CHECK ({quote}d{quote} > 1))"
            ),
        ],
    )
    .await;
    for (sql, column) in [
        ("INSERT INTO a VALUES (1, 1, 2, 2)", "age"),
        ("INSERT INTO a VALUES (1, 13, 1, 2)", "b"),
        ("INSERT INTO a VALUES (1, 13, 2, 1)", "c"),
        ("INSERT INTO q VALUES (1, 1)", "d"),
    ] {
        assert_eq!(schema.violated(ConstraintKind::Check, sql).await, [column]);
    }
    Ok(())
}

async fn keys_are_found_by_their_error(engine: Engine) -> TestResult {
    let schema = Schema::with(
        engine,
        &[
            "CREATE TABLE p (id INTEGER PRIMARY KEY)",
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER UNIQUE, b INTEGER, p INTEGER,
               FOREIGN KEY (p) REFERENCES p (id))",
            "CREATE UNIQUE INDEX t_ab ON t (b, p)",
            "INSERT INTO p VALUES (1)",
            "INSERT INTO t VALUES (1, 1, 1, 1)",
        ],
    )
    .await;
    let unique = ConstraintKind::Unique;
    assert_eq!(
        schema
            .violated(unique, "INSERT INTO t VALUES (2, 1, 2, 1)")
            .await,
        ["a"]
    );
    assert_eq!(
        schema
            .violated(unique, "INSERT INTO t VALUES (2, 2, 1, 1)")
            .await,
        ["b", "p"]
    );
    let foreign = ConstraintKind::ForeignKey;
    assert_eq!(
        schema
            .violated(foreign, "INSERT INTO t VALUES (2, 2, 2, 2)")
            .await,
        ["p"]
    );
    assert_eq!(
        schema
            .violated(ConstraintKind::Restrict, "DELETE FROM p")
            .await,
        ["p"]
    );
    Ok(())
}

async fn expressions_are_found_by_their_error(engine: Engine) -> TestResult {
    let schema = Schema::with(
        engine,
        &[
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a VARCHAR(9), b INTEGER)",
            "CREATE UNIQUE INDEX t_lower ON t (lower(a), b)",
            "INSERT INTO t VALUES (1, 'A', 1)",
        ],
    )
    .await;
    let columns = schema
        .violated(ConstraintKind::Unique, "INSERT INTO t VALUES (2, 'a', 1)")
        .await;
    assert_eq!(columns, ["a", "b"]);
    Ok(())
}

async fn partitions_are_found_by_their_error(engine: Engine) -> TestResult {
    let schema = Schema::with(
        engine,
        &[
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER CHECK (a > 0)) PARTITION BY RANGE (id)",
            "CREATE TABLE t_p1 PARTITION OF t FOR VALUES FROM (0) TO (10)",
            "CREATE TABLE c (id INTEGER PRIMARY KEY, t_id INTEGER REFERENCES t)",
            "INSERT INTO t VALUES (1, 1)",
            "INSERT INTO c VALUES (1, 1)",
        ],
    )
    .await;
    for (kind, sql, column) in [
        (ConstraintKind::Unique, "INSERT INTO t VALUES (1, 1)", "id"),
        (ConstraintKind::Check, "INSERT INTO t VALUES (2, 0)", "a"),
        (
            ConstraintKind::ForeignKey,
            "INSERT INTO c VALUES (2, 2)",
            "t_id",
        ),
        (ConstraintKind::Restrict, "DELETE FROM t", "t_id"),
    ] {
        assert_eq!(schema.violated(kind, sql).await, [column], "{sql}");
    }
    Ok(())
}

engine_tests! { checks_are_found_by_their_error }
engine_tests! { on_postgres on_mariadb: keys_are_found_by_their_error }
engine_tests! { on_sqlite on_postgres: expressions_are_found_by_their_error }
engine_tests! { on_postgres: partitions_are_found_by_their_error }
