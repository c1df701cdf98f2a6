//! The pool: exhausted, held, waited for.

use super::{MOST, counted};
use crate::{
    FaultKind,
    health::report::{Area, HealthReport, Recommendation, Severity},
};

/// Waits are long from here on: seconds for one call in a hundred.
const LONG_WAIT: f64 = 0.5;

fn one(severity: Severity, text: String) -> Vec<Recommendation> {
    vec![Recommendation::new(severity, Area::Pool, text)]
}

/// All connections are in use, or soon will be.
pub(super) fn exhausted(report: &HealthReport) -> Vec<Recommendation> {
    let Some(pool) = &report.pool else {
        return Vec::new();
    };
    let refused = report.connection.check.fault == Some(FaultKind::PoolTimeout);
    if pool.warning.is_none() && !refused {
        return Vec::new();
    }
    let severity = if refused || pool.available == 0 {
        Severity::Critical
    } else {
        Severity::Warning
    };
    let seen = format!(
        "{} of {} connections are in use, {} waiting",
        pool.in_use, pool.max_connections, pool.waiting
    );
    // A bigger pool would only leak more.
    if !pool.suspected_leaks.is_empty() {
        let kept = pool.suspected_leaks.len() as u64;
        let text = format!(
            "{seen}: {} kept for long, see below, before the pool is made bigger",
            counted(kept, "connection")
        );
        return one(severity, text);
    }
    let held = report.connection.known.iter();
    let longest = held
        .filter(|connection| connection.held_seconds.is_some())
        .max_by(|a, b| a.age_held().total_cmp(&b.age_held()));
    let who = longest.map_or_else(String::new, |longest| {
        format!(" (the longest: {})", longest.held_text())
    });
    let text = format!(
        "{seen}{who}: raise max_connections if the server allows, or hold transactions for a \
         shorter time"
    );
    one(severity, text)
}

/// Connections that somebody keeps; each method is named once.
pub(super) fn leaks(report: &HealthReport) -> Vec<Recommendation> {
    let Some(pool) = &report.pool else {
        return Vec::new();
    };
    let mut leaks: Vec<_> = pool.suspected_leaks.iter().collect();
    leaks.sort_by(|a, b| b.age_held().total_cmp(&a.age_held()));
    let mut named = Vec::new();
    leaks.retain(|leak| {
        let first = !named.contains(&leak.held_by);
        named.push(leak.held_by);
        first
    });
    let text = |leak: &crate::health::ConnectionReport| {
        let same = named.iter().filter(|by| **by == leak.held_by).count();
        let more = match same {
            0 | 1 => String::new(),
            n => format!(", and {} more", n - 1),
        };
        format!(
            "{}{more}: if it waits for something other than the database, let it do that before \
             or after its transaction; if it has been forgotten, end it",
            leak.held_text()
        )
    };
    let worst = leaks.into_iter().take(MOST);
    worst
        .flat_map(|leak| one(Severity::Warning, text(leak)))
        .collect()
}

/// Callers waited long, or in vain, and the pool is not exhausted now.
pub(super) fn waits(report: &HealthReport) -> Vec<Recommendation> {
    let Some(pool) = &report.pool else {
        return Vec::new();
    };
    let long = pool.acquire.p99_seconds > LONG_WAIT;
    if !long && pool.acquire_failures == 0 {
        return Vec::new();
    }
    let mut seen = Vec::new();
    if long {
        seen.push(format!(
            "one wait for a connection in a hundred takes {:.1} s or more",
            pool.acquire.p99_seconds
        ));
    }
    if pool.acquire_failures > 0 {
        let failures = counted(pool.acquire_failures, "wait");
        seen.push(format!("{failures} for a connection in vain"));
    }
    let text = format!(
        "{} since the start, with up to {} waiting at a time: raise max_connections, or hold \
         transactions for a shorter time",
        seen.join(", "),
        pool.most_waiting,
    );
    one(Severity::Warning, text)
}
