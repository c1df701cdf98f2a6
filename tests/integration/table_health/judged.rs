//! Counted tables, and what is thought of them.

use resilient_sea_orm::health::{
    soft_delete::Marker,
    tables::{TableOptions, TableStatus, TableThresholds},
};
use sea_orm::{ConnectionTrait, TransactionTrait};
use support::{Engine, TestResult, engine_tests};

use super::{ago, declare, fill, report, reports, time};
use crate::verify::Schema;

async fn shares_of_deleted_rows(engine: Engine) -> TestResult {
    let schema = Schema::new(engine).await;
    let cases = [
        ("mostly", 60, TableStatus::Poor),
        ("several", 30, TableStatus::Fair),
        ("few", 5, TableStatus::Good),
        ("empty", 0, TableStatus::Good),
    ];
    for (table, percent, _) in cases {
        let time = time(engine);
        schema
            .run(&[&format!(
                "CREATE TABLE {table} (id INTEGER PRIMARY KEY, deleted_at {time} NULL)"
            )])
            .await;
        let today = ago(engine, 0);
        let values = format!("i, CASE WHEN i % 100 < {percent} THEN {today} END");
        let rows = if percent == 0 { 1 } else { 1000 };
        fill(&schema, table, rows, &values).await;
        declare(&schema, table, "deleted_at", Marker::Timestamp);
    }
    for (table, percent, status) in cases {
        let report = report(&schema, table, TableOptions::new()).await;
        assert_eq!(report.status, status, "{report:?}");
        assert_eq!(report.cleanup_recommended, status == TableStatus::Poor);
        assert!(!report.estimated);
        assert_eq!(report.old_deleted_rows, Some(0));
        assert_eq!(report.soft_delete_column.as_deref(), Some("deleted_at"));
        if percent > 0 {
            assert_eq!(report.deleted_rows, Some(percent * 10));
            assert_eq!(report.active_rows, Some(1000 - percent * 10));
            assert_eq!(report.total_rows, Some(1000));
        }
    }
    Ok(())
}

async fn rows_deleted_long_ago(engine: Engine) -> TestResult {
    let schema = Schema::new(engine).await;
    let time = time(engine);
    schema
        .run(&[&format!(
            "CREATE TABLE aged (id INTEGER PRIMARY KEY, deleted_at {time} NULL)"
        )])
        .await;
    let (old, young) = (ago(engine, 31), ago(engine, 29));
    let values = format!("i, CASE WHEN i <= 1001 THEN {old} WHEN i <= 1500 THEN {young} END");
    fill(&schema, "aged", 10_000, &values).await;
    declare(&schema, "aged", "deleted_at", Marker::Timestamp);
    let found = report(&schema, "aged", TableOptions::new()).await;
    assert_eq!(found.old_deleted_rows, Some(1001), "{found:?}");
    assert_eq!(found.deleted_rows, Some(1500));
    assert_eq!(found.status, TableStatus::Fair);
    assert!(found.cleanup_recommended);
    let week = TableThresholds {
        old_after_days: 7,
        poor_old_rows: 1499,
        ..TableThresholds::default()
    };
    let found = report(&schema, "aged", TableOptions::new().thresholds(week)).await;
    assert_eq!(found.old_deleted_rows, Some(1500), "{found:?}");
    assert_eq!(found.status, TableStatus::Poor);
    Ok(())
}

async fn kinds_of_columns(engine: Engine) -> TestResult {
    let schema = Schema::with(
        engine,
        &[
            "CREATE TABLE flags (id INTEGER PRIMARY KEY, deleted BOOLEAN)",
            "CREATE TABLE unix_times (id INTEGER PRIMARY KEY, deleted BIGINT)",
            "CREATE TABLE numbers (id INTEGER PRIMARY KEY, deleted SMALLINT NOT NULL)",
        ],
    )
    .await;
    let bools = "i, CASE WHEN i <= 4 THEN true WHEN i <= 7 THEN false END";
    fill(&schema, "flags", 10, bools).await;
    // 2001 in seconds and in milliseconds, 2286 in seconds, and a far day in milliseconds.
    let times = "i, CASE WHEN i <= 2 THEN 1000000000 WHEN i = 3 THEN 1000000000000
                 WHEN i = 4 THEN 9999999999 WHEN i = 5 THEN 9999999999000
                 WHEN i = 6 THEN 0 END";
    fill(&schema, "unix_times", 10, times).await;
    fill(
        &schema,
        "numbers",
        10,
        "i, CASE WHEN i <= 6 THEN 1 ELSE 0 END",
    )
    .await;
    declare(&schema, "flags", "deleted", Marker::Flag);
    declare(&schema, "unix_times", "deleted", Marker::UnixTime);
    declare(&schema, "numbers", "deleted", Marker::Number);
    for (table, deleted, old, status) in [
        ("flags", 4, None, TableStatus::Fair),
        ("unix_times", 5, Some(3), TableStatus::Fair),
        ("numbers", 6, None, TableStatus::Poor),
    ] {
        let report = report(&schema, table, TableOptions::new()).await;
        assert_eq!(report.total_rows, Some(10), "{report:?}");
        assert_eq!(report.deleted_rows, Some(deleted), "{report:?}");
        assert_eq!(report.old_deleted_rows, old, "{report:?}");
        assert_eq!(report.status, status, "{report:?}");
        let says = report.reason.contains("does not tell when");
        assert_eq!(says, old.is_none(), "{}", report.reason);
    }
    Ok(())
}

/// Nobody waits for the other: neither a report for writers, nor they for it.
async fn writers_go_on(engine: Engine) -> TestResult {
    let schema = Schema::with(
        engine,
        &["CREATE TABLE busy (id INTEGER PRIMARY KEY, deleted BOOLEAN NOT NULL)"],
    )
    .await;
    fill(&schema, "busy", 10, "i, i > 5").await;
    declare(&schema, "busy", "deleted", Marker::Flag);
    let writer = schema.test.connect(1).await?;
    let writing = writer.begin().await?;
    writing
        .execute_unprepared("UPDATE busy SET deleted = true")
        .await?;
    let seen = report(&schema, "busy", TableOptions::new()).await;
    assert_eq!(seen.deleted_rows, Some(5));
    writing.commit().await?;
    let seen = report(&schema, "busy", TableOptions::new().exact(true)).await;
    assert_eq!(seen.deleted_rows, Some(10));
    assert_eq!(schema.test.open_transactions().await?, 0);
    Ok(())
}

async fn what_is_missing_spares_the_rest(engine: Engine) -> TestResult {
    let schema = Schema::with(
        engine,
        &["CREATE TABLE here (id INTEGER PRIMARY KEY, deleted BOOLEAN, note VARCHAR(20))"],
    )
    .await;
    fill(&schema, "here", 4, "i, i > 3, 'x'").await;
    declare(&schema, "gone", "deleted_at", Marker::Timestamp);
    declare(&schema, "here", "deleted", Marker::Flag);
    declare(&schema, "here", "nowhere", Marker::Timestamp);
    if engine == Engine::Postgres {
        // A text is no condition there.
        declare(&schema, "here", "note", Marker::Flag);
    }
    let all = reports(&schema, TableOptions::new()).await;
    let of = |table: &str, column: &str| {
        let mut all = all.iter();
        all.find(|r| r.entity == table && r.soft_delete_column.as_deref() == Some(column))
            .expect("reported")
    };
    let gone = of("gone", "deleted_at");
    assert_eq!(gone.status, TableStatus::Unknown);
    assert!(gone.reason.contains("no such table"), "{}", gone.reason);
    assert_eq!((gone.total_rows, gone.deletion_ratio), (None, None));
    let nowhere = of("here", "nowhere");
    assert_eq!(nowhere.status, TableStatus::Unknown);
    assert_eq!(nowhere.reason, "it has no column \"nowhere\"");
    assert_eq!(of("here", "deleted").deleted_rows, Some(1));
    if engine == Engine::Postgres {
        let note = of("here", "note");
        assert_eq!(note.status, TableStatus::Unknown);
        assert!(
            note.reason.starts_with("it cannot be read: "),
            "{}",
            note.reason
        );
    }
    let json = serde_json::to_value(&all)?;
    assert_eq!(json.as_array().map(Vec::len), Some(all.len()));
    let back: Vec<resilient_sea_orm::health::tables::TableReport> = serde_json::from_value(json)?;
    assert_eq!(back, all);
    Ok(())
}

engine_tests! {
    shares_of_deleted_rows,
    rows_deleted_long_ago,
    kinds_of_columns,
    writers_go_on,
    what_is_missing_spares_the_rest,
}
