//! Transactions and statements that take long.

use super::{MOST, counted};
use crate::health::report::{Area, HealthReport, Recommendation, Severity};

/// A statement that took longer is a warning, in milliseconds.
const VERY_SLOW_MS: f64 = 1000.0;

/// How much of a statement is shown.
const SHOWN_CHARS: usize = 160;

/// Transactions that are open for long; those whose connection is a suspected leak already are
/// not told of twice.
pub(super) fn long_transactions(report: &HealthReport) -> Vec<Recommendation> {
    let Some(sessions) = &report.sessions else {
        return Vec::new();
    };
    let leaks = report.pool.iter().flat_map(|pool| &pool.suspected_leaks);
    let leaks: Vec<_> = leaks.collect();
    let told = |session: &&crate::health::sessions::SessionInfo| {
        leaks.iter().any(|leak| match leak.server_pid {
            Some(pid) => session.server_pid == Some(pid),
            None => leak.held_by == session.method,
        })
    };
    let long = sessions.long().filter(|session| !told(session)).take(MOST);
    long.map(|session| {
        let who = session.method.unwrap_or("begin()");
        let text = format!(
            "a transaction of {who} has been open for {:.0} s, {:.0} s of them idle, and keeps its \
             locks: let it do less, in several transactions; it is ended after {:.0} s where \
             end_overdue_sessions() is called",
            session.age_seconds, session.idle_seconds, sessions.timeout_seconds,
        );
        Recommendation::new(Severity::Warning, Area::Sessions, text)
    })
    .collect()
}

/// The slowest statements of the last day.
pub(super) fn slow_statements(report: &HealthReport) -> Vec<Recommendation> {
    let Some(performance) = &report.performance else {
        return Vec::new();
    };
    let worst = performance.slow_statements.iter().take(MOST);
    worst
        .map(|slow| {
            let severity = if slow.max_ms >= VERY_SLOW_MS {
                Severity::Warning
            } else {
                Severity::Info
            };
            let by = slow.method.map_or_else(String::new, |m| format!(" in {m}"));
            let text = format!(
                "slow {}{by}, up to {:.0} ms: look at its plan for an index that is missing, or \
                 for a lock it waits for: {}",
                counted(slow.count, "time"),
                slow.max_ms,
                shortened(&slow.text),
            );
            Recommendation::new(severity, Area::Performance, text)
        })
        .collect()
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{} ...", &text[..end]),
        None => text.to_owned(),
    }
}
