use super::*;
use crate::constraint::{Column, Parent};
use ConstraintKind as K;

fn unique(name: &str, columns: &[&str]) -> Constraint {
    live(K::Unique, name, columns)
}

fn live(kind: K, name: &str, columns: &[&str]) -> Constraint {
    let name = (!name.is_empty()).then(|| name.to_owned());
    let columns = columns.iter().map(ToString::to_string).collect();
    Constraint::new(kind, name, columns)
}

fn key(name: &str, columns: &[&str], parent: &str) -> Constraint {
    Constraint {
        references: Some(Reference {
            schema: Some("public".to_owned()),
            table: parent.to_owned(),
            columns: Vec::new(),
        }),
        ..live(K::ForeignKey, name, columns)
    }
}

fn table(name: &str, constraints: Vec<Constraint>) -> Table {
    let column = |(name, nullable): (&str, bool)| Column {
        name: name.to_owned(),
        nullable,
    };
    let primary = Constraint {
        primary: true,
        ..unique("PRIMARY", &["id"])
    };
    Table {
        schema: Some("public".to_owned()),
        name: name.to_owned(),
        visible: true,
        columns: [("id", false), ("email", false), ("age", true)]
            .map(column)
            .into(),
        constraints: [primary].into_iter().chain(constraints).collect(),
        ..Table::default()
    }
}

/// What is found on a table `users` with these constraints: how it differs, what, and the help.
fn found(constraints: Vec<Constraint>, declarations: &[Declaration]) -> Vec<String> {
    in_tables(vec![table("users", constraints)], declarations)
}

fn in_tables(tables: Vec<Table>, declarations: &[Declaration]) -> Vec<String> {
    let report = compare("main", &Catalogue { tables }, declarations);
    report.findings.iter().map(ToString::to_string).collect()
}

fn users(rule: Rule) -> [Declaration; 1] {
    [Declaration::of("users").rule(rule)]
}

#[test]
fn clean_by_columns_name_and_expression() {
    let lower = Constraint {
        expression: true,
        ..unique("users_lower", &["email"])
    };
    for (constraint, rule) in [
        (
            unique("users_email_key", &["email"]),
            Rule::unique(["email"]),
        ),
        (
            unique("", &["a", "b"]),
            Rule::unique(["b", "a"]).name("any"),
        ),
        (unique("x", &["email"]), Rule::unique([""; 0]).name("x")),
        (lower, Rule::unique(["email"])),
        (live(K::Check, "adult", &["age"]), Rule::check("adult")),
        (live(K::Check, "", &["age"]), Rule::new(K::Check, ["age"])),
        (
            live(K::Exclusion, "overlap", &["at"]),
            Rule::exclusion("overlap"),
        ),
        (
            key("", &["team_id"], "team"),
            Rule::foreign_key(["team_id"]),
        ),
    ] {
        assert_eq!(
            found(vec![constraint.clone()], &users(rule)),
            [""; 0],
            "{constraint:?}"
        );
    }
    let report = compare(
        "main",
        &Catalogue {
            tables: vec![table("users", vec![])],
        },
        &users(Rule::not_null("email")),
    );
    assert!(report.is_clean());
    assert_eq!((report.tables, report.rules), (1, 1));
    // The primary key is no finding, and is found where a rule speaks of it.
    assert_eq!(
        found(vec![], &users(Rule::unique(["id"]).name("users_pkey"))),
        [""; 0]
    );
}

#[test]
fn missing() {
    assert_eq!(
        found(vec![], &users(Rule::unique(["email"]))),
        ["users: missing: unique (email): the table has unique \"PRIMARY\" (id)"]
    );
    assert_eq!(
        found(vec![], &users(Rule::check("adult"))),
        ["users: missing: check \"adult\": the table has no check constraint"]
    );
    assert_eq!(
        found(vec![], &users(Rule::not_null("age"))),
        ["users: missing: not_null (age): the column \"age\" may be null"]
    );
    assert_eq!(
        found(vec![], &users(Rule::not_null("rage"))),
        ["users: missing: not_null (rage): there is no column \"rage\""]
    );
}

#[test]
fn renamed() {
    let there = vec![unique("uq_email", &["email"])];
    assert_eq!(
        found(there, &users(Rule::unique(["email"]).name("users_email"))),
        ["users: renamed: unique \"users_email\" (email): the schema calls it \"uq_email\""]
    );
    // One that another rule names is that one's.
    let both = Declaration::of("users")
        .rule(Rule::check("adult").message("a"))
        .rule(Rule::new(K::Check, ["age"]).name("mortal"));
    assert_eq!(
        found(vec![live(K::Check, "adult", &["age"])], &[both]),
        ["users: missing: check \"mortal\" (age): the table has check \"adult\" (age)"]
    );
}

#[test]
fn on_wrong_columns() {
    let there = || vec![unique("users_email_key", &["handle"])];
    let text = "unique \"users_email_key\" (handle) is on (handle)";
    assert_eq!(
        found(
            there(),
            &users(Rule::unique(["email"]).name("users_email_key"))
        ),
        [format!(
            "users: wrong columns: unique \"users_email_key\" (email): {text}"
        )]
    );
    // Called as one on the rule's columns would be.
    let [wrong, undeclared] = &found(there(), &users(Rule::unique(["email"])))[..] else {
        panic!("two findings");
    };
    assert_eq!(
        *wrong,
        format!("users: wrong columns: unique (email): {text}")
    );
    assert!(
        undeclared.starts_with("users: undeclared: "),
        "{undeclared}"
    );
    // MySQL calls both `email`, but this one is declared, so the other is missing.
    let both = Declaration::of("users")
        .rule(Rule::unique(["email"]))
        .rule(Rule::unique(["email", "age"]));
    let found = found(vec![unique("email", &["email"])], &[both]);
    assert_eq!(found.len(), 1);
    assert!(
        found[0].starts_with("users: missing: unique (email, age)"),
        "{found:?}"
    );
}

#[test]
fn undeclared() {
    let there = vec![
        unique("users_email_key", &["email"]),
        unique("", &["a", "b"]),
        live(K::Check, "adult", &["age"]),
        key("fk", &["team_id"], "team"),
    ];
    let report = compare(
        "main",
        &Catalogue {
            tables: vec![table("users", there)],
        },
        &[Declaration::of("users").entity("app::user::Entity")],
    );
    assert_eq!(report.errors().count(), 0);
    let found: Vec<String> = report.undeclared().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "users: undeclared: unique \"users_email_key\" (email) has a default message only; \
             on the field \"email\": `#[constraint(unique(message = \"...\"))]` [app::user::Entity]",
            "users: undeclared: unique (a, b) has a default message only; \
             on the struct: `#[constraint(unique(columns(a, b), message = \"...\"))]` \
             [app::user::Entity]",
            "users: undeclared: check \"adult\" (age) has a default message only; \
             on the struct: `#[constraint(check(name = \"adult\", message = \"...\"))]` \
             [app::user::Entity]",
            "users: undeclared: foreign_key \"fk\" (team_id) has a default message only; \
             on the field \"team_id\": `#[constraint(foreign_key(message = \"...\"))]` \
             [app::user::Entity]",
        ]
    );
    let text = report.to_string();
    assert!(
        text.starts_with("constraints of \"main\": 0 rules on 1 table: 0 errors, 4 undeclared\n"),
        "{text}"
    );
}

#[test]
fn missing_tables() {
    let other = Table {
        schema: Some("crm".to_owned()),
        visible: false,
        ..table("users", vec![])
    };
    let of = |declaration: Declaration| in_tables(vec![other.clone()], &[declaration]);
    assert_eq!(
        of(Declaration::of("users")),
        [
            "users: missing table: the bare name means no table, but there is one in schema crm: \
          add `schema_name`"
        ]
    );
    assert_eq!(
        of(Declaration::of("users").schema(Some("erp"))),
        ["erp.users: missing table: it is in schema crm"]
    );
    assert_eq!(of(Declaration::of("users").schema(Some("crm"))), [""; 0]);
    assert!(of(Declaration::of("nothing"))[0].contains("there is no such table"));
    // For another connection.
    assert_eq!(of(Declaration::of("nothing").database("other")), [""; 0]);
    assert_eq!(of(Declaration::of("nothing").database("main")).len(), 1);
}

#[test]
fn duplicates() {
    let there = || vec![unique("users_email_key", &["email"])];
    let says =
        |text: &'static str| Declaration::of("users").rule(Rule::unique(["email"]).message(text));
    let two = found(there(), &[says("a").entity("A"), says("b").entity("B")]);
    assert_eq!(two.len(), 1);
    assert!(
        two[0].starts_with("users: duplicate: unique (email): A says something else"),
        "{two:?}"
    );
    let same = found(there(), &[says("a").entity("A"), says("a").entity("B")]);
    assert_eq!(
        same,
        ["users: duplicate: unique (email): A says the same; keep one of them [B]"]
    );
    // The one that names the connection or the schema is used; it is no contest.
    assert_eq!(
        found(there(), &[says("a"), says("b").database("main")]),
        [""; 0]
    );
    assert_eq!(
        found(there(), &[says("a").schema(Some("public")), says("b")]),
        [""; 0]
    );
    // By name and by columns: not equally about it.
    let named = Declaration::of("users").rule(Rule::unique([""; 0]).name("users_email_key"));
    assert_eq!(found(there(), &[says("a"), named]), [""; 0]);
}

#[test]
fn restrict() {
    let posts = |parent: &str| table("posts", vec![key("posts_author", &["author_id"], parent)]);
    let of = |tables: Vec<Table>, rule: Rule| in_tables(tables, &users(rule));
    let all = || vec![table("users", vec![]), posts("users")];
    let none: [&str; 0] = [];
    assert_eq!(of(all(), Rule::restrict([""; 0])), none);
    assert_eq!(of(all(), Rule::restrict([""; 0]).by("posts")), none);
    assert_eq!(
        of(all(), Rule::restrict([""; 0]).name("posts_author")),
        none
    );
    assert_eq!(
        of(all(), Rule::restrict([""; 0]).by("notes")),
        ["users: missing: restrict: no foreign key of \"notes\" references this table"]
    );
    assert_eq!(of(all(), Rule::restrict([""; 0]).name("x")).len(), 1);
    assert_eq!(
        of(
            vec![table("users", vec![]), posts("teams")],
            Rule::restrict([""; 0])
        ),
        ["users: missing: restrict: no foreign key references this table"]
    );
    // That posts reference users is not about users' own columns.
    assert_eq!(
        of(all(), Rule::restrict(["team_id"])),
        [
            "users: missing: restrict (team_id): the table has no foreign key on these columns, and none references them"
        ]
    );
    let own = table("users", vec![key("fk", &["team_id"], "team")]);
    let own = of(vec![own], Rule::restrict(["team_id"]));
    assert!(
        own.len() == 1 && own[0].starts_with("users: undeclared: foreign_key"),
        "{own:?}"
    );
    // A table of the same name in another schema is not referenced.
    let mut elsewhere = posts("users");
    for constraint in &mut elsewhere.constraints {
        if let Some(parent) = &mut constraint.references {
            parent.schema = Some("crm".to_owned());
        }
    }
    assert_eq!(
        of(
            vec![table("users", vec![]), elsewhere],
            Rule::restrict([""; 0])
        )
        .len(),
        1
    );
}

#[test]
fn keys_to_partitions_of_the_parent() {
    let part = Table {
        partition_of: Some(Parent {
            schema: Some("public".to_owned()),
            table: "team".to_owned(),
        }),
        ..table("team_p1", vec![])
    };
    let users = table(
        "users",
        vec![
            key("fk", &["team_id"], "team"),
            key("fk1", &["team_id"], "team_p1"),
        ],
    );
    let tables = vec![users, table("team", vec![]), part];
    let found = in_tables(tables, &[Declaration::of("users")]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("\"fk\""), "{found:?}");
}

#[test]
fn tables_in_other_letters() {
    let upper = table("USERS", vec![unique("users_email_key", &["email"])]);
    assert_eq!(
        in_tables(vec![upper], &users(Rule::unique(["email"]))),
        [""; 0]
    );
}
