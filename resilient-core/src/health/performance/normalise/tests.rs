//! What is kept, and that no value is, whatever the text.

use proptest::{prelude::*, sample::select};

use super::{
    Dialect::{self, MySql, Postgres, Sqlite},
    LENGTH, normalise,
};

const ALL: [Dialect; 3] = [Postgres, MySql, Sqlite];

#[test]
fn values_become_question_marks_and_the_rest_stays() {
    for (sql, expected) in [
        ("SELECT  1\n\t, 'a''b'", "SELECT ?"),
        (
            "select a from t where b=-1.5e-3",
            "select a from t where b=?",
        ),
        (
            "select a - 1 from t limit 10",
            "select a - ? from t limit ?",
        ),
        ("x in (1, 2,3 , 'a')", "x in (?)"),
        (
            "insert into t (a, b) values (1, NULL), (2, 'x'),(3,4)",
            "insert into t (a, b) values (?)",
        ),
        (
            "insert into t values (1, now()), (2, now()) returning id",
            "insert into t values (?, now()) returning id",
        ),
        ("a is null and b = TRUE", "a is null and b = ?"),
        ("select x'ff', N'n', 0xff, .5, 1_000", "select ?"),
        ("/* who */ select -- why\n a", "select a"),
        (
            "select t1.c2 from t1; select 3",
            "select t1.c2 from t1; select ?",
        ),
    ] {
        for dialect in ALL {
            assert_eq!(normalise(sql, dialect), expected, "{dialect:?}");
        }
    }
}

#[test]
fn quotes_follow_the_dialect() {
    for (dialect, sql, expected) in [
        (
            Postgres,
            r#"SELECT "u"."id" FROM "u" WHERE "u"."e" = $1 AND x::text = $tag$it's$tag$"#,
            r#"SELECT "u"."id" FROM "u" WHERE "u"."e" = ? AND x::text = ?"#,
        ),
        (Postgres, "a = E'x\\\\' and b", "a = ? and b"),
        (Postgres, "/* a /* b */ 'c' */ d", "d"),
        (Postgres, "select a$b$c", "select a$b$c"),
        (
            MySql,
            "SELECT `u`.`id` FROM `u` WHERE a = \"x\" # y",
            "SELECT `u`.`id` FROM `u` WHERE a = ?",
        ),
        (MySql, "select 1--5", "select ?--?"),
        (
            Sqlite,
            r#"SELECT "u"."id" FROM "u" WHERE "u"."name" = "ann""#,
            r#"SELECT "u"."id" FROM "u" WHERE "u"."name" = ?"#,
        ),
        (
            Sqlite,
            r#"INSERT INTO "u" ("a", "b") VALUES (?, ?2), (:c, $d)"#,
            r#"INSERT INTO "u" ("a", "b") VALUES (?)"#,
        ),
        (Sqlite, "select [it's] from t", "select [it's] from t"),
        (Sqlite, "a is distinct from \"ann\"", "a is distinct from ?"),
    ] {
        assert_eq!(normalise(sql, dialect), expected, "{dialect:?} {sql}");
    }
}

#[test]
fn what_is_not_certain_is_cut() {
    for (dialect, sql, expected) in [
        (Postgres, "a = 'x\\' and ann'", "a =…"),
        (Sqlite, "a = 'x\\' and ann'", "a =…"),
        (MySql, "a = \"x\\\" and ann\"", "a =…"),
        (MySql, "a /*! ann */", "a…"),
        (MySql, "a /*M!100 ann */", "a…"),
        (MySql, "a /* x /* y */ ann */", "a…"),
        (Postgres, "a = 'ann", "a =…"),
        (Postgres, "a = $x$ann", "a =…"),
        (Postgres, "a /* ann", "a…"),
        (Postgres, "a = 'O'Brien' and b = 'D'Arcy'", "a =…"),
        (MySql, "a = 'O' Brien' and b = 1", "a = ?…"),
        (Postgres, "SET app.user TO ann", "SET app.user TO…"),
        (Sqlite, "select 1; pragma key=ann", "select ?; pragma key=…"),
    ] {
        assert_eq!(normalise(sql, dialect), expected, "{dialect:?} {sql}");
    }
}

#[test]
fn long_texts_are_bounded_and_many_rows_are_one() {
    let rows = vec!["(1, 'ann')"; 50_000].join(", ");
    let text = normalise(&format!("INSERT INTO t VALUES {rows}"), Postgres);
    assert_eq!(text, "INSERT INTO t VALUES (?…");
    let rows = vec!["(1, 'ann')"; 5000].join(", ");
    let text = normalise(&format!("INSERT INTO t VALUES {rows}"), Postgres);
    assert_eq!(text, "INSERT INTO t VALUES (?)");
    let names = vec!["name"; 50_000].join(" ");
    assert!(normalise(&names, MySql).len() <= LENGTH + 3);
}

/// A part of a statement that holds the secret, written as the server reads it.
fn literal(dialect: Dialect, closed: bool) -> impl Strategy<Value = String> {
    let junk = "[-a-z'\"`\\\\$/*#;,() \\n\\r?%{}\\[\\]é]{0,12}";
    (junk, junk, 0..8u8).prop_map(move |(before, after, form)| {
        let inner = format!("{before} sekrit {after}");
        let quoted = |quote: &str, escapes: bool| {
            let mut inner = inner.replace(quote, &quote.repeat(2));
            if escapes {
                inner = inner.replace('\\', "\\\\");
            }
            let end = if closed { quote } else { "" };
            format!("{quote}{inner}{end}")
        };
        let dollar = || {
            let inner = inner.replace("$q$", "");
            let end = if closed { "$q$" } else { "" };
            format!("$q${}{end}", inner.trim_end_matches('$'))
        };
        let backslashed = |quote: char| {
            let inner = inner.replace('\\', "\\\\");
            let inner = inner.replace(quote, &format!("\\{quote}"));
            format!("{quote}{inner}{quote}")
        };
        match (dialect, form) {
            (Postgres, 0) => dollar(),
            (Postgres, 1) => format!("E{}", backslashed('\'')),
            (Postgres, 2) => format!("E{}", quoted("'", true)),
            (MySql, 0) => quoted("\"", true),
            (MySql, 1) => backslashed('\''),
            (MySql, 2) => backslashed('"'),
            (MySql, 3) => format!("_utf8mb4{}", quoted("'", true)),
            // Under NO_BACKSLASH_ESCAPES.
            (MySql, 4) | (Postgres, 3) => quoted("'", false),
            (Sqlite, 0) => format!("= {}", quoted("\"", false)),
            (_, 5) => format!("-- {}\n", inner.replace(['\n', '\r'], " ")),
            (_, 6) => format!("/* {} */", inner.replace(['*', '/'], " ")),
            _ => quoted("'", dialect == MySql),
        }
    })
}

fn statement() -> impl Strategy<Value = (Dialect, String)> {
    let words = select(vec![
        "select", "from t", "where", "a =", "in (", ")", ",", "values", "(", "1", "2.5e-7", "$1",
        "?", "-", "t.c", "null", "and", ";", "::text", "||", "x", "like", "escape",
    ]);
    select(ALL.to_vec()).prop_flat_map(move |dialect| {
        let part = prop_oneof![
            words.clone().prop_map(str::to_owned),
            literal(dialect, true)
        ];
        let last = prop_oneof![
            Just(String::new()),
            literal(dialect, false).prop_filter("unterminated", |l| !l.ends_with('\n')),
        ];
        (
            Just(dialect),
            proptest::collection::vec(part, 0..12).prop_map(|parts| parts.join(" ")),
            last,
        )
            .prop_map(|(dialect, parts, last)| (dialect, format!("{parts} {last}")))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn no_value_is_ever_shown((dialect, sql) in statement()) {
        let text = normalise(&sql, dialect);
        prop_assert!(!text.contains("sekrit"), "{:?} {:?} -> {:?}", dialect, sql, text);
    }

    #[test]
    fn no_number_is_ever_shown(n in 1000u64.., sign in "[-+=(, ]", dialect in select(ALL.to_vec())) {
        let text = normalise(&format!("a {sign}{n} , {n}.{n}e{n} x{sign}0x{n}"), dialect);
        prop_assert!(!text.contains(&n.to_string()), "{}", text);
    }

    #[test]
    fn any_text_is_taken_and_the_result_is_bounded(sql in "\\PC*", dialect in select(ALL.to_vec())) {
        let text = normalise(&sql, dialect);
        prop_assert!(text.len() <= LENGTH + 3);
        prop_assert!(!text.contains(char::is_control));
    }
}
