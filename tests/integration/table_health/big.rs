//! Tables that are too big to be counted.

use resilient_sea_orm::health::{
    soft_delete::Marker,
    tables::{TableOptions, TableReport},
};
use support::{Engine, TestResult, engine_tests};

use super::{ago, declare, fill, report, time};
use crate::verify::Schema;

const ROWS: u32 = 40_000;

/// Of ten rows, three are deleted, one of them for long.
async fn filled(engine: Engine, key: &str) -> Schema {
    let time = time(engine);
    let table = format!("CREATE TABLE big (id BIGINT PRIMARY KEY, deleted_at {time} NULL)");
    let schema = Schema::with(engine, &[&table]).await;
    let (old, young) = (ago(engine, 90), ago(engine, 1));
    let values = format!("{key}, CASE WHEN i % 10 = 0 THEN {old} WHEN i % 10 < 3 THEN {young} END");
    fill(&schema, "big", ROWS, &values).await;
    declare(&schema, "big", "deleted_at", Marker::Timestamp);
    schema
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn percent(ratio: f64) -> u64 {
    (ratio * 100.0).round() as u64
}

/// Not much less: PostgreSQL reads whole pages, of which a few are not like all.
fn few() -> TableOptions {
    TableOptions::new().count_up_to(10_000)
}

fn about(found: Option<u64>, expected: u64) {
    let found = found.expect("known");
    let far = found.abs_diff(expected) * 100 / expected;
    assert!(far <= 25, "{found} is not about {expected}");
}

fn check_estimate(report: &TableReport) {
    assert!(report.estimated, "{report:?}");
    about(report.total_rows, u64::from(ROWS));
    about(report.deleted_rows, u64::from(ROWS) * 3 / 10);
    about(report.old_deleted_rows, u64::from(ROWS) / 10);
    assert!(report.reason.starts_with("about "), "{}", report.reason);
}

async fn estimated_and_exact_on_request(engine: Engine) -> TestResult {
    let schema = filled(engine, "i").await;
    check_estimate(&report(&schema, "big", few()).await);
    if engine != Engine::Sqlite {
        let analyze = if engine == Engine::Postgres {
            "ANALYZE big"
        } else {
            "ANALYZE TABLE big"
        };
        schema.run(&[analyze]).await;
        check_estimate(&report(&schema, "big", few()).await);
    }
    for options in [few().exact(true), TableOptions::new()] {
        let report = report(&schema, "big", options).await;
        assert!(!report.estimated);
        assert_eq!(report.total_rows, Some(u64::from(ROWS)));
        assert_eq!(report.deleted_rows, Some(u64::from(ROWS) * 3 / 10));
        assert_eq!(report.old_deleted_rows, Some(u64::from(ROWS) / 10));
    }
    Ok(())
}

/// Keys with gaps, denser in one half, and beginning far from 0.
async fn gaps_in_keys(engine: Engine) -> TestResult {
    let key = "CASE WHEN i < 20000 THEN 7000000000000 + i * 3 ELSE 7000000000000 + i * 11 END";
    let schema = filled(engine, key).await;
    if engine == Engine::MariaDb {
        schema.run(&["ANALYZE TABLE big"]).await;
    }
    check_estimate(&report(&schema, "big", few()).await);
    Ok(())
}

/// The first half of the table is deleted: whoever reads only the beginning sees nothing else.
async fn deleted_at_one_end(engine: Engine) -> TestResult {
    let schema = Schema::with(
        engine,
        &["CREATE TABLE halves (id INTEGER PRIMARY KEY, deleted BOOLEAN NOT NULL)"],
    )
    .await;
    fill(&schema, "halves", ROWS, "i, i <= 20000").await;
    declare(&schema, "halves", "deleted", Marker::Flag);
    let found = report(&schema, "halves", few()).await;
    assert!(found.estimated, "{found:?}");
    about(found.total_rows, u64::from(ROWS));
    about(found.deleted_rows, 20_000);
    assert_eq!(found.old_deleted_rows, None);
    Ok(())
}

async fn without_a_key_of_integers(engine: Engine) -> TestResult {
    let schema = Schema::with(
        engine,
        &["CREATE TABLE named (name VARCHAR(40) PRIMARY KEY, deleted BOOLEAN NOT NULL)"],
    )
    .await;
    let text = if engine == Engine::MariaDb {
        "CHAR(20)"
    } else {
        "VARCHAR(20)"
    };
    fill(
        &schema,
        "named",
        ROWS,
        &format!("CAST(i AS {text}), i % 10 < 4"),
    )
    .await;
    declare(&schema, "named", "deleted", Marker::Flag);
    let found = report(&schema, "named", few()).await;
    assert!(found.estimated, "{found:?}");
    if engine != Engine::Sqlite {
        about(found.total_rows, u64::from(ROWS));
        about(found.deleted_rows, u64::from(ROWS) * 4 / 10);
    }
    about(found.deletion_ratio.map(percent), 40);
    Ok(())
}

engine_tests! {
    estimated_and_exact_on_request,
    gaps_in_keys,
    deleted_at_one_end,
    without_a_key_of_integers,
}
