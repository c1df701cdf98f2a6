//! The rules, the order, and the page.

mod configuration;
mod fields;
mod pool;
mod shown;
mod work;

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
    },
    metrics::{ConnectionSnapshot, Snapshot},
    policy::RetryPolicy,
    time::{Clock as _, FakeClock, ThreadRandom, unix_ms},
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

fn alert(kind: AlertKind) -> Alert {
    Alert {
        database: "shop".to_owned(),
        kind,
        severity: AlertSeverity::Critical,
        subject: "shop".to_owned(),
        value: 1.0,
        threshold: 0.5,
        detail: None,
        message: "shop: it is bad".to_owned(),
        since_unix_ms: 0,
        cleared_unix_ms: None,
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
