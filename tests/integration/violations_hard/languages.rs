//! Servers that speak other languages say the same.

use sea_orm::ConnectionTrait;
use support::{Engine, TestResult};

use super::lab::Lab;

/// Every language that MariaDB's messages come in.
const LOCALES: [&str; 25] = [
    "en_US", "bg_BG", "zh_CN", "cs_CZ", "da_DK", "nl_NL", "et_EE", "fr_FR", "ka_GE", "de_DE",
    "el_GR", "hi_IN", "hu_HU", "it_IT", "ja_JP", "ko_KR", "no_NO", "pl_PL", "pt_PT", "ro_RO",
    "ru_RU", "sr_RS", "sk_SK", "es_ES", "sv_SE",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn violations_are_named_in_every_language_on_mariadb() -> TestResult {
    let lab = Lab::new(
        Engine::MariaDb,
        &[
            "CREATE TABLE p (id INT PRIMARY KEY)",
            "CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(99) NOT NULL, p INT, \
             UNIQUE KEY uq_a (a), UNIQUE KEY `it's` (p, id), CONSTRAINT ck CHECK (id < 100), \
             CONSTRAINT fk FOREIGN KEY (p) REFERENCES p (id))",
            "CREATE TABLE child (id INT, a INT, UNIQUE KEY uq_child (a), \
             CONSTRAINT fk_child FOREIGN KEY (a) REFERENCES p (id) ON UPDATE CASCADE)",
            "INSERT INTO p VALUES (1), (2)",
            "INSERT INTO t VALUES (1, 'x'' for key ''ck', 1), (2, 'b`b', NULL)",
        ],
    )
    .await;
    let mut spoken = 0;
    for locale in LOCALES {
        let set = format!("SET lc_messages = '{locale}'");
        let text = lab
            .inside(
                &[&set],
                &lab.statement("INSERT INTO t VALUES (3, NULL, NULL)", vec![]),
            )
            .await;
        let text = text.db_err().map(ToString::to_string).unwrap_or_default();
        spoken += i32::from(!text.contains("cannot be null"));
        for (sql, expected) in [
            (
                "INSERT INTO t VALUES (1, 'y', NULL)",
                "unique t.PRIMARY(id)",
            ),
            (
                "INSERT INTO t VALUES (3, 'x'' for key ''ck', NULL)",
                "unique t.uq_a(a)",
            ),
            ("INSERT INTO t VALUES (3, 'b`b', NULL)", "unique t.uq_a(a)"),
            ("INSERT INTO t VALUES (3, NULL, NULL)", "not_null t.?(a)"),
            ("INSERT INTO t (id) VALUES (3)", "not_null t.?(a)"),
            ("INSERT INTO t VALUES (100, 'y', NULL)", "check t.ck(id)"),
            (
                "INSERT INTO t VALUES (3, 'y', 7)",
                "foreign_key t.fk(p) -> p",
            ),
            ("DELETE FROM p WHERE id = 1", "restrict t.fk(p) -> p"),
        ] {
            assert_eq!(
                lab.refused_after(&[&set], sql).await,
                expected,
                "{locale}: {sql}"
            );
        }
    }
    assert!(spoken >= 20, "{spoken} other languages");
    Ok(())
}

/// A translation does not tell where a name with a quote in it begins; the catalogue does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_with_a_quote_in_its_name_is_named_in_german_on_mariadb() -> TestResult {
    let lab = Lab::new(
        Engine::MariaDb,
        &[
            "CREATE TABLE t (a INT, b INT, c INT, UNIQUE KEY `it's` (a), UNIQUE KEY s (b), \
             UNIQUE KEY `y' for key 's` (c))",
            "INSERT INTO t VALUES (1, 1, 1)",
        ],
    )
    .await;
    for locale in ["en_US", "de_DE", "fr_FR", "ru_RU", "ja_JP"] {
        let set = format!("SET lc_messages = '{locale}'");
        for (sql, expected) in [
            ("INSERT INTO t VALUES (1, 2, 2)", "unique t.it's(a)"),
            ("INSERT INTO t VALUES (2, 1, 2)", "unique t.s(b)"),
            (
                "INSERT INTO t VALUES (2, 2, 1)",
                "unique t.y' for key 's(c)",
            ),
        ] {
            let said = lab.refused_after(&[&set], sql).await;
            // Where two of the names end alike, the text can mean either.
            let honest = said == expected || said == "unique t.?()";
            assert!(honest, "{locale}: {sql}: {said}");
        }
    }
    lab.db.execute_unprepared("DROP INDEX s ON t").await?;
    for locale in ["de_DE", "ja_JP"] {
        let set = format!("SET lc_messages = '{locale}'");
        let said = lab
            .refused_after(&[&set], "INSERT INTO t VALUES (1, 2, 2)")
            .await;
        assert_eq!(said, "unique t.it's(a)", "{locale}");
    }
    Ok(())
}
