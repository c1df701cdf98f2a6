//! Unique indexes that are more than a list of columns.

use support::{Engine, TestResult, engine_tests};

use super::lab::Lab;

async fn expressions_and_parts_are_told_by_name_and_columns(engine: Engine) -> TestResult {
    let lab = Lab::new(
        engine,
        &[
            "CREATE TABLE t (id INTEGER PRIMARY KEY, email TEXT, tenant INTEGER, gone INTEGER, w TEXT)",
            "CREATE UNIQUE INDEX uq_lower ON t (lower(email), tenant)",
            "CREATE UNIQUE INDEX uq_part ON t (tenant, w) WHERE gone IS NULL",
            "CREATE UNIQUE INDEX \"uq of both\" ON t (coalesce(w, 'x'), upper(email)) WHERE gone = 7",
            "INSERT INTO t VALUES (1, 'A@b', 1, NULL, 'w'), (2, 'c', 2, 7, NULL)",
        ],
    )
    .await;
    let said = lab
        .refused("INSERT INTO t VALUES (3, 'a@B', 1, 1, 'v')")
        .await;
    assert_eq!(said, "unique t.uq_lower(email, tenant)");
    let said = lab
        .refused("INSERT INTO t VALUES (3, 'z', 1, NULL, 'w')")
        .await;
    assert_eq!(said, "unique t.uq_part(tenant, w)");
    let said = lab
        .refused("INSERT INTO t VALUES (3, 'C', 3, 7, 'x')")
        .await;
    assert_eq!(said, "unique t.uq of both(w, email)");
    Ok(())
}

async fn two_keys_on_the_same_columns_are_not_mixed_up(engine: Engine) -> TestResult {
    let lab = Lab::new(
        engine,
        &[
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER)",
            "CREATE UNIQUE INDEX uq_1 ON t (a, b)",
            "CREATE UNIQUE INDEX uq_2 ON t (a, b)",
            "INSERT INTO t VALUES (1, 1, 1)",
        ],
    )
    .await;
    let said = lab.refused("INSERT INTO t VALUES (2, 1, 1)").await;
    // SQLite tells the columns, and they are two indexes' of the same right.
    let names = match engine {
        Engine::Sqlite => "?",
        _ => "uq_1",
    };
    assert_eq!(said, format!("unique t.{names}(a, b)"));
    Ok(())
}

/// The columns of the one are those that the other's expression mentions.
async fn a_plain_key_is_told_from_one_over_an_expression(engine: Engine) -> TestResult {
    let lab = Lab::new(
        engine,
        &[
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT)",
            "CREATE UNIQUE INDEX uq_lower ON t (lower(a))",
            "CREATE UNIQUE INDEX uq_plain ON t (a)",
            "INSERT INTO t VALUES (1, 'x')",
        ],
    )
    .await;
    assert_eq!(
        lab.refused("INSERT INTO t VALUES (2, 'X')").await,
        "unique t.uq_lower(a)"
    );
    lab.run(&[
        "DROP INDEX uq_lower",
        "CREATE UNIQUE INDEX uq_lower ON t (lower(a))",
    ])
    .await;
    let said = lab.refused("INSERT INTO t VALUES (2, 'x')").await;
    // Which one is looked at first is the engine's business.
    assert!(
        ["unique t.uq_plain(a)", "unique t.uq_lower(a)"].contains(&&*said),
        "{said}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn generated_columns_are_columns_on_mariadb() -> TestResult {
    let lab = Lab::new(
        Engine::MariaDb,
        &[
            "CREATE TABLE t (id INT PRIMARY KEY, email VARCHAR(90), low VARCHAR(90) AS (LOWER(email)) VIRTUAL, \
             twice INT AS (id * 2) PERSISTENT, UNIQUE KEY uq (low), UNIQUE KEY uq2 (twice, low))",
            "INSERT INTO t (id, email) VALUES (1, 'A')",
        ],
    )
    .await;
    let said = lab
        .refused("INSERT INTO t (id, email) VALUES (2, 'a')")
        .await;
    assert_eq!(said, "unique t.uq(low)");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn included_columns_are_not_of_the_key_on_postgres() -> TestResult {
    let lab = Lab::new(
        Engine::Postgres,
        &[
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER, c INTEGER)",
            "CREATE UNIQUE INDEX uq ON t (b) INCLUDE (a, c)",
            "CREATE UNIQUE INDEX uq_null ON t (a) NULLS NOT DISTINCT",
            "INSERT INTO t VALUES (1, NULL, 1, 1)",
        ],
    )
    .await;
    assert_eq!(
        lab.refused("INSERT INTO t VALUES (2, 2, 1, 2)").await,
        "unique t.uq(b)"
    );
    assert_eq!(
        lab.refused("INSERT INTO t VALUES (2, NULL, 2, 2)").await,
        "unique t.uq_null(a)"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_domains_and_exclusions_are_named_on_postgres() -> TestResult {
    let lab = Lab::new(
        Engine::Postgres,
        &[
            "CREATE DOMAIN age AS INTEGER CONSTRAINT grown CHECK (VALUE >= 18)",
            "CREATE DOMAIN needed AS TEXT NOT NULL",
            "CREATE TABLE t (id INTEGER, part INTEGER, a age, n needed, span int4range, \
             CONSTRAINT pk PRIMARY KEY (id, part), CONSTRAINT ck CHECK (id > 0)) PARTITION BY LIST (part)",
            "CREATE TABLE t_1 PARTITION OF t FOR VALUES IN (1)",
            "CREATE TABLE t_2 PARTITION OF t FOR VALUES IN (2) PARTITION BY LIST (id)",
            "CREATE TABLE t_2_1 PARTITION OF t_2 DEFAULT",
            "CREATE UNIQUE INDEX own ON t_1 (span)",
            "CREATE TABLE ex (room INTEGER, span int4range, CONSTRAINT overlap EXCLUDE USING gist \
             (int4range(room, room, '[]') WITH =, span WITH &&))",
            "INSERT INTO t VALUES (1, 1, 20, 'x', '[1,2)'), (1, 2, 20, 'x', NULL)",
            "INSERT INTO ex VALUES (1, '[1,5)')",
        ],
    )
    .await;
    for (sql, expected) in [
        (
            "INSERT INTO t VALUES (1, 1, 20, 'x')",
            "unique t.pk(id, part)",
        ),
        (
            "INSERT INTO t VALUES (1, 2, 20, 'x')",
            "unique t.pk(id, part)",
        ),
        ("INSERT INTO t VALUES (0, 2, 20, 'x')", "check t.ck(id)"),
        ("INSERT INTO t VALUES (2, 2, 2, 'x')", "check ?.grown()"),
        ("INSERT INTO t VALUES (2, 2, 20, NULL)", "not_null ?.?()"),
        (
            "INSERT INTO ex VALUES (1, '[4,9)')",
            "exclusion ex.overlap(room, span)",
        ),
    ] {
        assert_eq!(lab.refused(sql).await, expected, "{sql}");
    }
    // A key of one partition alone: the part's name for it, whatever table it is told of.
    let own = lab
        .refused("INSERT INTO t VALUES (5, 1, 20, 'x', '[1,2)')")
        .await;
    assert!(
        ["unique t_1.own(span)", "unique t.own(span)"].contains(&&*own),
        "{own}"
    );
    // No partition at all.
    let lost = lab.refused("INSERT INTO t VALUES (1, 9, 20, 'x')").await;
    assert!(lost.starts_with("check t."), "{lost}");
    Ok(())
}

engine_tests! {
    two_keys_on_the_same_columns_are_not_mixed_up,
}
engine_tests! { on_postgres on_sqlite:
    expressions_and_parts_are_told_by_name_and_columns,
    a_plain_key_is_told_from_one_over_an_expression,
}
