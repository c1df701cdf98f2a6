//! Rules about the connection, the pool and who holds it.

use super::*;

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
