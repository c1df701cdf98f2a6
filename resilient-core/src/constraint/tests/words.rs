use std::sync::Arc;

use super::super::{Declaration, Rule, Translation, Violation, register, set_message_resolver};
use crate::{
    Effect, Fault, FaultKind,
    classify::{Backend, ErrorReport},
};

fn unique(table: &str) -> Fault {
    Fault::new(FaultKind::Unique, Effect::Statement)
        .with_table(None::<&str>, table)
        .with_constraint(Some("the_key"))
        .with_columns(["email"])
}

#[test]
fn defaults_where_nothing_is_declared() {
    let violation = Violation::of(&unique("words_a")).unwrap();
    assert_eq!(violation.message(), "this email is already taken");
    assert_eq!(violation.suggestion(), Some("choose another email"));
    assert_eq!(violation.code(), "unique");
    assert!(!violation.is_declared());
    assert_eq!(violation.context(), None);
    assert!(Violation::of(&Fault::new(FaultKind::Deadlock, Effect::Transaction)).is_none());
}

#[test]
fn declared_words_and_their_placeholders() {
    register(
        Declaration::of("words_b").rule(
            Rule::unique(["email"])
                .message("{{{column}}} of {table} by {constraint}: {nonsense} {")
                .suggestion("try {value}"),
        ),
    );
    let secret = || -> Option<String> { panic!("nobody has asked for values") };
    let violation = Violation::with(&unique("words_b"), Some("Users::add"), secret).unwrap();
    assert_eq!(
        violation.message(),
        "{email} of words_b by the_key: {nonsense} {"
    );
    assert_eq!(violation.suggestion(), Some("try the value"));
    assert_eq!(violation.code(), "words_b_email_unique");
    assert_eq!(violation.context(), Some("Users::add"));
    assert!(violation.is_declared());
}

#[test]
fn a_declared_message_is_not_followed_by_a_default_suggestion() {
    register(Declaration::of("words_c").rule(Rule::unique(["email"]).message("taken")));
    let violation = Violation::of(&unique("words_c")).unwrap();
    assert_eq!(violation.suggestion(), None);
    register(Declaration::of("words_d").rule(Rule::unique(["email"]).code("taken")));
    let violation = Violation::of(&unique("words_d")).unwrap();
    assert_eq!(violation.message(), "this email is already taken");
    assert_eq!(violation.suggestion(), Some("choose another email"));
}

#[test]
fn values_only_where_they_are_asked_for() {
    register(
        Declaration::of("words_e").rule(
            Rule::unique(["email"])
                .message("{value} is taken")
                .expose_values(),
        ),
    );
    let value = || Some("a@b {table}".to_owned());
    let violation = Violation::with(&unique("words_e"), None, value).unwrap();
    // A value is not looked into for placeholders.
    assert_eq!(violation.message(), "a@b {table} is taken");
    assert!(
        !serde_json::to_string(&violation)
            .unwrap()
            .contains("\"value\"")
    );
    let violation = Violation::of(&unique("words_e")).unwrap();
    assert_eq!(violation.message(), "the value is taken");
}

#[test]
fn values_as_servers_print_them() {
    let report = ErrorReport::new(Backend::Postgres, "23505", "");
    let detail = "Key (email)=(a) already exists.) already exists.";
    assert_eq!(
        report.detail(detail).key_value(),
        Some("a) already exists.")
    );
    assert_eq!(
        report
            .detail("Key (a, b)=(1, 2) already exists.")
            .key_value(),
        None
    );
    assert_eq!(
        report
            .detail("Schlüssel »(a)=(1)« existiert bereits.")
            .key_value(),
        None
    );
    let text = "Duplicate entry 'a' for key 'PRIMARY' for key 'users.email'";
    let report = ErrorReport::new(Backend::MySql, "1062", text);
    assert_eq!(report.key_value(), Some("a' for key 'PRIMARY"));
    let report = ErrorReport::new(Backend::Sqlite, "2067", "UNIQUE constraint failed: a.b");
    assert_eq!(report.key_value(), None);
}

#[test]
fn other_languages() {
    let german = |violation: &Violation| {
        (violation.table() == Some("words_f")).then(|| {
            Translation::new("{column} ist vergeben").with_suggestion("wähle etwas anderes")
        })
    };
    let plain = Violation::of(&unique("words_f")).unwrap();
    let translated = plain.clone().translated(&german);
    assert_eq!(translated.message(), "email ist vergeben");
    assert_eq!(translated.code(), plain.code());
    // For the process: the table keeps other tests' violations out of it.
    assert!(set_message_resolver(Some(Arc::new(german))).is_none());
    assert_eq!(Violation::of(&unique("words_f")).unwrap(), translated);
    assert!(set_message_resolver(None).is_some());
    assert_eq!(Violation::of(&unique("words_f")).unwrap(), plain);
}

#[test]
fn statuses() {
    for (kind, status) in [
        (FaultKind::Unique, 409),
        (FaultKind::Exclusion, 409),
        (FaultKind::Restrict, 409),
        (FaultKind::ForeignKey, 422),
        (FaultKind::NotNull, 422),
        (FaultKind::Check, 422),
    ] {
        let violation = Violation::of(&Fault::new(kind, Effect::Statement)).unwrap();
        assert_eq!(violation.problem().status, status);
        assert!(!violation.message().is_empty());
    }
}
