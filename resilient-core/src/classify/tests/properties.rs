//! No text can change what a code says, and no value can pass for a constraint.

use proptest::prelude::*;

use super::*;

/// Codes whose verdict the text has no part in, with what a plain text gives.
const UNAMBIGUOUS: &[(Backend, &str)] = &[
    (Backend::Postgres, "23505"),
    (Backend::Postgres, "23503"),
    (Backend::Postgres, "23514"),
    (Backend::Postgres, "25006"),
    (Backend::Postgres, "25P02"),
    (Backend::Postgres, "40001"),
    (Backend::Postgres, "40P01"),
    (Backend::Postgres, "42P01"),
    (Backend::Postgres, "42601"),
    (Backend::Postgres, "55P03"),
    (Backend::Postgres, "57014"),
    (Backend::Postgres, "57P01"),
    (Backend::Postgres, "P0001"),
    (Backend::MySql, "1048"),
    (Backend::MySql, "1062"),
    (Backend::MySql, "1064"),
    (Backend::MySql, "1205"),
    (Backend::MySql, "1213"),
    (Backend::MySql, "1366"),
    (Backend::MySql, "1451"),
    (Backend::MySql, "1452"),
    (Backend::MySql, "1644"),
    (Backend::MySql, "2013"),
    (Backend::MySql, "3819"),
    (Backend::Sqlite, "5"),
    (Backend::Sqlite, "13"),
    (Backend::Sqlite, "275"),
    (Backend::Sqlite, "517"),
    (Backend::Sqlite, "787"),
    (Backend::Sqlite, "1299"),
    (Backend::Sqlite, "2067"),
];

/// Text that looks like what parsers look for.
fn hostile() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop_oneof![
            Just("' for key 'PRIMARY".to_owned()),
            Just("' for key 'users.email'".to_owned()),
            Just("'".to_owned()),
            Just("`".to_owned()),
            Just("\"".to_owned()),
            Just(")=(".to_owned()),
            Just("Key (id)=(1) already exists.".to_owned()),
            Just("UNIQUE constraint failed: t.a".to_owned()),
            Just("FOREIGN KEY constraint failed".to_owned()),
            Just("deadlock detected; try restarting transaction".to_owned()),
            Just("execution result undetermined".to_owned()),
            Just("WSREP replication failed".to_owned()),
            Just("cannot commit".to_owned()),
            Just("ROLLBACK ONLY".to_owned()),
            Just("Operation expired".to_owned()),
            Just(" at row 1".to_owned()),
            Just("\n".to_owned()),
            Just("--read-only".to_owned()),
            Just("Got error 149".to_owned()),
            "[a-z0-9 .,()ß漢\u{0}-\u{1f}]{0,8}",
        ],
        0..6,
    )
    .prop_map(|parts| parts.concat())
}

/// The name of an index, constraint, table or column without the quote of its language.
fn name() -> impl Strategy<Value = String> {
    "[a-zA-Zäß漢_][a-zA-Z0-9äß漢_ ,-]{0,12}"
}

proptest! {
    #[test]
    fn no_text_changes_an_unambiguous_verdict(
        at in 0..UNAMBIGUOUS.len(),
        message in hostile(),
        detail in hostile(),
        hint in hostile(),
        phase in prop::sample::select(Phase::VARIANTS.to_vec()),
    ) {
        let (backend, code) = UNAMBIGUOUS[at];
        let plain = ErrorReport::new(backend, code, "text").phase(phase).classify();
        let fault = ErrorReport::new(backend, code, &message)
            .detail(&detail)
            .hint(&hint)
            .phase(phase)
            .classify();
        prop_assert_eq!(fault.kind(), plain.kind());
        prop_assert_eq!(fault.effect(), plain.effect());
    }

    #[test]
    fn a_value_cannot_pass_for_a_mysql_key(value in hostile(), key in "[a-zA-Z_漢]{1,9}") {
        for (engine, printed) in [
            (Engine::MySql, format!("users.{key}")),
            (Engine::TiDb, format!("users.{key}")),
            (Engine::MariaDb, key.clone()),
        ] {
            for message in [
                format!("Duplicate entry '{value}' for key '{printed}'"),
                format!("Doppelter Eintrag '{value}' für Schlüssel '{printed}'"),
                format!("Duplikalt bejegyzes '{value}' a '{printed}' kulcs szerint"),
                format!("'{value}' は索引 '{printed}' で重複しています。"),
                format!("Zdvojený klíč '{value}' (číslo klíče '{printed}')"),
                format!("重复条目'{value}'键'{printed}'"),
            ] {
                let fault = ErrorReport::new(Backend::MySql, "1062", &message)
                    .engine(engine)
                    .classify();
                prop_assert_eq!(fault.kind(), FaultKind::Unique);
                prop_assert_eq!(fault.constraint(), Some(key.as_str()), "{}", message);
            }
        }
    }

    #[test]
    fn a_value_cannot_pass_for_a_mysql_column(value in hostile(), column in "[a-zA-Z_漢]{1,9}") {
        for message in [
            format!("Incorrect integer value: '{value}' for column '{column}' at row 1"),
            format!("Incorrect integer value: '{value}' for column `app`.`t`.`{column}` at row 12"),
        ] {
            let fault = ErrorReport::new(Backend::MySql, "1366", &message).classify();
            prop_assert_eq!(fault.columns(), std::slice::from_ref(&column));
        }
        // Here the text has no column: the value must not become one.
        let message = format!("Truncated incorrect DOUBLE value: '{value}'");
        let fault = ErrorReport::new(Backend::MySql, "1292", &message).classify();
        prop_assert!(fault.columns().is_empty());
        let message = format!(
            "Foreign key constraint for table 'parent', record '{value}' would lead to a \
             duplicate entry in table '{column}', key 'uq'"
        );
        let fault = ErrorReport::new(Backend::MySql, "1761", &message).classify();
        prop_assert_eq!(fault.constraint(), Some("uq"));
        prop_assert_eq!(fault.table(), Some(column.as_str()));
    }

    #[test]
    fn mysql_foreign_keys_survive_any_name(
        names in prop::collection::vec("[a-z`'(),. ]{1,9}", 2..5),
        cut in 0..20_usize,
    ) {
        let quote = |name: &str| format!("`{}`", name.replace('`', "``"));
        let columns: Vec<String> = names[1..].to_vec();
        let list: Vec<String> = columns.iter().map(|c| quote(c)).collect();
        let head = format!(
            "Cannot add or update a child row: a foreign key constraint fails (`app`.{}, \
             CONSTRAINT {} FOREIGN KEY ({})",
            quote(&names[0]), quote(&names[1]), list.join(", "),
        );
        let tail = " REFERENCES `p` (`id`))";
        let message = format!("{head}{}", &tail[..tail.len() - cut]);
        let fault = ErrorReport::new(Backend::MySql, "1452", &message).classify();
        prop_assert_eq!(fault.table(), Some(names[0].as_str()));
        prop_assert_eq!(fault.constraint(), Some(names[1].as_str()));
        prop_assert_eq!(fault.columns(), columns.as_slice());
    }

    #[test]
    fn a_value_cannot_pass_for_a_postgres_column(
        value in hostile(),
        columns in prop::collection::vec(name(), 1..4),
    ) {
        let quoted: Vec<String> = columns
            .iter()
            .map(|c| format!("\"{}\"", c.replace('"', "\"\"")))
            .collect();
        for detail in [
            format!("Key ({})=({value}) already exists.", quoted.join(", ")),
            format!("Schlüssel »({})=({value})« existiert bereits.", quoted.join(", ")),
            format!("Ключ \"({})=({value})\" уже существует.", quoted.join(", ")),
        ] {
            let fault = ErrorReport::new(Backend::Postgres, "23505", "duplicate")
                .constraint("uq")
                .detail(&detail)
                .classify();
            prop_assert_eq!(fault.constraint(), Some("uq"));
            prop_assert_eq!(fault.columns(), columns.as_slice());
        }
        let detail = format!("Key ({})=({value}) is not present in table \"p\".", columns.join(", "));
        let fault = ErrorReport::new(Backend::Postgres, "23503", "fk").detail(&detail).classify();
        let expected: Vec<&str> = columns.iter().flat_map(|c| c.split(", ")).collect();
        prop_assert_eq!(fault.columns(), expected.as_slice());
    }

    #[test]
    fn sqlite_names_survive_whatever_they_hold(
        table in "[a-z'\"` ]{1,6}(\\.[a-z']{1,4})?",
        columns in prop::collection::vec("[a-zß'\"`(]{1,4}(,[a-z]{1,3})?", 1..4),
    ) {
        let list: Vec<String> = columns.iter().map(|c| format!("{table}.{c}")).collect();
        let message = format!("UNIQUE constraint failed: {}", list.join(", "));
        let plain = ErrorReport::new(Backend::Sqlite, "2067", &message);
        for fault in [plain.classify(), plain.table(&table).classify()] {
            prop_assert_eq!(fault.kind(), FaultKind::Unique);
            prop_assert_eq!(fault.table(), Some(table.as_str()));
            prop_assert_eq!(fault.columns(), columns.as_slice());
        }
    }

    #[test]
    fn nothing_panics(
        backend in prop::sample::select(Backend::VARIANTS.to_vec()),
        code in prop_oneof!["[0-9A-Z]{0,6}", "[0-9]{1,4}", "\\PC{0,4}"],
        message in prop_oneof![hostile(), "\\PC{0,40}"],
        detail in hostile(),
        engine in prop::sample::select(Engine::VARIANTS.to_vec()),
        phase in prop::sample::select(Phase::VARIANTS.to_vec()),
    ) {
        let fault = ErrorReport::new(backend, &code, &message)
            .detail(&detail)
            .engine(engine)
            .phase(phase)
            .classify();
        prop_assert_eq!(fault.code(), code.trim_ascii());
        // A violation always has its constraint kind, and a name is never empty.
        prop_assert_eq!(fault.constraint_kind(), fault.kind().constraint_kind());
        // Nothing that ended the session while COMMIT was in flight may look retryable.
        if phase == Phase::Commit && fault.effect() == Effect::Connection {
            prop_assert!(matches!(
                fault.kind(),
                FaultKind::SerializationFailure | FaultKind::Deadlock
            ) || backend == Backend::Sqlite);
        }
    }
}
