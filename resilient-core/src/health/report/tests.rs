//! The rules, the order, and the page.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::*;
use crate::{
    FaultKind, IsolationLevel,
    driver::{Context, WireLimits},
    health::{
        Connections, HealthSettings, Lease, PoolGauge,
        alerts::{Alert, AlertKind, Severity as AlertSeverity},
        breaker::BreakerState,
        check::{CheckStrategy, Finding},
        deadlocks::{Deadlock, DeadlockBook, DeadlockThresholds, Lock, Participant},
        indexes::{IndexNeed, MissingIndex},
        performance::{Dialect, Performance, PerformanceConfig},
        recovery::RecoveryBook,
        tables::{RowCounts, TableThresholds},
        unix_ms,
    },
    metrics::Snapshot,
    policy::RetryPolicy,
    time::{Clock as _, FakeClock, ThreadRandom},
};

const SLOW: Duration = Duration::from_millis(100);

/// A database at rest: 10 connections, 2 of them open and idle.
struct Lab {
    clock: FakeClock,
    connections: Arc<Connections>,
    gauge: PoolGauge,
    performance: Performance,
    recovery: RecoveryBook,
    deadlocks: DeadlockBook,
    metrics: Snapshot,
    check: Finding,
    breaker: Option<BreakerReport>,
    tables: Vec<TableReport>,
    open: Vec<SessionInfo>,
    alerts: AlertReport,
}

impl Lab {
    fn new() -> Self {
        let clock = FakeClock::new();
        Self {
            connections: Arc::new(Connections::new(
                HealthSettings::default(),
                Arc::new(clock.clone()),
                Arc::new(ThreadRandom),
            )),
            gauge: PoolGauge {
                max: 10,
                open: 2,
                idle: 2,
                acquire_timeout: Duration::from_secs(30),
                hooks: true,
            },
            performance: Performance::new(PerformanceConfig::default(), clock.now()),
            clock,
            recovery: RecoveryBook::default(),
            deadlocks: DeadlockBook::new(DeadlockThresholds::default()),
            metrics: Snapshot::default(),
            check: Finding::good(),
            breaker: None,
            tables: Vec::new(),
            open: Vec::new(),
            alerts: AlertReport::default(),
        }
    }

    fn statement(&self, sql: &str, took: Duration, error: bool) {
        let started = self.clock.now();
        let now = started + took;
        if self.performance.statement(started, now, error) {
            let method = Some("Orders::list");
            self.performance
                .slow_statement(sql, Dialect::Postgres, method, started, now);
        }
    }

    /// A connection that this method takes.
    fn taken(&self, pid: u64, method: Option<&'static str>) -> Lease {
        let who = crate::health::connections::Introduction {
            key: usize::try_from(pid).ok(),
            anchor: None,
            server_pid: Some(pid),
        };
        let lease = self.connections.introduce(who, 10);
        lease.hold(method);
        lease
    }

    fn report(&self) -> HealthReport {
        let check = self.check.clone().grade(CheckStrategy::Quick, SLOW, SLOW);
        let pool = PoolReport::of("shop", self.gauge, &self.connections);
        let performance = self.performance.report("shop", self.clock.now());
        let summary = HealthSummary::of(SummaryFacts {
            check: &check,
            pool: &pool,
            alerts: &self.alerts,
            breaker: self.breaker.as_ref(),
            open_sessions: self.open.len(),
        });
        let reliability = Reliability::of(ReliabilityFacts {
            deadlocks: self.deadlocks.report(unix_ms()),
            recovery: self.recovery.report(),
            performance: &performance,
            metrics: &self.metrics,
            watched: Duration::from_hours(48),
        });
        HealthReport::of(Observed {
            summary,
            connection: ConnectionHealth::of(
                check,
                self.breaker.clone(),
                self.connections.report(),
            ),
            pool: Some(pool),
            performance: Some(performance),
            reliability: Some(reliability),
            sessions: Some(SessionsHealth::of(self.open.clone(), 60.0, 1800.0, (0, 0))),
            tables: Some(TablesHealth::of(Ok(self.tables.clone()))),
            alerts: Some(self.alerts.clone()),
            took_seconds: 0.01,
        })
    }

    /// The one recommendation of an area.
    fn only(&self, area: Area) -> Recommendation {
        let report = self.report();
        let mut all = report.recommendations.iter().filter(|r| r.area == area);
        let first = all.next().cloned();
        assert!(all.next().is_none(), "{:?}", report.recommendations);
        first.expect("a recommendation")
    }
}

#[test]
fn nothing_to_do_for_a_database_at_rest() {
    let report = Lab::new().report();
    assert_eq!(report.status(), OverallStatus::Healthy);
    assert_eq!(report.recommendations, []);
    assert_eq!(report.summary.reasons, []);
    let page = report.to_string();
    assert!(page.contains("✓ shop: healthy"), "{page}");
    for left_out in ["Tables", "Open transactions", "Alerts", "Performance"] {
        assert!(!page.contains(left_out), "{page}");
    }
    assert!(page.ends_with("What to do\n  ✓ nothing\n"), "{page}");
}

#[test]
fn what_cannot_be_reached_is_critical_and_says_what_to_see_to() {
    let mut lab = Lab::new();
    for (fault, words) in [
        (FaultKind::ServerUnavailable, "see that the server runs"),
        (FaultKind::TooManyConnections, "lower max_connections"),
        (FaultKind::Authentication, "the account"),
        (FaultKind::ReadOnly, "the primary"),
        (FaultKind::DiskFull, "room"),
        (FaultKind::Corruption, "backup"),
        (FaultKind::Other, "calls fail until"),
    ] {
        lab.check = Finding::bad("it said no", fault);
        let what = lab.only(Area::Connection);
        assert_eq!(what.severity, Severity::Critical);
        assert!(what.text.contains(words), "{what}");
        assert!(what.text.contains("it said no"), "{what}");
        let report = lab.report();
        assert_eq!(report.status(), OverallStatus::Unhealthy);
        let reason = &report.summary.reasons[0];
        assert_eq!(reason.area, Area::Connection);
        assert_eq!(reason.text, "the quick check failed: it said no");
    }
}

#[test]
fn a_breaker_that_rejects_makes_it_unhealthy() {
    let mut lab = Lab::new();
    let breaker = |state| BreakerReport {
        state,
        opened: 1,
        rejected: 7,
        open_for_ms: None,
        probes_in_ms: None,
        last_fault: Some(FaultKind::ServerUnavailable),
    };
    for (state, status, severity) in [
        (
            BreakerState::Open,
            OverallStatus::Unhealthy,
            Severity::Critical,
        ),
        (
            BreakerState::HalfOpen,
            OverallStatus::Degraded,
            Severity::Warning,
        ),
    ] {
        lab.breaker = Some(breaker(state));
        let what = lab.only(Area::Connection);
        assert_eq!(what.severity, severity);
        assert!(what.text.contains("after server_unavailable"), "{what}");
        assert!(what.text.contains("7 calls"), "{what}");
        assert_eq!(lab.report().status(), status);
        assert_eq!(lab.report().summary.breaker, Some(state));
    }
    lab.breaker = Some(breaker(BreakerState::Closed));
    assert_eq!(lab.report().recommendations, []);
}

#[test]
fn a_full_pool_is_made_bigger_unless_somebody_keeps_its_connections() {
    let mut lab = Lab::new();
    lab.gauge = PoolGauge {
        open: 10,
        idle: 0,
        ..lab.gauge
    };
    let waiting = lab.connections.meter().wait(lab.clock.now());
    let what = lab.only(Area::Pool);
    assert_eq!(what.severity, Severity::Critical);
    assert!(what.text.contains("10 of 10"), "{what}");
    assert!(what.text.contains("1 waiting"), "{what}");
    assert!(what.text.contains("raise max_connections"), "{what}");
    assert_eq!(lab.report().status(), OverallStatus::Degraded);

    let lease = lab.taken(7, Some("Reports::export"));
    lab.clock.advance(Duration::from_secs(61));
    let all = lab.report().recommendations;
    let pool: Vec<_> = all.iter().filter(|r| r.area == Area::Pool).collect();
    let [full, leak] = &*pool else {
        panic!("{all:?}");
    };
    assert!(!full.text.contains("raise max_connections"), "{full}");
    assert!(leak.text.contains("Reports::export"), "{leak}");
    assert!(leak.text.contains("61.0 s"), "{leak}");
    drop(lease);
    waiting.failed();

    // Nobody waits any more, and somebody has in vain.
    lab.gauge.idle = 8;
    let what = lab.only(Area::Pool);
    assert_eq!(what.severity, Severity::Warning);
    assert!(
        what.text.contains("1 wait for a connection in vain"),
        "{what}"
    );
}

#[test]
fn a_check_without_a_connection_is_the_pools_matter() {
    let mut lab = Lab::new();
    lab.check = Finding::bad("pool exhausted", FaultKind::PoolTimeout);
    assert_eq!(lab.report().recommendations.len(), 1);
    assert_eq!(lab.only(Area::Pool).severity, Severity::Critical);
}

#[test]
fn long_waits_are_told_of() {
    let lab = Lab::new();
    let waiting = lab.connections.meter().wait(lab.clock.now());
    lab.clock.advance(Duration::from_secs(2));
    waiting.got(lab.clock.now());
    let what = lab.only(Area::Pool);
    assert!(what.text.contains("takes 2.0 s or more"), "{what}");
}

#[test]
fn a_long_transaction_is_named_once() {
    let mut lab = Lab::new();
    let session = |age| SessionInfo {
        id: 1,
        method: Some("Orders::close_month"),
        server_pid: Some(7),
        age_seconds: age,
        idle_seconds: 40.0,
        statements: 3,
    };
    lab.open = vec![session(59.0)];
    assert_eq!(lab.report().recommendations, []);
    lab.open = vec![session(75.0)];
    let what = lab.only(Area::Sessions);
    assert!(what.text.contains("Orders::close_month"), "{what}");
    assert!(what.text.contains("75 s"), "{what}");
    // Its connection is a suspected leak already.
    let _lease = lab.taken(7, Some("Orders::close_month"));
    lab.clock.advance(Duration::from_secs(75));
    let all = lab.report().recommendations;
    assert!(all.iter().all(|r| r.area != Area::Sessions), "{all:?}");
    assert_eq!(all.len(), 1, "{all:?}");
}

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
    let mut connection = crate::metrics::ConnectionSnapshot::default();
    connection.commit_unknown = 2;
    connection.doomed = 1;
    connection.budget_exhausted = 3;
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

fn deadlock(pid: u64) -> Deadlock {
    let participant = |method: &str, victim| Participant {
        pid,
        method: Some(method.to_owned()),
        statement: None,
        waits_for: Some(Lock {
            table: Some("account".to_owned()),
            ..Lock::default()
        }),
        victim,
    };
    Deadlock {
        at_unix_ms: unix_ms(),
        participants: vec![participant("A::x", true), participant("B::y", false)],
    }
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

fn table(total: u64, deleted: u64) -> TableReport {
    let report = TableReport::unknown("users", "");
    let rows = RowCounts {
        total,
        deleted: Some(deleted),
        old_deleted: Some(0),
        estimated: false,
    };
    report.judged(rows, &TableThresholds::default())
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

fn alert(kind: AlertKind) -> Alert {
    Alert {
        database: "shop".to_owned(),
        kind,
        severity: AlertSeverity::Critical,
        subject: "shop".to_owned(),
        value: 1.0,
        threshold: 0.5,
        message: "shop: it is bad".to_owned(),
        since_unix_ms: 0,
        cleared_unix_ms: None,
    }
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

#[test]
fn settings_that_contradict_each_other() {
    let judge = |context: &Context, settings: &HealthSettings, pool| {
        judge_configuration(context, settings, pool)
    };
    let fine = PoolSizes {
        max: 10,
        min: 10,
        acquire_timeout: Duration::from_secs(5),
    };
    let defaults = HealthSettings::default();
    let plain = Context::new("configuration", IsolationLevel::ReadCommitted);
    assert_eq!(judge(&plain, &defaults, fine), []);
    let texts = |found: Vec<Recommendation>| -> Vec<String> {
        assert!(found.iter().all(|r| r.area == Area::Configuration));
        found.into_iter().map(|r| r.text).collect()
    };
    let found = texts(judge(&plain, &defaults, PoolSizes { min: 11, ..fine }));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("keep 11 connections open and may have 10"));

    let policy = RetryPolicy::new()
        .deadline(Duration::from_secs(2))
        .timeout(Duration::from_secs(3));
    let hasty = Context::new("configuration", IsolationLevel::ReadCommitted)
        .with_policy(policy)
        .with_limits(WireLimits::default());
    let found = texts(judge(&hasty, &defaults, fine));
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[0].starts_with("the limit for statements (300 s) is longer than the deadline"));
    assert!(found[1].starts_with("the wait for a connection (5 s)"));
    assert!(found[2].starts_with("the limit of one attempt (3 s)"));

    let odd = HealthSettings {
        timeout: Duration::from_secs(31),
        cache_duration: Duration::from_secs(60),
        slow_above: Duration::from_secs(40),
        leak_after: Duration::from_hours(1),
        ..HealthSettings::default()
    };
    let found = texts(judge(&plain, &odd, fine));
    assert_eq!(found.len(), 4, "{found:?}");
}

/// The paths of all fields; the keys of maps are `*`, those of lists `[]`.
fn paths(at: &str, value: &serde_json::Value, found: &mut std::collections::BTreeSet<String>) {
    const MAPS: [&str; 6] = [
        ".methods",
        ".faults",
        ".by_method",
        ".by_table",
        ".churn.closed",
        ".strategy",
    ];
    match value {
        serde_json::Value::Object(fields) => {
            let map = MAPS.iter().any(|map| at.ends_with(map));
            for (name, value) in fields {
                let name = if map { "*" } else { name };
                paths(&format!("{at}.{name}"), value, found);
            }
        }
        serde_json::Value::Array(all) => {
            assert!(
                !all.is_empty(),
                "{at} is empty: fill it, so that its fields are seen"
            );
            for value in all {
                paths(&format!("{at}[]"), value, found);
            }
        }
        _ => {
            found.insert(at.trim_start_matches('.').to_owned());
        }
    }
}

/// Whoever reads the JSON goes by these names. Set `RESILIENT_BLESS` to write them anew, and say so
/// in the changelog.
#[test]
fn the_names_of_all_fields() {
    let mut lab = Lab::new();
    lab.statement("SELECT 1", Duration::from_millis(200), true);
    let (started, now) = (lab.clock.now(), lab.clock.now());
    lab.performance.method("Orders::list", started, now, false);
    lab.recovery
        .ended("session 7", 3, Err("server_unavailable"));
    let mut pair = deadlock(1);
    pair.participants[0].statement = Some("UPDATE account".to_owned());
    lab.deadlocks.enter(pair);
    let mut connection = crate::metrics::ConnectionSnapshot::default();
    connection.faults.insert(FaultKind::Deadlock, 1);
    lab.metrics.connections = BTreeMap::from([("shop".to_owned(), connection)]);
    lab.breaker = Some(BreakerReport {
        state: BreakerState::Open,
        opened: 1,
        rejected: 7,
        open_for_ms: Some(1),
        probes_in_ms: Some(1),
        last_fault: None,
    });
    lab.open = vec![SessionInfo {
        id: 1,
        method: None,
        server_pid: None,
        age_seconds: 61.0,
        idle_seconds: 0.0,
        statements: 0,
    }];
    lab.alerts.active = vec![alert(AlertKind::ErrorRate)];
    lab.alerts.history = vec![alert(AlertKind::ErrorRate)];
    let mut table = table(10, 6);
    table.missing_indexes.push(MissingIndex {
        table: "users".to_owned(),
        columns: vec!["deleted_at".to_owned()],
        why: IndexNeed::SoftDelete,
        statement: String::new(),
    });
    lab.tables = vec![table];
    lab.check = Finding::good().without("the disk");
    let mut closed = lab.taken(8, None);
    closed.close(crate::health::Closing::Expired);
    drop(closed);
    let _leak = lab.taken(7, Some("Reports::export"));
    lab.clock.advance(Duration::from_secs(61));

    let report = lab.report();
    let part = Part::new("quick check", PartOutcome::Good, "", 0.0);
    let all = Diagnostics::of(report, vec![part], None, Vec::new(), 0.0);
    let mut found = std::collections::BTreeSet::new();
    paths("", &serde_json::to_value(&all).unwrap(), &mut found);
    let found: String = found.iter().map(|path| format!("{path}\n")).collect();
    if std::env::var_os("RESILIENT_BLESS").is_some() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/health/report/fields.txt");
        std::fs::write(file, &found).unwrap();
    }
    assert_eq!(found, include_str!("fields.txt"));
}
