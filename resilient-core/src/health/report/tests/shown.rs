//! The status, the order and the page.

use super::*;

#[test]
fn the_most_urgent_first_and_each_thing_once() {
    let new = |severity, text: &str| Recommendation::new(severity, Area::Pool, text);
    let all = vec![
        new(Severity::Info, "a"),
        new(Severity::Warning, "b"),
        new(Severity::Warning, "a"),
        new(Severity::Critical, "c"),
        new(Severity::Warning, "b"),
    ];
    let sorted = recommend::sorted(all);
    let texts: Vec<&str> = sorted.iter().map(|r| r.text.as_str()).collect();
    assert_eq!(texts, ["c", "b", "a"]);
    assert_eq!(sorted[2].severity, Severity::Warning, "the more urgent one");
}

#[test]
fn alerts_that_affect_the_service_degrade_it() {
    let mut lab = Lab::new();
    lab.alerts.active = vec![alert(AlertKind::DeletionRatio)];
    let report = lab.report();
    assert_eq!(report.status(), OverallStatus::Healthy);
    assert_eq!(report.summary.critical_alerts, 1);
    lab.alerts.active = vec![alert(AlertKind::ErrorRate)];
    let report = lab.report();
    assert_eq!(report.status(), OverallStatus::Degraded);
    assert!(report.to_string().contains("✗ critical error_rate on shop"));
}

#[test]
fn a_page_is_at_most_a_hundred_columns_wide_and_cannot_be_forged() {
    let mut lab = Lab::new();
    let evil = "users\u{1b}[2J\n✓ all: fine\r\u{202e}".to_owned() + &"表".repeat(150);
    let mut hostile = table(1000, 600);
    hostile.table.clone_from(&evil);
    hostile.schema = Some("x".repeat(300));
    hostile.missing_indexes.push(MissingIndex {
        table: evil.clone(),
        columns: vec![evil.clone()],
        why: IndexNeed::ForeignKey,
        statement: format!("CREATE INDEX ON {evil}"),
    });
    lab.tables = vec![hostile];
    lab.check = Finding::bad(evil.repeat(3), FaultKind::ServerUnavailable);
    for n in 0..3 {
        lab.statement(&format!("SELECT {}{n}", "x ".repeat(400)), SLOW * 3, false);
    }
    let report = lab.report();
    let page = report.to_string();
    for line in page.lines() {
        assert!(textwrap::core::display_width(line) <= 100, "{line}");
        assert!(!line.contains(['\u{1b}', '\r', '\u{202e}']), "{line:?}");
        assert!(!line.starts_with('✓'), "{line:?}");
    }
    // Colours are the page's own, and change nothing else.
    let colored = report.display().color(true).to_string();
    assert!(colored.contains("\u{1b}[1m"), "{colored:?}");
    let mut plain = String::new();
    for part in colored.split('\u{1b}') {
        let rest = part.strip_prefix('[').and_then(|p| p.split_once('m'));
        plain.push_str(rest.map_or(part, |(_, text)| text));
    }
    assert_eq!(plain, page);
}
