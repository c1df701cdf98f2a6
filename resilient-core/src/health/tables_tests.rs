use super::*;
use TableStatus::{Fair, Good, Poor};

fn judged(total: u64, deleted: u64, old: Option<u64>) -> TableReport {
    let rows = RowCounts {
        total,
        deleted: Some(deleted),
        old_deleted: old,
        estimated: false,
    };
    TableReport::unknown("t", "").judged(rows, &TableThresholds::default())
}

#[test]
fn shares_of_deleted_rows_at_each_boundary() {
    for (deleted, status) in [
        (0, Good),
        (2_500, Good),
        (2_501, Fair),
        (5_000, Fair),
        (5_001, Poor),
        (10_000, Poor),
    ] {
        let report = judged(10_000, deleted, Some(0));
        assert_eq!(report.status, status, "{deleted}: {}", report.reason);
        assert_eq!(report.cleanup_recommended, status == Poor, "{deleted}");
        assert_eq!(report.active_rows, Some(10_000 - deleted));
    }
}

#[test]
fn old_rows_at_each_boundary() {
    for (old, status, clean_up) in [
        (0, Good, false),
        (1_000, Good, false),
        (1_001, Fair, true),
        (10_000, Fair, true),
        (10_001, Poor, true),
    ] {
        let report = judged(1_000_000, 20_000, Some(old));
        assert_eq!(report.status, status, "{old}: {}", report.reason);
        assert_eq!(report.cleanup_recommended, clean_up, "{old}");
    }
}

#[test]
fn the_worse_of_the_two_counts() {
    assert_eq!(judged(30_000, 9_000, Some(9_000)).status, Fair);
    assert_eq!(judged(30_000, 12_000, Some(10_001)).status, Poor);
    assert_eq!(judged(1_000, 900, None).status, Poor);
}

#[test]
fn reasons_say_what_was_exceeded() {
    assert_eq!(
        judged(1_000, 251, Some(3)).reason,
        "25.1 % of the rows are deleted, more than 25 %"
    );
    assert_eq!(
        judged(100_000, 1_500, Some(1_200)).reason,
        "1200 rows are deleted for more than 30 days, more than 1000"
    );
    let flag = judged(10, 6, None);
    assert_eq!(
        flag.reason,
        "60 % of the rows are deleted, more than 50 %; how long ago is not known, as the column \
         does not tell when"
    );
    assert_eq!(flag.old_deleted_rows, None);
}

#[test]
fn an_empty_table_and_one_without_soft_deletes_are_good() {
    let empty = judged(0, 0, Some(0));
    assert_eq!((empty.status, empty.deletion_ratio), (Good, Some(0.0)));
    let rows = RowCounts {
        total: 7,
        ..RowCounts::default()
    };
    let plain = TableReport::unknown("t", "").judged(rows, &TableThresholds::default());
    assert_eq!((plain.status, plain.deletion_ratio), (Good, None));
    assert_eq!((plain.active_rows, plain.deleted_rows), (Some(7), None));
}

#[test]
fn estimates_say_so_and_never_exceed_the_whole() {
    let rows = RowCounts {
        total: 100,
        deleted: Some(120),
        old_deleted: Some(130),
        estimated: true,
    };
    let report = TableReport::unknown("t", "").judged(rows, &TableThresholds::default());
    assert!(report.estimated && report.reason.starts_with("about 100 %"));
    assert_eq!(
        (report.active_rows, report.old_deleted_rows),
        (Some(0), Some(100))
    );
}

#[test]
fn thresholds_are_configurable() {
    let thresholds: TableThresholds =
        serde_json::from_str(r#"{"poor_ratio": 0.9, "old_after_days": 7}"#).expect("read");
    assert!((thresholds.fair_ratio - TableThresholds::default().fair_ratio).abs() < 1e-9);
    let rows = RowCounts {
        total: 10,
        deleted: Some(9),
        ..RowCounts::default()
    };
    assert_eq!(
        TableReport::default().judged(rows, &thresholds).status,
        Fair
    );
    assert!(serde_json::from_str::<TableThresholds>(r#"{"poor": 1}"#).is_err());
}

#[test]
fn reports_serialise() {
    let report = judged(10, 6, Some(1));
    let json = serde_json::to_value(&report).expect("written");
    assert_eq!(json["status"], "poor");
    assert_eq!(json["deleted_rows"], 6);
    assert_eq!(
        serde_json::from_value::<TableReport>(json).expect("read"),
        report
    );
}
