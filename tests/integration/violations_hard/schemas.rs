//! Tables of one name in several places.

use resilient_sea_orm::constraint::{Declaration, Rule, register};
use support::{Engine, TestDb, TestResult};

use super::lab::{Lab, shown};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_of_one_name_keep_their_own_words_on_postgres() -> TestResult {
    let lab = Lab::new(
        Engine::Postgres,
        &[
            "CREATE SCHEMA shop",
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER CONSTRAINT uq UNIQUE)",
            "CREATE TABLE shop.t (id INTEGER PRIMARY KEY, b INTEGER CONSTRAINT uq UNIQUE)",
            "CREATE TABLE shop.only_here (id INTEGER PRIMARY KEY)",
            "INSERT INTO t VALUES (1, 1)",
            "INSERT INTO shop.t VALUES (1, 1)",
        ],
    )
    .await;
    let of = |schema: Option<&'static str>, text: &'static str| {
        Declaration::of("t")
            .schema(schema)
            .database(lab.db.name().to_owned())
            .rule(Rule::unique(["a"]).message(text))
            .rule(Rule::unique(["b"]).message(text))
    };
    register(of(None, "the bare one"));
    register(of(Some("shop"), "the shop's"));
    let bare = lab.refusal("INSERT INTO t VALUES (2, 1)", vec![]).await;
    assert_eq!(
        (&*shown(&bare), bare.message()),
        ("unique t.uq(a)", "the bare one")
    );
    assert_eq!(bare.schema(), Some("public"));
    let shop = lab
        .refusal("INSERT INTO shop.t VALUES (2, 1)", vec![])
        .await;
    assert_eq!(
        (&*shown(&shop), shop.message()),
        ("unique t.uq(b)", "the shop's")
    );
    assert_eq!(shop.schema(), Some("shop"));
    // A transaction that looks elsewhere for bare names says which table it was all the same.
    let moved = lab
        .inside(
            &["SET LOCAL search_path = shop"],
            &lab.statement("INSERT INTO t VALUES (2, 1)", vec![]),
        )
        .await;
    let moved = moved.violation().expect("a violation");
    assert_eq!(
        (&*shown(moved), moved.message()),
        ("unique t.uq(b)", "the shop's")
    );
    // A temporary table that hides the other.
    let temporary = lab
        .refused_after(
            &[
                "CREATE TEMPORARY TABLE t (c INTEGER CONSTRAINT uq UNIQUE) ON COMMIT DROP",
                "INSERT INTO t VALUES (1)",
            ],
            "INSERT INTO t VALUES (1)",
        )
        .await;
    assert_eq!(temporary, "unique t.uq(c)");
    Ok(())
}

/// One server, two databases: the statement says which.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_of_one_name_in_two_databases_on_mariadb() -> TestResult {
    let lab = Lab::new(
        Engine::MariaDb,
        &[
            "CREATE TABLE t (id INT PRIMARY KEY, a INT NOT NULL, UNIQUE KEY uq (a), \
             CONSTRAINT ck CHECK (a < 100))",
            "CREATE TABLE lone (id INT PRIMARY KEY, a INT, UNIQUE KEY lonely (a))",
            "INSERT INTO t VALUES (1, 1)",
        ],
    )
    .await;
    let other = TestDb::new(Engine::MariaDb).await?;
    let name = other.url().rsplit('/').next().expect("a name").to_owned();
    let name = name.split('?').next().expect("a name");
    lab.run(&[
        &format!("CREATE TABLE {name}.t (id INT PRIMARY KEY, b INT NOT NULL, UNIQUE KEY uq (b, id), UNIQUE KEY uq_b (b), CONSTRAINT ck CHECK (b < 50))"),
        &format!("CREATE TABLE {name}.u (id INT, a INT, UNIQUE KEY lonely (id))"),
        &format!("INSERT INTO {name}.t VALUES (1, 1)"),
        &format!("INSERT INTO {name}.u VALUES (1, 1)"),
    ])
    .await;
    let of = |schema: Option<String>, text: &'static str| {
        Declaration::of("t")
            .schema(schema)
            .database(lab.db.name().to_owned())
            .rule(Rule::unique(["a"]).message(text))
            .rule(Rule::unique(["b"]).message(text))
    };
    register(of(None, "the bare one"));
    register(of(Some(name.to_owned()), "the other's"));
    let bare = lab.refusal("INSERT INTO t VALUES (2, 1)", vec![]).await;
    assert_eq!(
        (&*shown(&bare), bare.message()),
        ("unique t.uq(a)", "the bare one")
    );
    let sql = format!("INSERT INTO {name}.t VALUES (2, 1)");
    let there = lab.refusal(&sql, vec![]).await;
    assert_eq!(
        (&*shown(&there), there.message()),
        ("unique t.uq_b(b)", "the other's")
    );
    assert_eq!(there.schema(), Some(name));
    let sql = format!("INSERT INTO {name}.t VALUES (2, 70)");
    assert_eq!(lab.refused(&sql).await, "check t.ck(b)");
    let sql = format!("UPDATE {name}.t SET b = NULL");
    assert_eq!(lab.refused(&sql).await, "not_null t.?(b)");

    // What writes there in a roundabout way is not blamed on the only key of that name here.
    lab.run(&[
        &format!("CREATE VIEW elsewhere AS SELECT id, a FROM {name}.u"),
        &format!("CREATE TRIGGER away AFTER INSERT ON t FOR EACH ROW INSERT INTO {name}.u VALUES (NEW.a - 6, 9)"),
        &format!("CREATE PROCEDURE away() INSERT INTO {name}.u VALUES (1, 9)"),
    ])
    .await;
    for sql in [
        "INSERT INTO elsewhere VALUES (1, 5)",
        "INSERT INTO t VALUES (7, 7)",
        "CALL away()",
    ] {
        let said = lab.refused(sql).await;
        assert!(
            ["unique ?.lonely()", "unique u.lonely(id)"].contains(&&*said),
            "{sql}: {said}"
        );
    }
    Ok(())
}

/// Attached databases and temporary tables are not read, so nothing is said about them that is
/// the main database's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attached_and_temporary_tables_are_not_taken_for_the_main_ones_on_sqlite() -> TestResult {
    let lab = Lab::new(
        Engine::Sqlite,
        &[
            "CREATE TABLE p (id INTEGER PRIMARY KEY)",
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, c INTEGER CONSTRAINT ck CHECK (c < 9))",
            "CREATE UNIQUE INDEX uq_main ON t (a)",
            "CREATE TABLE k (a INTEGER CONSTRAINT fk_main REFERENCES p (id))",
        ],
    )
    .await;
    let first = [
        "CREATE TEMP TABLE t (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER CONSTRAINT ck CHECK (b < 5), c INTEGER)",
        "CREATE UNIQUE INDEX temp.uq_temp ON t (a)",
        "CREATE TEMP TABLE p2 (id INTEGER PRIMARY KEY)",
        "CREATE TEMP TABLE k (a INTEGER CONSTRAINT fk_temp REFERENCES p2 (id))",
        "INSERT INTO t VALUES (1, 1, 1, 1)",
    ];
    for (sql, honest) in [
        (
            "INSERT INTO t VALUES (2, 1, 1, 1)",
            &["unique t.?(a)", "unique t.uq_temp(a)"][..],
        ),
        (
            "INSERT INTO t VALUES (2, 2, 7, 1)",
            &["check ?.ck()", "check t.ck(b)"],
        ),
        (
            "INSERT INTO temp.t VALUES (2, 2, 7, 1)",
            &["check ?.ck()", "check t.ck(b)"],
        ),
        (
            "INSERT INTO k VALUES (7)",
            &["foreign_key ?.?()", "foreign_key k.fk_temp(a) -> p2"],
        ),
    ] {
        // Temporary tables live as long as their connection.
        let mut first = first.to_vec();
        let drop = [
            "DROP TABLE IF EXISTS temp.t",
            "DROP TABLE IF EXISTS temp.k",
            "DROP TABLE IF EXISTS temp.p2",
        ];
        first.splice(0..0, drop);
        let said = lab.refused_after(&first, sql).await;
        assert!(honest.contains(&&*said), "{sql}: {said}");
    }
    assert_eq!(
        lab.refused("INSERT INTO k VALUES (7)").await,
        "foreign_key k.fk_main(a) -> p"
    );
    Ok(())
}
