//! The diagnostics: every part, one after the other.

use std::time::Duration;

use resilient_sea_orm::{
    Builder, Diagnostics,
    constraint::{Declaration, Rule, register},
    health::{
        report::{Area, PartOutcome, Severity},
        soft_delete::Marker,
    },
    policy::RetryPolicy,
};
use sea_orm::ConnectOptions;
use support::{Engine, TestDb, TestResult, engine_tests};

use super::advice;
use crate::{bank::unique_name, table_health::declare, verify::Schema};

fn outcome(all: &Diagnostics, name: &str) -> PartOutcome {
    let part = all.parts.iter().find(|part| part.name == name);
    part.unwrap_or_else(|| panic!("{name}: {all}")).outcome
}

async fn every_part_is_looked_at(engine: Engine) -> TestResult {
    let schema = Schema::with(
        engine,
        &[
            "CREATE TABLE seats (id INTEGER PRIMARY KEY, is_deleted BOOLEAN NOT NULL,
               row_name VARCHAR(20) NOT NULL)",
            "CREATE INDEX seats_1 ON seats (is_deleted)",
        ],
    )
    .await;
    declare(&schema, "seats", "is_deleted", Marker::Flag);
    let all = schema.db.diagnostics().await;
    assert!(all.complete, "{all}");
    for name in [
        "quick check",
        "tables",
        "table check",
        "write check",
        "integrity check",
        "idle connections",
        "constraints",
        "configuration",
    ] {
        let part = all.parts.iter().find(|part| part.name == name);
        let part = part.unwrap_or_else(|| panic!("{name}: {all}"));
        assert!(part.took_seconds >= 0.0);
    }
    let good = [PartOutcome::Good, PartOutcome::Found];
    assert!(
        all.parts.iter().all(|part| good.contains(&part.outcome)),
        "{all}"
    );
    assert!(all.constraints.is_some());
    let shown = all.to_string();
    assert!(
        shown.contains("Looked at\n") && shown.contains("What to do\n"),
        "{shown}"
    );

    // A rule whose constraint is not there.
    let rule = Rule::unique(["row_name"]).message("taken");
    let declaration = Declaration::of("seats")
        .database(schema.db.name().to_owned())
        .rule(rule);
    register(declaration);
    let all = schema.db.diagnostics().await;
    assert_eq!(outcome(&all, "constraints"), PartOutcome::Found, "{all}");
    let drift = advice(
        &all.recommendations,
        Area::Schema,
        "seats: missing: unique (row_name)",
    );
    assert_eq!(drift.unwrap().severity, Severity::Warning, "{all}");
    Ok(())
}

async fn settings_that_contradict_each_other_are_told_of(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let mut options = ConnectOptions::new(test.url());
    options.max_connections(2).sqlx_logging(false);
    let db = Builder::default()
        .name(unique_name())
        .policy(RetryPolicy::new().deadline(Duration::from_secs(2)))
        .to(options)
        .connect()
        .await?;
    let all = db.diagnostics().await;
    assert_eq!(outcome(&all, "configuration"), PartOutcome::Found, "{all}");
    let words = "the limit for statements (300 s) is longer than the deadline of a call (2 s)";
    assert!(
        advice(&all.recommendations, Area::Configuration, words).is_some(),
        "{all}"
    );
    Ok(())
}

engine_tests! { every_part_is_looked_at, settings_that_contradict_each_other_are_told_of }
