//! Constraints of other tables, reached by what foreign keys do on their own.

use support::{Engine, TestResult, engine_tests};

use super::lab::Lab;

/// Names of constraints are the same on parent and child wherever the engine allows it.
async fn a_cascade_is_told_from_the_statements_own_table(engine: Engine) -> TestResult {
    let check = |column: &str| format!("CONSTRAINT ck CHECK ({column} <> 50)");
    let lab = Lab::new(
        engine,
        &[
            &format!("CREATE TABLE p (id INTEGER PRIMARY KEY, v INTEGER, {})", check("id")),
            // The child's check refuses to follow its parent.
            &format!(
                "CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER, \
                 CONSTRAINT fk_c FOREIGN KEY (p) REFERENCES p (id) ON UPDATE CASCADE ON DELETE CASCADE, \
                 {})",
                // MariaDB has no checks of what a cascade writes.
                match engine {
                    Engine::MariaDb => "CONSTRAINT ck CHECK (id <> 50)",
                    _ => "CONSTRAINT ck CHECK (p <> 70 AND p <> 50)",
                }
            ),
            "CREATE TABLE q (id INTEGER PRIMARY KEY)",
            "CREATE TABLE d (id INTEGER PRIMARY KEY, q INTEGER, n INTEGER, \
             CONSTRAINT fk_d FOREIGN KEY (q) REFERENCES q (id) ON UPDATE CASCADE ON DELETE CASCADE)",
            "CREATE UNIQUE INDEX uq_d ON d (q)",
            // A chain that ends where somebody refuses: e goes with d, f does not go with e.
            "CREATE TABLE e (id INTEGER PRIMARY KEY, d INTEGER, \
             CONSTRAINT fk_e FOREIGN KEY (d) REFERENCES d (id) ON DELETE CASCADE)",
            "CREATE TABLE f (id INTEGER PRIMARY KEY, e INTEGER, \
             CONSTRAINT fk_f FOREIGN KEY (e) REFERENCES e (id) ON DELETE RESTRICT)",
            "INSERT INTO p VALUES (1, 1)",
            "INSERT INTO c VALUES (1, 1)",
            "INSERT INTO q VALUES (1), (2)",
            "INSERT INTO d VALUES (1, 1, 1)",
            "INSERT INTO e VALUES (1, 1)",
            "INSERT INTO f VALUES (1, 1)",
        ],
    )
    .await;
    assert_eq!(
        lab.refused("UPDATE p SET id = 50").await,
        match engine {
            // Two tables have a check of that name.
            Engine::Sqlite => "check ?.ck()",
            _ => "check p.ck(id)",
        }
    );
    // MariaDB does not look at a child's checks.
    if engine != Engine::MariaDb {
        assert_eq!(
            lab.refused("UPDATE p SET id = 70").await,
            match engine {
                Engine::Sqlite => "check ?.ck()",
                _ => "check c.ck(p)",
            }
        );
    }
    assert_eq!(
        lab.refused("DELETE FROM q WHERE id = 1").await,
        "restrict f.fk_f(e) -> e"
    );
    assert_eq!(
        lab.refused("DELETE FROM d").await,
        "restrict f.fk_f(e) -> e"
    );
    assert_eq!(lab.count("f").await, 1);
    Ok(())
}

async fn an_update_that_cascades_into_a_key_names_the_childs(engine: Engine) -> TestResult {
    let lab = Lab::new(
        engine,
        &[
            "CREATE TABLE q (id INTEGER, n INTEGER PRIMARY KEY)",
            "CREATE UNIQUE INDEX uq ON q (id)",
            "CREATE TABLE d (id INTEGER PRIMARY KEY, q INTEGER, g INTEGER, \
             CONSTRAINT fk_d FOREIGN KEY (q) REFERENCES q (id) ON UPDATE CASCADE)",
            &match engine {
                Engine::MariaDb => "CREATE UNIQUE INDEX uq ON d (g, q)".to_owned(),
                _ => "CREATE UNIQUE INDEX uq_d ON d (g, q)".to_owned(),
            },
            "INSERT INTO q VALUES (1, 1), (2, 2), (3, 3)",
        ],
    )
    .await;
    match engine {
        Engine::Sqlite => {
            // Rows from before foreign keys were enforced, in the way of the one that follows.
            lab.run(&[
                "PRAGMA foreign_keys = OFF",
                "INSERT INTO d VALUES (1, 1, 7), (2, 9, 7)",
                "PRAGMA foreign_keys = ON",
            ])
            .await;
        }
        Engine::MariaDb | Engine::MySql => {
            lab.run(&[
                "SET foreign_key_checks = 0",
                "INSERT INTO d VALUES (1, 1, 7), (2, 9, 7)",
                "SET foreign_key_checks = 1",
            ])
            .await;
        }
        Engine::Postgres => {
            lab.run(&[
                "SET session_replication_role = replica",
                "INSERT INTO d VALUES (1, 1, 7), (2, 9, 7)",
                "SET session_replication_role = origin",
            ])
            .await;
        }
    }
    assert_eq!(
        lab.refused("UPDATE q SET id = 9 WHERE id = 1").await,
        match engine {
            Engine::MariaDb => "unique d.uq(g, q)",
            _ => "unique d.uq_d(g, q)",
        }
    );
    assert_eq!(
        lab.refused("UPDATE q SET id = 3 WHERE id = 2").await,
        "unique q.uq(id)"
    );
    Ok(())
}

/// `ON DELETE SET NULL` against NOT NULL, and against a check that has the parent's name.
/// MariaDB refuses such tables.
async fn set_null_names_the_child(engine: Engine) -> TestResult {
    let lab = Lab::new(
        engine,
        &[
            "CREATE TABLE p (id INTEGER PRIMARY KEY, x INTEGER CONSTRAINT ck CHECK (x IS NOT NULL))",
            "CREATE TABLE c (p INTEGER NOT NULL REFERENCES p (id) ON DELETE SET NULL)",
            "CREATE TABLE d (p INTEGER REFERENCES p (id) ON DELETE SET NULL, \
             CONSTRAINT ck CHECK (p IS NOT NULL))",
            "INSERT INTO p VALUES (1, 1), (2, 2)",
            "INSERT INTO c VALUES (1)",
            "INSERT INTO d VALUES (2)",
        ],
    )
    .await;
    assert_eq!(
        lab.refused("DELETE FROM p WHERE id = 1").await,
        "not_null c.?(p)"
    );
    // A DELETE cannot break a check of its own table, so SQLite's can be told too.
    assert_eq!(
        lab.refused("DELETE FROM p WHERE id = 2").await,
        "check d.ck(p)"
    );
    assert_eq!(
        lab.refused("INSERT INTO p VALUES (3, NULL)").await,
        "check p.ck(x)"
    );
    Ok(())
}

engine_tests! {
    a_cascade_is_told_from_the_statements_own_table,
    an_update_that_cascades_into_a_key_names_the_childs,
}
engine_tests! { on_postgres on_sqlite: set_null_names_the_child }
