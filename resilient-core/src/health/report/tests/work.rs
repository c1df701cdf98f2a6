//! Rules about statements, transactions and tables.

use super::*;

#[test]
fn slow_and_failing_statements() {
    let lab = Lab::new();
    for _ in 0..30 {
        lab.statement("SELECT 1", Duration::from_millis(1), false);
    }
    lab.statement("SELECT 'secret' FROM a", Duration::from_millis(1200), false);
    lab.statement("SELECT 'secret' FROM b", Duration::from_millis(200), false);
    let all = lab.report().recommendations;
    let severities: Vec<_> = all.iter().map(|r| r.severity).collect();
    assert_eq!(severities, [Severity::Warning, Severity::Info], "{all:?}");
    assert!(all[0].text.ends_with("SELECT ? FROM a"), "{}", all[0]);
    assert!(all[0].text.contains("in Orders::list"), "{}", all[0]);
    assert!(all.iter().all(|r| r.area == Area::Performance), "{all:?}");
    for (more, severity) in [(3, Severity::Warning), (30, Severity::Critical)] {
        for _ in 0..more {
            lab.statement("SELECT 1", Duration::from_millis(1), true);
        }
        let what = lab.only(Area::Reliability);
        assert_eq!(what.severity, severity, "{what}");
    }
}

#[test]
fn few_statements_are_no_rate() {
    let lab = Lab::new();
    for _ in 0..19 {
        lab.statement("SELECT 1", Duration::from_millis(1), true);
    }
    assert_eq!(lab.report().recommendations, []);
    lab.statement("SELECT 1", Duration::from_millis(1), true);
    assert_eq!(lab.only(Area::Reliability).severity, Severity::Critical);
    let reliability = lab.report().reliability.unwrap();
    assert_eq!(reliability.errors_last_hour, 20);
    assert!((reliability.errors_per_hour - 20.0 / 24.0).abs() < 1e-9);
}

#[test]
fn what_did_not_heal() {
    let mut lab = Lab::new();
    let connection = ConnectionSnapshot {
        commit_unknown: 2,
        doomed: 1,
        budget_exhausted: 3,
        ..ConnectionSnapshot::default()
    };
    let name = "shop".to_owned();
    lab.metrics.connections = BTreeMap::from([(name, connection)]);
    lab.recovery
        .ended("session 7", 3, Err("server_unavailable"));
    let report = lab.report();
    let all = &report.recommendations;
    let texts: Vec<&str> = all.iter().map(|r| r.text.as_str()).collect();
    let begins = [
        "the COMMIT of 2 transactions was never answered",
        "1 recovery failed",
        "1 method body returned Ok",
        "3 retries refused",
    ];
    assert_eq!(texts.len(), begins.len(), "{texts:?}");
    for (text, begin) in texts.iter().zip(begins) {
        assert!(text.starts_with(begin), "{texts:?}");
    }
    assert_eq!(all[0].severity, Severity::Critical);
    assert!(texts[1].contains("session 7 after 3 attempts: server_unavailable"));
    let reliability = report.reliability.unwrap();
    assert_eq!(reliability.recovery_success_ratio, Some(0.0));
    assert_eq!(reliability.commit_unknown, 2);
}

#[test]
fn deadlocks_give_the_books_advice_by_how_frequent_they_are() {
    let lab = Lab::new();
    let mut told = Vec::new();
    for n in 1..=30 {
        lab.deadlocks.enter(deadlock(n));
        told.push(lab.only(Area::Reliability));
    }
    assert!(
        told[0]
            .text
            .starts_with("A::x and B::y deadlock over rows of account")
    );
    let severities = [told[0].severity, told[4].severity, told[29].severity];
    let expected = [Severity::Info, Severity::Warning, Severity::Critical];
    assert_eq!(severities, expected);
    let reliability = lab.report().reliability.unwrap();
    assert_eq!(reliability.deadlocks_last_24_hours, 30);
    assert!((reliability.deadlocks_per_hour - 1.25).abs() < 1e-9);
}

#[test]
fn tables_that_are_mostly_deleted_and_lack_an_index() {
    let mut lab = Lab::new();
    lab.tables = vec![table(100, 20)];
    assert_eq!(lab.report().recommendations, []);
    lab.tables = vec![table(100, 60)];
    let what = lab.only(Area::Tables);
    assert_eq!(what.severity, Severity::Warning);
    assert!(what.text.contains("60 % of the rows are deleted"), "{what}");
    assert_eq!(what.statement, None);
    let index = MissingIndex {
        table: "users".to_owned(),
        columns: vec!["deleted_at".to_owned()],
        why: IndexNeed::SoftDelete,
        statement: "CREATE INDEX ON users (deleted_at)".to_owned(),
    };
    for (rows, severity) in [(999, Severity::Info), (1000, Severity::Warning)] {
        let mut table = table(rows, 0);
        table.missing_indexes.push(index.clone());
        lab.tables = vec![table];
        let what = lab.only(Area::Tables);
        assert_eq!(what.severity, severity);
        assert_eq!(what.statement.as_deref(), Some(&*index.statement));
    }
    lab.tables = vec![TableReport::unknown("gone", "there is no such table")];
    assert!(lab.only(Area::Tables).text.contains("no such table"));
    // None of this makes the service worse.
    assert_eq!(lab.report().status(), OverallStatus::Healthy);
}

#[test]
fn worn_connections() {
    let lab = Lab::new();
    let lease = lab.taken(1, None);
    lab.clock.advance(Duration::from_hours(2));
    drop(lab.taken(2, None));
    let what = lab.report();
    assert_eq!(what.connection.expired, 1, "{:?}", what.connection);
    let info = what
        .recommendations
        .iter()
        .find(|r| r.area == Area::Connection);
    assert!(info.unwrap().text.contains("check_connections()"));
    lease.broken();
    let what = lab.report();
    assert_eq!(what.connection.unhealthy, 1, "{:?}", what.connection);
    let warning = what
        .recommendations
        .iter()
        .find(|r| r.area == Area::Connection);
    assert!(warning.unwrap().text.contains("unhealthy"));
}
