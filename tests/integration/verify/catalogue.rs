//! The catalogue of each engine.

use resilient_sea_orm::__private;
use sea_orm::ConnectionTrait;
use support::{Engine, TestResult, engine_tests};

use super::{Schema, shown};

async fn inline_constraints(engine: Engine) -> TestResult {
    let schema = Schema::with(
        engine,
        &[
            "CREATE TABLE team (id INTEGER PRIMARY KEY, region VARCHAR(9) NOT NULL, nr INTEGER NOT NULL,
              UNIQUE (region, nr))",
            "CREATE TABLE users (
               id INTEGER PRIMARY KEY,
               email VARCHAR(90) NOT NULL UNIQUE,
               tenant INTEGER, handle VARCHAR(90),
               age INTEGER CHECK (age >= 13),
               score INTEGER NOT NULL,
               team_id INTEGER, region VARCHAR(9), nr INTEGER,
               CONSTRAINT users_handle UNIQUE (tenant, handle),
               CONSTRAINT users_score CHECK (score > 0 AND score < age),
               CHECK (tenant > 0),
               CONSTRAINT users_team FOREIGN KEY (team_id) REFERENCES team (id),
               FOREIGN KEY (region, nr) REFERENCES team (region, nr)
             )",
        ],
    )
    .await;
    let users = schema.table("users").await;
    let expected: &[&str] = match engine {
        Engine::Sqlite => &[
            "check age >= 13 (age)",
            "check tenant > 0 (tenant)",
            "check users_score (score, age)",
            "foreign_key - (region, nr) -> team (region, nr)",
            "foreign_key users_team (team_id) -> team (id)",
            "unique - (email)",
            "unique - (id) primary",
            "unique users_handle (tenant, handle)",
        ],
        Engine::Postgres => &[
            "check users_age_check (age)",
            "check users_score (score, age)",
            "check users_tenant_check (tenant)",
            "foreign_key users_region_nr_fkey (region, nr) -> team (region, nr)",
            "foreign_key users_team (team_id) -> team (id)",
            "unique users_email_key (email)",
            "unique users_handle (tenant, handle)",
            "unique users_pkey (id) primary",
        ],
        Engine::MariaDb | Engine::MySql => &[
            "check CONSTRAINT_1 (tenant)",
            "check users.age (age)",
            "check users_score (score, age)",
            "foreign_key users_ibfk_1 (region, nr) -> team (region, nr)",
            "foreign_key users_team (team_id) -> team (id)",
            "unique PRIMARY (id) primary",
            "unique email (email)",
            "unique users_handle (tenant, handle)",
        ],
    };
    assert_eq!(shown(&users), expected);
    let nullable: Vec<(&str, bool)> = users
        .columns
        .iter()
        .map(|c| (c.name.as_str(), c.nullable))
        .collect();
    assert_eq!(
        nullable[..3],
        [("id", false), ("email", false), ("tenant", true)]
    );
    assert_eq!(nullable[5], ("score", false));
    assert!(users.visible && !users.triggers && users.partition_of.is_none());
    assert_eq!(users.schema.is_some(), engine != Engine::Sqlite);
    let parents: Vec<_> = users
        .constraints
        .iter()
        .filter_map(|c| c.references.as_ref())
        .collect();
    assert!(
        parents.iter().all(|p| p.schema == users.schema),
        "{parents:?}"
    );
    Ok(())
}

async fn unique_indexes(engine: Engine) -> TestResult {
    let schema = Schema::with(
        engine,
        &[
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a VARCHAR(20), b VARCHAR(20), c INTEGER)",
            "CREATE UNIQUE INDEX t_plain ON t (b, a)",
            "CREATE INDEX t_common ON t (c)",
        ],
    )
    .await;
    let mut expected = vec!["unique t_plain (b, a)"];
    if engine == Engine::MariaDb {
        expected.insert(0, "unique PRIMARY (id) primary");
    } else {
        schema
            .run(&[
                "CREATE UNIQUE INDEX t_lower ON t (lower(a), c, (a || b))",
                "CREATE UNIQUE INDEX t_some ON t (c) WHERE a IS NOT NULL",
                "CREATE UNIQUE INDEX t_both ON t (lower(b)) WHERE c > 0",
            ])
            .await;
        let primary = match engine {
            Engine::Sqlite => "unique - (id) primary",
            _ => "unique t_pkey (id) primary",
        };
        expected.extend([
            "unique t_both (b) expression partial",
            "unique t_lower (a, c, b) expression",
            "unique t_some (c) partial",
            primary,
        ]);
        expected.sort_unstable();
    }
    assert_eq!(shown(&schema.table("t").await), expected);
    Ok(())
}

/// An index's name, its columns, and what is special about it.
fn indexes(table: &resilient_sea_orm::constraint::Table) -> Vec<String> {
    let one = |index: &resilient_sea_orm::constraint::Index| {
        let marks = [
            (index.unique, " unique"),
            (index.expression, " expression"),
            (index.partial, " where "),
        ];
        let marks: String = marks.iter().filter(|m| m.0).map(|m| m.1).collect();
        let condition = index.condition.join(", ");
        format!(
            "{} ({}){marks}{condition}",
            index.name,
            index.columns.join(", ")
        )
    };
    table.indexes.iter().map(one).collect()
}

async fn all_indexes(engine: Engine) -> TestResult {
    let schema = Schema::with(
        engine,
        &[
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER, c INTEGER)",
            "CREATE UNIQUE INDEX t_1 ON t (b, a)",
            "CREATE INDEX t_2 ON t (c, b)",
        ],
    )
    .await;
    let mut expected = vec!["t_1 (b, a) unique", "t_2 (c, b)"];
    if engine == Engine::MariaDb {
        expected.insert(0, "PRIMARY (id) unique");
    } else {
        schema
            .run(&[
                "CREATE INDEX t_3 ON t (a, abs(b), c)",
                "CREATE INDEX t_4 ON t (a) WHERE c IS NULL AND b > 0",
                "CREATE INDEX t_5 ON t (abs(b))",
            ])
            .await;
        expected.extend([
            "t_3 (a) expression",
            "t_4 (a) where b, c",
            "t_5 () expression",
        ]);
    }
    if engine == Engine::Postgres {
        expected.push("t_pkey (id) unique");
        schema
            .run(&["CREATE INDEX t_brin ON t USING brin (c)"])
            .await;
    }
    let mut found = indexes(&schema.table("t").await);
    for one in &mut found {
        *one = one.replace("where c, b", "where b, c");
    }
    assert_eq!(found, expected);
    Ok(())
}

async fn odd_names(engine: Engine) -> TestResult {
    let quoted = |sql: &str| match engine {
        Engine::MariaDb => sql.replace('"', "`"),
        _ => sql.to_owned(),
    };
    let schema = Schema::with(
        engine,
        &[
            &quoted("CREATE TABLE \"Order's list\" (\"from\" INTEGER NOT NULL PRIMARY KEY, \"to, you\" INTEGER NOT NULL,
              CONSTRAINT \"a (b\" UNIQUE (\"to, you\", \"from\"),
              CONSTRAINT \"later? ü\" CHECK (\"to, you\" > \"from\"))"),
        ],
    )
    .await;
    let table = schema.table("Order's list").await;
    let found = shown(&table);
    assert!(
        found.contains(&"unique a (b (to, you, from)".to_owned()),
        "{found:?}"
    );
    let checks: Vec<_> = table
        .constraints
        .iter()
        .filter(|c| c.name.as_deref() == Some("later? ü"))
        .collect();
    assert_eq!(checks.len(), 1, "{found:?}");
    let mut columns = checks[0].columns.clone();
    columns.sort();
    assert_eq!(columns, ["from", "to, you"]);
    Ok(())
}

async fn triggers_and_views(engine: Engine) -> TestResult {
    let schema = Schema::with(
        engine,
        &[
            "CREATE TABLE t (id INTEGER PRIMARY KEY)",
            "CREATE TABLE u (id INTEGER PRIMARY KEY)",
            "CREATE VIEW v AS SELECT id FROM t",
        ],
    )
    .await;
    match engine {
        Engine::Sqlite => {
            schema
                .run(&["CREATE TRIGGER x BEFORE INSERT ON t BEGIN SELECT 1; END"])
                .await;
        }
        Engine::Postgres => {
            schema
                .run(&[
                    "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
                    "CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
                ])
                .await;
        }
        Engine::MariaDb | Engine::MySql => {
            schema
                .run(&["CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW SET @x = 1"])
                .await;
        }
    }
    assert!(schema.table("t").await.triggers);
    assert!(!schema.table("u").await.triggers);
    assert!(schema.table("v").await.constraints.is_empty());
    Ok(())
}

async fn tables_that_are_asked_for(engine: Engine) -> TestResult {
    let schema = Schema::with(
        engine,
        &[
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER UNIQUE)",
            "CREATE TABLE u (id INTEGER PRIMARY KEY)",
            "CREATE TABLE w (id INTEGER PRIMARY KEY)",
        ],
    )
    .await;
    let home = schema.table("t").await.schema;
    let asked = [
        (home.as_deref(), "t"),
        (None, "w"),
        (Some("nowhere"), "no"),
        (None, "x' OR 1=1"),
    ];
    let catalogue = __private::catalogue(&schema.db, Some(&asked)).await?;
    let names: Vec<&str> = catalogue.tables.iter().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["t", "w"]);
    assert_eq!(catalogue.tables[0], schema.table("t").await);
    // In a transaction it sees what that has done.
    if engine != Engine::MariaDb {
        let inside = schema
            .db
            .transact(resilient_sea_orm::TransactOptions::new(), || async {
                schema
                    .db
                    .execute_unprepared("CREATE TABLE fresh (id INTEGER PRIMARY KEY)")
                    .await?;
                let seen = __private::catalogue(&schema.db, Some(&[(None, "fresh")])).await?;
                Ok::<_, resilient_sea_orm::Error>(seen.tables.len())
            })
            .await?;
        assert_eq!(inside, 1);
    }
    Ok(())
}

engine_tests! {
    inline_constraints,
    unique_indexes,
    all_indexes,
    odd_names,
    triggers_and_views,
    tables_that_are_asked_for,
}
