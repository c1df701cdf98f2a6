//! Triggers and routines that violate other tables' constraints, or pretend to.

use support::{Engine, TestResult, engine_tests};

use super::lab::Lab;

/// `t` and `u` have keys and checks of the same names on other columns; whoever writes to `t`
/// writes to `u` too.
async fn twins(engine: Engine) -> Lab {
    let lab = Lab::new(engine, &["CREATE TABLE p (id INTEGER PRIMARY KEY)"]).await;
    let keys = |column: &str| match engine {
        Engine::MariaDb => format!(", UNIQUE KEY uq ({column})"),
        _ => String::new(),
    };
    let check = |column: &str| match engine {
        Engine::Postgres => format!("CONSTRAINT ck CHECK ({column} < 100)"),
        _ => format!("CONSTRAINT ck CHECK ({column} <> 100)"),
    };
    let fk = |engine, table: &str| match engine {
        // A name of its own in the whole database.
        Engine::MariaDb => format!("fk_{table}"),
        _ => "fk".to_owned(),
    };
    lab.run(&[
        &format!(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, x INTEGER, r INTEGER, \
             CONSTRAINT {} FOREIGN KEY (r) REFERENCES p (id), {}{})",
            fk(engine, "t"),
            check("a"),
            keys("a"),
        ),
        &format!(
            "CREATE TABLE u (id INTEGER PRIMARY KEY, a INTEGER, x INTEGER NOT NULL, s INTEGER, \
             CONSTRAINT {} FOREIGN KEY (s) REFERENCES p (id), {}{})",
            fk(engine, "u"),
            check("x"),
            keys("x"),
        ),
    ])
    .await;
    match engine {
        Engine::Postgres => {
            lab.run(&[
                "CREATE UNIQUE INDEX uq ON t (a)",
                "CREATE UNIQUE INDEX uq2 ON u (x)",
                "CREATE FUNCTION copy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             INSERT INTO u VALUES (NEW.id, NEW.a, NEW.x, NEW.r); RETURN NEW; END $$",
                "CREATE TRIGGER copy AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION copy()",
            ])
            .await;
        }
        Engine::MariaDb | Engine::MySql => {
            lab.run(&["CREATE TRIGGER copy AFTER INSERT ON t FOR EACH ROW \
             INSERT INTO u VALUES (NEW.id, NEW.a, NEW.x, NEW.r)"])
                .await;
        }
        Engine::Sqlite => {
            lab.run(&[
                "CREATE UNIQUE INDEX uq ON t (a)",
                "CREATE UNIQUE INDEX uq2 ON u (x)",
                "CREATE TRIGGER copy AFTER INSERT ON t BEGIN \
             INSERT INTO u VALUES (NEW.id, NEW.a, NEW.x, NEW.r); END",
            ])
            .await;
        }
    }
    lab.run(&[
        "INSERT INTO p VALUES (1)",
        "INSERT INTO u VALUES (1, 1, 1, 1)",
    ])
    .await;
    lab
}

/// What one engine says.
fn on<'a>(engine: Engine, postgres: &'a str, mariadb: &'a str, sqlite: &'a str) -> &'a str {
    match engine {
        Engine::Postgres => postgres,
        Engine::MariaDb | Engine::MySql => mariadb,
        Engine::Sqlite => sqlite,
    }
}

async fn what_a_trigger_violates_is_not_blamed_on_the_statements_table(
    engine: Engine,
) -> TestResult {
    let lab = twins(engine).await;
    let unique = lab.refused("INSERT INTO t VALUES (5, 5, 1, NULL)").await;
    let expected = on(
        engine,
        "unique u.uq2(x)",
        "unique ?.uq()",
        "unique u.uq2(x)",
    );
    assert_eq!(unique, expected);
    let primary = lab.refused("INSERT INTO t VALUES (1, 5, 5, NULL)").await;
    let expected = on(
        engine,
        "unique u.u_pkey(id)",
        "unique ?.PRIMARY()",
        "unique u.?(id)",
    );
    assert_eq!(primary, expected);
    let null = lab.refused("INSERT INTO t VALUES (5, 5, NULL, NULL)").await;
    let expected = on(
        engine,
        "not_null u.?(x)",
        "not_null ?.?(x)",
        "not_null u.?(x)",
    );
    assert_eq!(null, expected);
    let check = lab.refused("INSERT INTO t VALUES (5, 5, 100, NULL)").await;
    let expected = on(engine, "check u.ck(x)", "check u.ck(x)", "check ?.ck()");
    assert_eq!(check, expected);
    Ok(())
}

async fn a_foreign_key_that_a_trigger_violates_is_its_own(engine: Engine) -> TestResult {
    let lab = twins(engine).await;
    match engine {
        Engine::Sqlite => lab.run(&[
            "DROP TRIGGER copy",
            "CREATE TRIGGER copy AFTER INSERT ON t BEGIN INSERT INTO u VALUES (NEW.id, 2, NEW.x, 77); END",
        ]).await,
        Engine::MariaDb | Engine::MySql => lab.run(&[
            "CREATE OR REPLACE TRIGGER copy AFTER INSERT ON t FOR EACH ROW INSERT INTO u VALUES (NEW.id, 2, NEW.x, 77)",
        ]).await,
        Engine::Postgres => lab.run(&[
            "CREATE OR REPLACE FUNCTION copy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             INSERT INTO u VALUES (NEW.id, 2, NEW.x, 77); RETURN NEW; END $$",
        ]).await,
    }
    let said = lab.refused("INSERT INTO t VALUES (5, 5, 5, 1)").await;
    let expected = on(
        engine,
        "foreign_key u.fk(s) -> p",
        "foreign_key u.fk_u(s) -> p",
        "foreign_key u.fk(s) -> p",
    );
    assert_eq!(said, expected);
    assert_eq!(lab.count("u").await, 1);
    Ok(())
}

/// What a user's code says is taken at its word, and nothing is added to it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_raised_violation_is_what_was_raised_on_postgres() -> TestResult {
    let lab = twins(Engine::Postgres).await;
    let raise = |using: &str| {
        format!(
            "DO $$ BEGIN RAISE EXCEPTION 'Key (a)=(zq7) already exists.' USING ERRCODE = 'unique_violation'{using}; END $$"
        )
    };
    for (using, expected) in [
        ("", "unique ?.?()"),
        (", CONSTRAINT = 'x'", "unique ?.x()"),
        (", CONSTRAINT = 'x', TABLE = 'y'", "unique y.x()"),
        (", CONSTRAINT = 'x', TABLE = 't'", "unique t.x()"),
        (", DETAIL = 'Key (a)=(1) already exists.'", "unique ?.?()"),
        (
            ", TABLE = 't', SCHEMA = 'other', DETAIL = 'Key (b)=(1) already exists.'",
            "unique t.?()",
        ),
    ] {
        let error = lab.inside(&[], &lab.statement(&raise(using), vec![])).await;
        let said = error.violation().expect("a violation");
        assert_eq!(super::lab::shown(said), expected, "{using}");
        assert!(!format!("{error} {error:?} {said:?}").contains("zq7"));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signalled_violation_is_not_blamed_on_a_table_on_mariadb() -> TestResult {
    let lab = Lab::new(
        Engine::MariaDb,
        &["CREATE TABLE t (id INT PRIMARY KEY, a INT NOT NULL, UNIQUE KEY uq (a))"],
    )
    .await;
    for (number, text, honest) in [
        (1062, "no!", &["unique ?.?()"][..]),
        // Whose words these are, nobody can tell.
        (1062, "Duplicate entry 'x' for key 'uq'", &["unique ?.uq()"]),
        (
            1062,
            "Duplicate entry 'x' for key 'nope'",
            &["unique ?.nope()"],
        ),
        (1048, "Column 'a' cannot be null", &["not_null ?.?(a)"]),
        (1048, "it's not my fault", &["not_null ?.?()"]),
    ] {
        let quoted = text.replace('\'', "''");
        lab.run(&[&format!(
            "CREATE OR REPLACE PROCEDURE pr() SIGNAL SQLSTATE '23000' \
             SET MYSQL_ERRNO = {number}, MESSAGE_TEXT = '{quoted}'"
        )])
        .await;
        let said = lab.refused("CALL pr()").await;
        assert!(honest.contains(&&*said), "{text}: {said}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_raise_says_what_it_likes_on_sqlite() -> TestResult {
    let lab = Lab::new(
        Engine::Sqlite,
        &[
            "CREATE TABLE p (id INTEGER PRIMARY KEY)",
            "CREATE TABLE t (x INTEGER UNIQUE, p INTEGER REFERENCES p (id))",
            "CREATE TRIGGER liar BEFORE INSERT ON t WHEN NEW.x < 10 BEGIN \
             SELECT CASE NEW.x WHEN 1 THEN RAISE(ABORT, 'UNIQUE constraint failed: t.x') \
             WHEN 2 THEN RAISE(ABORT, 'FOREIGN KEY constraint failed') \
             WHEN 3 THEN RAISE(FAIL, 'CHECK constraint failed: x') \
             WHEN 4 THEN RAISE(ROLLBACK, 'FOREIGN KEY constraint failed') END; END",
        ],
    )
    .await;
    for x in [1, 3] {
        let sql = format!("INSERT INTO t VALUES ({x}, NULL)");
        let error = lab.inside(&[], &lab.statement(&sql, vec![])).await;
        assert_eq!(error.violation(), None, "{error}");
        assert_eq!(lab.counted_in_all(), 0);
    }
    for x in [2, 4] {
        // It has the code and text of SQLite's own RESTRICT.
        let sql = format!("INSERT INTO t VALUES ({x}, NULL)");
        assert_eq!(lab.refused(&sql).await, "foreign_key ?.?()");
    }
    assert_eq!(
        lab.refused("INSERT INTO t VALUES (11, 7)").await,
        "foreign_key t.?(p) -> p"
    );
    assert_eq!(lab.count("t").await, 0);
    Ok(())
}

/// A stored function writes where it likes, whatever table the statement names.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_function_violates_is_not_blamed_on_the_statements_table_on_mariadb() -> TestResult {
    let lab = Lab::new(
        Engine::MariaDb,
        &[
            "CREATE TABLE t (id INT PRIMARY KEY, x INT NOT NULL, UNIQUE KEY uq (x))",
            "CREATE TABLE u (id INT PRIMARY KEY, x INT NOT NULL, UNIQUE KEY uq (id, x))",
            "INSERT INTO u VALUES (1, 1)",
            "CREATE FUNCTION f(n INT) RETURNS INT MODIFIES SQL DATA BEGIN \
             INSERT INTO u VALUES (n, 1); RETURN n; END",
            "CREATE FUNCTION g() RETURNS INT MODIFIES SQL DATA BEGIN \
             INSERT INTO u VALUES (9, NULL); RETURN 9; END",
            "CREATE PROCEDURE pr() INSERT INTO u VALUES (1, 5)",
        ],
    )
    .await;
    assert_eq!(
        lab.refused("INSERT INTO t VALUES (f(1), 7)").await,
        "unique ?.PRIMARY()"
    );
    assert_eq!(
        lab.refused("INSERT INTO t SELECT f(1), 7").await,
        "unique ?.PRIMARY()"
    );
    assert_eq!(
        lab.refused("INSERT INTO t VALUES (8, g())").await,
        "not_null ?.?(x)"
    );
    assert_eq!(lab.refused("CALL pr()").await, "unique ?.PRIMARY()");
    // A function of the server's own is no reason to doubt.
    lab.run(&["INSERT INTO t VALUES (1, 1)"]).await;
    assert_eq!(
        lab.refused("INSERT INTO t VALUES (ABS(-1), 7)").await,
        "unique t.PRIMARY(id)"
    );
    Ok(())
}

/// A view is another name of the table.
async fn a_violation_through_a_view_is_the_tables(engine: Engine) -> TestResult {
    let lab = Lab::new(
        engine,
        &[
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER NOT NULL)",
            "CREATE UNIQUE INDEX uq ON t (a)",
            "CREATE TABLE w (id INTEGER PRIMARY KEY, a INTEGER NOT NULL)",
            "CREATE VIEW v AS SELECT id, a FROM t",
            "INSERT INTO t VALUES (1, 1)",
        ],
    )
    .await;
    let said = lab.refused("INSERT INTO v VALUES (2, 1)").await;
    // MariaDB does not tell where a view leads, and it may lead to another database.
    let expected = on(engine, "unique t.uq(a)", "unique ?.uq()", "");
    assert_eq!(said, expected);
    let said = lab.refused("INSERT INTO v VALUES (1, 2)").await;
    let honest = on(engine, "unique t.t_pkey(id)", "unique ?.PRIMARY()", "");
    assert_eq!(said, honest);
    let said = lab.refused("INSERT INTO v VALUES (2, NULL)").await;
    assert!(
        said == "not_null t.?(a)" || said == "not_null ?.?(a)" || said == "not_null v.?(a)",
        "{said}"
    );
    Ok(())
}

engine_tests! {
    what_a_trigger_violates_is_not_blamed_on_the_statements_table,
    a_foreign_key_that_a_trigger_violates_is_its_own,
}
engine_tests! { on_postgres on_mariadb: a_violation_through_a_view_is_the_tables }
