//! Values that look like the server's own words, and names that need quotes.

use resilient_sea_orm::Error;
use sea_orm::ConnectionTrait;
use support::{Engine, TestResult, engine_tests};

use super::lab::{Lab, shown};

/// In each value, and nowhere else.
const MARK: &str = "zq7";

fn values() -> Vec<String> {
    [
        "a' for key 'PRIMARY",
        "a' for key 't.uq_other",
        "' for key 'uq_other' for key '",
        "x\" violates unique constraint \"uq_other\"",
        "`db`.`t`, CONSTRAINT `uq_other` FOREIGN KEY (`b`) REFERENCES `x` (`y`))",
        ")=(",
        ") already exists.",
        "(b)=(1) already exists.",
        "Key (b)=(1) already exists.",
        "UNIQUE constraint failed: t.b",
        "line\nline\r\n'\tx",
        "\"\"''``\\",
        "ünïcödé 🦀 \u{202e}",
        ", b)=(",
        "%s %d {} {table} {{",
    ]
    .iter()
    .map(|text| format!("{MARK}{text}"))
    .chain([
        format!("{MARK}{}", "x".repeat(180)),
        format!("{}' for key 'uq_other{MARK}", "'".repeat(60)),
    ])
    .collect()
}

/// Nothing that is shown to people or written to logs holds the value.
fn keeps_quiet(error: &Error) {
    let violation = error.violation().expect("a violation");
    for text in [
        format!("{error}"),
        format!("{error:?}"),
        format!("{:?}", error.fault()),
        format!("{violation:?} {violation}"),
        format!("{:?}", violation.problem()),
        serde_json::to_string(violation).expect("JSON"),
        serde_json::to_string(&violation.problem()).expect("JSON"),
    ] {
        assert!(!text.contains(MARK), "{text}");
    }
}

async fn no_value_is_taken_for_the_servers_words(engine: Engine) -> TestResult {
    let lab = Lab::new(
        engine,
        &[
            "CREATE TABLE p (name VARCHAR(300) PRIMARY KEY)",
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a VARCHAR(300) NOT NULL, b VARCHAR(300), \
             p VARCHAR(300), CONSTRAINT fk_p FOREIGN KEY (p) REFERENCES p (name), \
             CONSTRAINT ck CHECK (b <> a))",
            "CREATE UNIQUE INDEX uq_a ON t (a)",
            "CREATE UNIQUE INDEX uq_other ON t (b)",
        ],
    )
    .await;
    for (id, value) in (1_i32..).zip(values()) {
        let insert = match engine {
            Engine::Postgres => "INSERT INTO t VALUES ($1, $2, $3, $4)",
            _ => "INSERT INTO t VALUES (?, ?, ?, ?)",
        };
        let row = |id: i32, a: &str, b: Option<&str>, p: Option<&str>| {
            vec![
                id.into(),
                a.into(),
                b.map(str::to_owned).into(),
                p.map(str::to_owned).into(),
            ]
        };
        let first = row(id, &value, None, None);
        lab.db.execute_raw(lab.statement(insert, first)).await?;
        for (values, expected) in [
            (row(id + 1000, &value, None, None), "unique t.uq_a(a)"),
            (
                row(id + 1000, "other", None, Some(&value)),
                "foreign_key t.fk_p(p) -> p",
            ),
            (
                row(id + 1000, &value, Some(&value), None),
                "check t.ck(b, a)",
            ),
        ] {
            assert_eq!(
                lab.refused_with(insert, values.clone()).await,
                expected,
                "{value}"
            );
            keeps_quiet(&lab.inside(&[], &lab.statement(insert, values)).await);
        }
    }
    Ok(())
}

/// Names of a table, a column, an index and a referenced table.
const NAMES: [[&str; 4]; 8] = [
    ["Order Lines", "Line No", "Uq Line", "Big Orders"],
    ["a.b", "c", "d.e", "f.g"],
    ["dots", "c.d", "i.j", "par.ent"],
    ["it's", "it's too", "uq's", "who's"],
    ["do\"uble", "col\"umn", "in\"dex", "pa\"rent"],
    ["back`tick", "col`umn", "in`dex", "pa`rent"],
    ["straße", "größe", "schlüssel", "möbel"],
    ["UPPER", "Mixed", "UQ_Mixed", "Parent"],
];

fn quoted(engine: Engine, name: &str) -> String {
    match engine {
        Engine::MariaDb => format!("`{}`", name.replace('`', "``")),
        _ => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

async fn names_that_need_quotes_are_told_as_they_are(engine: Engine) -> TestResult {
    let lab = Lab::new(engine, &[]).await;
    for [table, column, index, parent] in NAMES {
        let [t, c, i, p] = [table, column, index, parent].map(|name| quoted(engine, name));
        let (ck, fk) = (format!("ck {column}"), format!("fk {column}"));
        let [ckq, fkq] = [&*ck, &*fk].map(|name| quoted(engine, name));
        lab.run(&[
            &format!("CREATE TABLE {p} (id INTEGER PRIMARY KEY)"),
            &format!(
                "CREATE TABLE {t} (id INTEGER PRIMARY KEY, {c} INTEGER NOT NULL, n INTEGER, \
                 ref INTEGER, CONSTRAINT {ckq} CHECK ({c} < 100), \
                 CONSTRAINT {fkq} FOREIGN KEY (ref) REFERENCES {p} (id))"
            ),
            &format!("CREATE UNIQUE INDEX {i} ON {t} ({c})"),
            &format!("INSERT INTO {p} VALUES (1)"),
            &format!("INSERT INTO {t} VALUES (1, 1, 1, 1)"),
        ])
        .await;
        let pool = lab
            .refused(&format!("INSERT INTO {t} VALUES (2, 1, 1, NULL)"))
            .await;
        assert_eq!(pool, format!("unique {table}.{index}({column})"));
        let check = lab
            .refused(&format!("INSERT INTO {t} VALUES (2, 100, 1, NULL)"))
            .await;
        assert_eq!(check, format!("check {table}.{ck}({column})"));
        let null = lab.refused(&format!("UPDATE {t} SET {c} = NULL")).await;
        assert_eq!(null, format!("not_null {table}.?({column})"));
        let child = lab
            .refused(&format!("INSERT INTO {t} VALUES (2, 2, 1, 7)"))
            .await;
        assert_eq!(child, format!("foreign_key {table}.{fk}(ref) -> {parent}"));
        let used = lab.refused(&format!("DELETE FROM {p}")).await;
        assert_eq!(used, format!("restrict {table}.{fk}(ref) -> {parent}"));
    }
    Ok(())
}

/// With no room in the pool, the error's own text is all there is.
async fn names_that_need_quotes_are_told_without_the_catalogue(engine: Engine) -> TestResult {
    let lab = Lab::new(engine, &[]).await;
    let small = super::lab::connect(lab.test.url(), resilient_sea_orm::Builder::default(), 1).await;
    for [table, column, index, _] in NAMES {
        let [t, c, i] = [table, column, index].map(|name| quoted(engine, name));
        lab.run(&[
            &format!("CREATE TABLE {t} (id INTEGER, {c} VARCHAR(90))"),
            &format!("CREATE UNIQUE INDEX {i} ON {t} ({c}, id)"),
            &format!("INSERT INTO {t} VALUES (1, 'x')"),
        ])
        .await;
        let body = || async {
            small
                .execute_unprepared(&format!("INSERT INTO {t} VALUES (1, 'x')"))
                .await?;
            Ok::<_, Error>(())
        };
        let options = resilient_sea_orm::TransactOptions::new();
        let error = small.transact(options, body).await.unwrap_err();
        let said = shown(error.violation().expect("a violation"));
        assert_eq!(said, format!("unique {table}.{index}({column}, id)"));
    }
    Ok(())
}

engine_tests! {
    no_value_is_taken_for_the_servers_words,
    names_that_need_quotes_are_told_as_they_are,
}
engine_tests! { on_postgres: names_that_need_quotes_are_told_without_the_catalogue }
