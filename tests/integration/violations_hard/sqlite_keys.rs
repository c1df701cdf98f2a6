//! Which foreign key SQLite means, in every shape that a statement and a table can have.

use support::{Engine, TestResult};

use super::lab::Lab;

async fn family(ddl: &[&str]) -> Lab {
    let base = [
        "CREATE TABLE p (id INTEGER PRIMARY KEY, code TEXT UNIQUE)",
        "CREATE TABLE q (a INTEGER, b TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID",
        "INSERT INTO p VALUES (1, 'one'), (2, 'two')",
        "INSERT INTO q VALUES (1, 'x'), (2, 'y')",
    ];
    Lab::new(Engine::Sqlite, &[&base, ddl].concat()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_several_keys_is_named_on_sqlite() -> TestResult {
    let lab = family(&[
        "CREATE TABLE t (id INTEGER PRIMARY KEY, p INTEGER CONSTRAINT fk_p REFERENCES p, \
         code TEXT CONSTRAINT fk_code REFERENCES p (code), a INTEGER, b TEXT, \
         CONSTRAINT fk_q FOREIGN KEY (a, b) REFERENCES q)",
        "INSERT INTO t VALUES (1, 1, 'one', 1, 'x')",
    ])
    .await;
    for (sql, expected) in [
        (
            "INSERT INTO t VALUES (2, 9, 'one', 1, 'x')",
            "foreign_key t.fk_p(p) -> p",
        ),
        (
            "INSERT INTO t VALUES (2, 1, 'zz', 1, 'x')",
            "foreign_key t.fk_code(code) -> p",
        ),
        (
            "INSERT INTO t VALUES (2, 1, 'one', 1, 'y')",
            "foreign_key t.fk_q(a, b) -> q",
        ),
        ("UPDATE t SET b = 'y'", "foreign_key t.fk_q(a, b) -> q"),
        (
            "UPDATE t SET code = 'zz', id = 3",
            "foreign_key t.fk_code(code) -> p",
        ),
        (
            "INSERT INTO t SELECT id + 5, p, 'zz', a, b FROM t",
            "foreign_key t.fk_code(code) -> p",
        ),
        (
            "INSERT INTO t VALUES (2, 1, 'one', 1, 'x'), (3, 2, NULL, NULL, NULL), (4, 2, 'zz', 2, 'y')",
            "foreign_key t.fk_code(code) -> p",
        ),
        (
            "INSERT INTO t VALUES (1, 1, 'one', 1, 'x') ON CONFLICT (id) DO UPDATE SET p = 9",
            "foreign_key t.fk_p(p) -> p",
        ),
        (
            "REPLACE INTO t VALUES (1, 1, 'one', 9, 'x')",
            "foreign_key t.fk_q(a, b) -> q",
        ),
        (
            "INSERT INTO t VALUES (2, 9, 'one', 1, 'x') RETURNING id",
            "foreign_key t.fk_p(p) -> p",
        ),
        (
            "WITH n (x) AS (SELECT 9) INSERT INTO t SELECT 2, x, 'one', 1, 'x' FROM n",
            "foreign_key t.fk_p(p) -> p",
        ),
        ("DELETE FROM p WHERE id = 1", "restrict t.fk_p(p) -> p"),
        (
            "UPDATE p SET code = 'uno' WHERE id = 1",
            "restrict t.fk_code(code) -> p",
        ),
        (
            "UPDATE p SET id = 5 WHERE id = 1",
            "restrict t.fk_p(p) -> p",
        ),
        ("DELETE FROM q", "restrict t.fk_q(a, b) -> q"),
        (
            "REPLACE INTO p VALUES (5, 'one')",
            "restrict t.fk_p(p) -> p",
        ),
        (
            "UPDATE OR REPLACE p SET code = 'one' WHERE id = 2",
            "restrict t.fk_p(p) -> p",
        ),
    ] {
        assert_eq!(lab.refused(sql).await, expected, "{sql}");
    }
    assert_eq!(lab.count("t").await, 1);
    assert_eq!(lab.count("p WHERE code IN ('one', 'two')").await, 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_refers_to_its_own_table_is_told_from_one_that_is_referred_to_on_sqlite()
-> TestResult {
    let lab = family(&[
        "CREATE TABLE t (id INTEGER PRIMARY KEY, up INTEGER CONSTRAINT fk_up REFERENCES t (id), v TEXT UNIQUE)",
        "INSERT INTO t VALUES (1, NULL, 'a'), (2, 1, 'b')",
        "CREATE TABLE w (k TEXT PRIMARY KEY, up TEXT CONSTRAINT fk_w REFERENCES w) WITHOUT ROWID",
        "INSERT INTO w VALUES ('a', NULL), ('b', 'a')",
    ])
    .await;
    for (sql, expected) in [
        (
            "INSERT INTO t VALUES (3, 9, 'c')",
            "foreign_key t.fk_up(up) -> t",
        ),
        (
            "UPDATE t SET up = 9 WHERE id = 2",
            "foreign_key t.fk_up(up) -> t",
        ),
        ("DELETE FROM t WHERE id = 1", "restrict t.fk_up(up) -> t"),
        (
            "UPDATE t SET id = 7 WHERE id = 1",
            "restrict t.fk_up(up) -> t",
        ),
        (
            "REPLACE INTO t VALUES (5, NULL, 'a')",
            "restrict t.fk_up(up) -> t",
        ),
        (
            "INSERT INTO t VALUES (1, NULL, 'a') ON CONFLICT DO UPDATE SET id = 8",
            "restrict t.fk_up(up) -> t",
        ),
        (
            "INSERT INTO w VALUES ('c', 'z')",
            "foreign_key w.fk_w(up) -> w",
        ),
        (
            "UPDATE w SET k = 'z' WHERE k = 'a'",
            "restrict w.fk_w(up) -> w",
        ),
    ] {
        assert_eq!(lab.refused(sql).await, expected, "{sql}");
    }
    Ok(())
}

/// RESTRICT fails before there is anything to look at.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restrict_is_named_if_it_is_the_only_one_on_sqlite() -> TestResult {
    let lab = family(&[
        "CREATE TABLE r (p INTEGER CONSTRAINT fk_r REFERENCES p ON DELETE RESTRICT ON UPDATE RESTRICT)",
        "INSERT INTO r VALUES (1)",
    ])
    .await;
    assert_eq!(
        lab.refused("DELETE FROM p WHERE id = 1").await,
        "restrict r.fk_r(p) -> p"
    );
    assert_eq!(
        lab.refused("UPDATE p SET id = 9 WHERE id = 1").await,
        "restrict r.fk_r(p) -> p"
    );
    // Another key that could have been it.
    lab.run(&["CREATE TABLE s (p INTEGER CONSTRAINT fk_s REFERENCES p ON DELETE RESTRICT)"])
        .await;
    let said = lab.refused("DELETE FROM p WHERE id = 1").await;
    assert!(
        ["restrict ?.?()", "restrict r.fk_r(p) -> p"].contains(&&*said),
        "{said}"
    );
    let said = lab.refused("UPDATE p SET id = 9 WHERE id = 1").await;
    assert!(
        [
            "foreign_key ?.?()",
            "restrict ?.?()",
            "restrict r.fk_r(p) -> p"
        ]
        .contains(&&*said),
        "{said}",
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_of_cascades_ends_at_the_key_that_refused_on_sqlite() -> TestResult {
    let lab = family(&[
        "CREATE TABLE b (id INTEGER PRIMARY KEY, p INTEGER CONSTRAINT fk_b REFERENCES p ON DELETE CASCADE ON UPDATE CASCADE, UNIQUE (p))",
        "CREATE TABLE c (b INTEGER CONSTRAINT fk_c REFERENCES b (p))",
        "CREATE TABLE d (b INTEGER CONSTRAINT fk_d REFERENCES b (id))",
        "INSERT INTO b VALUES (10, 1)",
        "INSERT INTO c VALUES (1)",
    ])
    .await;
    assert_eq!(
        lab.refused("DELETE FROM p WHERE id = 1").await,
        "restrict c.fk_c(b) -> b"
    );
    assert_eq!(
        lab.refused("UPDATE p SET id = 9 WHERE id = 1").await,
        "restrict c.fk_c(b) -> b"
    );
    Ok(())
}

/// A large table is not searched while everybody waits; the key stays unnamed, or is named
/// without a search.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_table_is_not_searched_on_sqlite() -> TestResult {
    let fill = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 100001)";
    let lab = family(&[
        "CREATE TABLE one (id INTEGER PRIMARY KEY, p INTEGER CONSTRAINT fk_one REFERENCES p)",
        "CREATE TABLE two (id INTEGER PRIMARY KEY, p INTEGER CONSTRAINT fk_p REFERENCES p, o INTEGER CONSTRAINT fk_o REFERENCES p)",
        &format!("{fill} INSERT INTO one SELECT x, 1 FROM n"),
        &format!("{fill} INSERT INTO two SELECT x, 1, 2 FROM n"),
    ])
    .await;
    assert_eq!(
        lab.refused("INSERT INTO one (p) VALUES (9)").await,
        "foreign_key one.fk_one(p) -> p"
    );
    assert_eq!(
        lab.refused("INSERT INTO two (p, o) VALUES (1, 9)").await,
        "foreign_key ?.?()"
    );
    let said = lab.refused("DELETE FROM p WHERE id = 2").await;
    assert_eq!(said, "restrict ?.?()");
    assert_eq!(lab.count("two").await, 100_001);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn triggers_do_not_mislead_the_search_on_sqlite() -> TestResult {
    let lab = family(&[
        "CREATE TABLE t (id INTEGER PRIMARY KEY, p INTEGER CONSTRAINT fk_t REFERENCES p)",
        "CREATE TABLE u (id INTEGER PRIMARY KEY, p INTEGER CONSTRAINT fk_u REFERENCES p)",
        "CREATE TABLE seen (n INTEGER)",
        "CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO u (p) VALUES (NEW.p + 1); \
         INSERT INTO seen VALUES (NEW.id); END",
    ])
    .await;
    assert_eq!(
        lab.refused("INSERT INTO t VALUES (1, 2)").await,
        "foreign_key u.fk_u(p) -> p"
    );
    let both = lab.refused("INSERT INTO t VALUES (1, 8)").await;
    assert!(
        both == "foreign_key t.fk_t(p) -> p" || both == "foreign_key u.fk_u(p) -> p",
        "{both}"
    );
    assert_eq!(lab.count("seen").await, 0);
    lab.run(&["INSERT INTO t VALUES (1, 1)"]).await;
    assert_eq!(lab.count("seen").await, 1);
    Ok(())
}
