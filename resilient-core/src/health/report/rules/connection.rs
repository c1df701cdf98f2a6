//! Whether the database answers, and the connections to it.

use super::counted;
use crate::{
    FaultKind,
    health::{
        breaker::BreakerState,
        check::CheckStatus,
        report::{Area, HealthReport, Recommendation, Severity},
    },
};

fn one(severity: Severity, text: String) -> Vec<Recommendation> {
    vec![Recommendation::new(severity, Area::Connection, text)]
}

/// The check failed. A pool without a connection to give is told of by the pool's own rule.
pub(super) fn unusable(report: &HealthReport) -> Vec<Recommendation> {
    let check = &report.connection.check;
    if check.status != CheckStatus::Unhealthy {
        return Vec::new();
    }
    let advice = match check.fault {
        Some(FaultKind::PoolTimeout) if report.pool.is_some() => return Vec::new(),
        Some(FaultKind::PoolTimeout) => "raise max_connections, or hold connections for less time",
        Some(FaultKind::TooManyConnections) => {
            "the server has no connection left: lower max_connections of all the pools on it \
             below what it allows in all, or put a pooler before it"
        }
        Some(FaultKind::Authentication | FaultKind::Permission) => {
            "see to the account, its password and its rights"
        }
        Some(FaultKind::ReadOnly) => {
            "the server takes no writes: connect to the primary, or end its read-only mode"
        }
        Some(FaultKind::DiskFull | FaultKind::ResourceExhausted) => {
            "give the server room before anything else"
        }
        Some(FaultKind::Corruption) => "stop writing, and restore from a backup that checks out",
        Some(FaultKind::ServerUnavailable | FaultKind::ConnectionLost) => {
            "see that the server runs, and that its address and port can be reached from here"
        }
        _ => "calls fail until that is mended",
    };
    let reason = check.reason.as_deref().unwrap_or("no reason is known");
    let text = format!("the {} check failed ({reason}): {advice}", check.strategy);
    one(Severity::Critical, text)
}

pub(super) fn breaker(report: &HealthReport) -> Vec<Recommendation> {
    let Some(breaker) = &report.connection.breaker else {
        return Vec::new();
    };
    let after = match breaker.last_fault {
        Some(fault) => format!(" after {fault}"),
        None => String::new(),
    };
    let rejected = counted(breaker.rejected, "call");
    match breaker.state {
        BreakerState::Closed => Vec::new(),
        BreakerState::HalfOpen => one(
            Severity::Warning,
            format!(
                "the circuit breaker lets only probes through{after}: it closes when they \
                 succeed; {rejected} rejected so far"
            ),
        ),
        BreakerState::Open => one(
            Severity::Critical,
            format!(
                "the circuit breaker is open{after}, {rejected} rejected so far: calls fail at \
                 once until a probe finds the server back, so see to the server"
            ),
        ),
    }
}

pub(super) fn slow(report: &HealthReport) -> Vec<Recommendation> {
    let check = &report.connection.check;
    if check.status != CheckStatus::Slow {
        return Vec::new();
    }
    let text = format!(
        "the {} check is slow: {}; see to the network and to the load of the server",
        check.strategy,
        check.reason.as_deref().unwrap_or("it took long"),
    );
    one(Severity::Warning, text)
}

/// Connections that ought to have been replaced.
pub(super) fn worn(report: &HealthReport) -> Vec<Recommendation> {
    let connection = &report.connection;
    let mut all = Vec::new();
    if connection.unhealthy > 0 {
        all.extend(one(
            Severity::Warning,
            format!(
                "{} unhealthy: their sessions are gone or failed their checks; \
                 check_connections() closes those that are idle",
                are(connection.unhealthy)
            ),
        ));
    }
    let worn = connection.expired + connection.stale;
    if worn > 0 {
        all.extend(one(
            Severity::Info,
            format!(
                "{} too old, used too often or idle for too long, and not replaced yet: let a \
                 monitor call check_connections(), or turn lifecycle_hooks on",
                are(worn)
            ),
        ));
    }
    all
}

fn are(n: u32) -> String {
    match n {
        1 => "1 connection is".to_owned(),
        n => format!("{n} connections are"),
    }
}
