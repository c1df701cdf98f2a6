//! Declarations beside real schemas, both ways.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use resilient_sea_orm::{
    ConstraintReport, FaultKind, ResilientConnection, assert_constraints_declared,
    constraint::{Declaration, Drift, Rule, register},
    prelude::*,
};
use sea_orm::DatabaseConnection;
use support::{Engine, TestResult, engine_tests};

use super::Schema;

const TABLES: [&str; 2] = [
    "CREATE TABLE team (id INTEGER PRIMARY KEY)",
    "CREATE TABLE users (
       id INTEGER PRIMARY KEY,
       email VARCHAR(90) NOT NULL,
       handle VARCHAR(90),
       tenant INTEGER,
       age INTEGER,
       team_id INTEGER,
       CONSTRAINT users_email UNIQUE (email),
       CONSTRAINT users_handle UNIQUE (tenant, handle),
       CONSTRAINT users_adult CHECK (age >= 13),
       CONSTRAINT users_team FOREIGN KEY (team_id) REFERENCES team (id)
     )",
];

impl Schema {
    /// A declaration that is for this test alone.
    fn declare(&self, table: &'static str, rules: impl IntoIterator<Item = Rule>) -> Declaration {
        let all = Declaration::of(table).database(self.db.name().to_owned());
        rules.into_iter().fold(all, Declaration::rule)
    }

    fn register(&self, table: &'static str, rules: impl IntoIterator<Item = Rule>) {
        register(self.declare(table, rules));
    }

    async fn report(&self) -> ConstraintReport {
        self.db.verify_constraints().await.expect("verified")
    }

    /// How this test's tables differ: what, and which columns or constraint.
    async fn found(&self) -> Vec<(Drift, String)> {
        let report = self.report().await;
        let about = report.findings.iter().map(|finding| {
            let columns = finding.columns.join(", ");
            let name = finding.constraint.clone().unwrap_or_default();
            let what = if columns.is_empty() { name } else { columns };
            (finding.drift, format!("{}: {what}", finding.table))
        });
        about.collect()
    }
}

fn everything() -> Vec<Rule> {
    vec![
        Rule::unique(["email"]),
        Rule::unique(["handle", "tenant"]),
        Rule::not_null("email"),
        Rule::check("users_adult"),
        Rule::foreign_key(["team_id"]),
        Rule::restrict(["team_id"]),
    ]
}

async fn clean(engine: Engine) -> TestResult {
    let schema = Schema::with(engine, &TABLES).await;
    schema.register("users", everything());
    schema.register("team", [Rule::restrict([""; 0]).by("users")]);
    let report = schema.report().await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.database, schema.db.name());
    assert_eq!((report.tables, report.rules), (2, 7));
    report.log();
    assert_constraints_declared!(schema.db);
    assert_constraints_declared!(&schema.db, errors_only);
    Ok(())
}

async fn missing_renamed_and_on_other_columns(engine: Engine) -> TestResult {
    let schema = Schema::with(engine, &TABLES).await;
    schema.register(
        "users",
        [
            Rule::unique(["email"]).name("email_taken"),
            Rule::unique(["tenant", "age"]).name("users_handle"),
            Rule::unique(["age"]),
            Rule::check("users_old"),
            Rule::not_null("handle"),
            Rule::foreign_key(["tenant"]),
        ],
    );
    schema.register("team", [Rule::restrict([""; 0]).by("posts")]);
    schema.register("nowhere", [Rule::unique(["a"])]);
    let expected = [
        (Drift::MissingTable, "nowhere: "),
        (Drift::Renamed, "users: email"),
        (Drift::WrongColumns, "users: tenant, age"),
        (Drift::Missing, "users: age"),
        (Drift::Missing, "users: users_old"),
        (Drift::Missing, "users: handle"),
        (Drift::Missing, "users: tenant"),
        (Drift::Missing, "team: "),
    ];
    let mut found = schema.found().await;
    found.retain(|(drift, _)| *drift != Drift::Undeclared);
    let found: Vec<_> = found.iter().map(|(d, text)| (*d, text.as_str())).collect();
    assert_eq!(found, expected);
    let report = schema.report().await.to_string();
    assert!(
        report.contains("the schema calls it \"users_email\""),
        "{report}"
    );
    let failed = AssertUnwindSafe(async { assert_constraints_declared!(schema.db, errors_only) });
    let panic = failed.catch_unwind().await.unwrap_err();
    let text = panic.downcast_ref::<String>().expect("text");
    assert_eq!(*text, report);
    Ok(())
}

async fn undeclared(engine: Engine) -> TestResult {
    let schema = Schema::with(engine, &TABLES).await;
    schema
        .run(&["CREATE UNIQUE INDEX later ON users (age, email)"])
        .await;
    schema.register("users", [Rule::unique(["email"])]);
    let mut found = schema.found().await;
    found.sort_by(|a, b| a.1.cmp(&b.1));
    let texts: Vec<&str> = found.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "users: age",
            "users: age, email",
            "users: team_id",
            "users: tenant, handle"
        ]
    );
    assert!(
        found.iter().all(|(drift, _)| *drift == Drift::Undeclared),
        "{found:?}"
    );
    assert_constraints_declared!(schema.db, errors_only);
    let failed = AssertUnwindSafe(async { assert_constraints_declared!(schema.db) });
    assert!(failed.catch_unwind().await.is_err());
    Ok(())
}

async fn two_entities_of_one_table(engine: Engine) -> TestResult {
    let schema = Schema::with(engine, &TABLES).await;
    let unique = |message: &'static str| Rule::unique(["email"]).message(message);
    register(schema.declare("users", everything()).entity("A"));
    register(schema.declare("users", [unique("taken")]).entity("B"));
    assert_eq!(
        schema.found().await,
        [(Drift::Duplicate, "users: email".to_owned())]
    );
    // One for any connection is not in its way.
    let general = Schema::with(
        engine,
        &["CREATE TABLE general (id INTEGER PRIMARY KEY, a INTEGER UNIQUE)"],
    )
    .await;
    let rule = || Rule::unique(["a"]);
    general.register("general", [rule().message("here")]);
    register(Declaration::of("general").database("another").rule(rule()));
    assert_eq!(general.found().await, []);
    Ok(())
}

async fn expressions_and_conditions(engine: Engine) -> TestResult {
    let schema = Schema::with(
        engine,
        &[
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a VARCHAR(9), b INTEGER)",
            "CREATE UNIQUE INDEX t_a ON t (lower(a))",
            "CREATE UNIQUE INDEX t_b ON t (b) WHERE b > 0",
        ],
    )
    .await;
    schema.register("t", [Rule::unique(["a"]), Rule::unique(["b"])]);
    assert_eq!(schema.found().await, []);
    Ok(())
}

async fn schemas(engine: Engine) -> TestResult {
    let schema = Schema::with(
        engine,
        &[
            "CREATE SCHEMA crm",
            "CREATE TABLE crm.person (id INTEGER PRIMARY KEY, name text UNIQUE)",
            "CREATE TABLE booking (id INTEGER PRIMARY KEY, during int4range,
               CONSTRAINT no_overlap EXCLUDE USING gist (during WITH &&))",
        ],
    )
    .await;
    schema.register("person", [Rule::unique(["name"])]);
    schema.register("booking", [Rule::exclusion("no_overlap")]);
    let report = schema.report().await;
    assert_eq!(report.findings.len(), 1, "{report}");
    assert!(
        report
            .to_string()
            .contains("one in schema crm: add `schema_name`"),
        "{report}"
    );
    let exact = schema
        .declare("person", [Rule::unique(["name"])])
        .schema(Some("crm"));
    register(exact);
    assert_eq!(schema.report().await.tables, 2);
    Ok(())
}

async fn another_database(engine: Engine) -> TestResult {
    let schema = Schema::with(engine, &TABLES).await;
    let other = Schema::with(
        engine,
        &["CREATE TABLE person (id INTEGER PRIMARY KEY, name INTEGER UNIQUE)"],
    )
    .await;
    let home = other.table("person").await.schema.expect("its name");
    register(
        schema
            .declare("person", [Rule::unique(["name"])])
            .schema(Some(home)),
    );
    assert_eq!(schema.found().await, []);
    Ok(())
}

async fn in_a_transaction(engine: Engine) -> TestResult {
    let schema = Schema::with(engine, &TABLES).await;
    schema.register("users", everything());
    let report = schema
        .db
        .transact(TransactOptions::new(), || async {
            schema.db.verify_constraints().await
        })
        .await?;
    assert!(report.is_clean(), "{report}");
    Ok(())
}

async fn failures_are_errors(engine: Engine) -> TestResult {
    let nothing = ResilientConnection::from(DatabaseConnection::default());
    let error = nothing.verify_constraints().await.unwrap_err();
    assert_ne!(error.kind(), FaultKind::Unique);
    let schema = Schema::new(engine).await;
    schema.db.as_sea_orm().clone().close().await?;
    assert!(schema.db.verify_constraints().await.is_err());
    Ok(())
}

engine_tests! {
    clean,
    missing_renamed_and_on_other_columns,
    undeclared,
    two_entities_of_one_table,
    in_a_transaction,
    failures_are_errors,
}
engine_tests! { on_sqlite on_postgres: expressions_and_conditions }
engine_tests! { on_postgres: schemas }
engine_tests! { on_mariadb: another_database }
