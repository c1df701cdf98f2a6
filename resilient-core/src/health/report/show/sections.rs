//! The sections of a report. One without content is left out, or one line.

use std::fmt;

use super::page::{Mark, Page, count, counted, millis, percent};
use crate::health::{
    alerts::{AlertReport, Severity as AlertSeverity},
    breaker::BreakerState,
    check::CheckStatus,
    performance::PerformanceReport,
    pool::PoolReport,
    report::{ConnectionHealth, HealthReport, Reliability, SessionsHealth, TablesHealth},
    tables::{TableReport, TableStatus},
};

/// Lists longer than this are cut, and say so.
const MOST: usize = 10;

pub(super) fn all(page: &mut Page<'_, '_>, report: &HealthReport) -> fmt::Result {
    connection(page, &report.connection)?;
    if let Some(section) = &report.pool {
        pool(page, section)?;
    }
    if let Some(section) = &report.performance {
        performance(page, section)?;
    }
    if let Some(section) = &report.reliability {
        reliability(page, section)?;
    }
    if let Some(section) = &report.sessions {
        sessions(page, section)?;
    }
    if let Some(section) = &report.tables {
        tables(page, section)?;
    }
    if let Some(section) = &report.alerts {
        alerts(page, section)?;
    }
    Ok(())
}

fn more(page: &mut Page<'_, '_>, all: usize) -> fmt::Result {
    match all.saturating_sub(MOST) {
        0 => Ok(()),
        n => page.line(Mark::None, &format!("... and {n} more")),
    }
}

fn connection(page: &mut Page<'_, '_>, section: &ConnectionHealth) -> fmt::Result {
    page.heading("Connection")?;
    let check = &section.check;
    let mark = match check.status {
        CheckStatus::Healthy => Mark::Good,
        CheckStatus::Slow => Mark::Warn,
        CheckStatus::Unhealthy => Mark::Bad,
    };
    let took = millis(check.response_time.as_secs_f64() * 1e3);
    let mut text = format!("{} check: {} in {took}", check.strategy, check.status);
    if let Some(reason) = &check.reason {
        text = format!("{text}: {reason}");
    }
    if check.consecutive_failures > 1 {
        text = format!("{text}; {} times in a row", check.consecutive_failures);
    }
    page.line(mark, &text)?;
    for skipped in &check.not_checked {
        page.field("not checked", skipped)?;
    }
    let states = [
        (section.healthy, "healthy"),
        (section.unhealthy, "unhealthy"),
        (section.stale, "stale"),
        (section.expired, "expired"),
    ];
    let states: Vec<String> = states
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, state)| format!("{n} {state}"))
        .collect();
    if !states.is_empty() {
        page.field("connections", &states.join(", "))?;
    }
    match &section.breaker {
        Some(breaker) => {
            let mark = match breaker.state {
                BreakerState::Closed => Mark::Good,
                BreakerState::HalfOpen => Mark::Warn,
                BreakerState::Open => Mark::Bad,
            };
            let text = format!(
                "circuit breaker: {}; opened {}, {} rejected",
                breaker.state.to_string().replace('_', " "),
                counted(breaker.opened, "time"),
                counted(breaker.rejected, "call")
            );
            page.line(mark, &text)
        }
        None => Ok(()),
    }
}

fn pool(page: &mut Page<'_, '_>, section: &PoolReport) -> fmt::Result {
    if section.max_connections == 0 {
        return Ok(());
    }
    page.heading("Pool")?;
    let mark = if section.available == 0 {
        Mark::Bad
    } else if section.warning.is_some() || !section.suspected_leaks.is_empty() {
        Mark::Warn
    } else {
        Mark::Good
    };
    let text = format!(
        "{} of {} in use, {} idle, {} waiting",
        section.in_use, section.max_connections, section.idle, section.waiting
    );
    page.gauge(mark, section.utilisation, &text)?;
    for leak in section.suspected_leaks.iter().take(MOST) {
        page.line(Mark::Warn, &leak.held_text())?;
    }
    more(page, section.suspected_leaks.len())?;
    if section.acquire.count > 0 || section.acquire_failures > 0 {
        let waits = &section.acquire;
        let text = format!(
            "p50 {}, p99 {}, longest {}; {} in vain, up to {} at a time",
            millis(waits.p50_seconds * 1e3),
            millis(waits.p99_seconds * 1e3),
            millis(waits.max_seconds * 1e3),
            count(section.acquire_failures),
            section.most_waiting,
        );
        page.field("waits", &text)?;
    }
    let churn = &section.churn;
    let closed: u64 = churn.closed.values().sum();
    if churn.opened + closed > 0 {
        let text = format!(
            "{} opened, {} closed; in the last minute {} and {}",
            count(churn.opened),
            count(closed),
            churn.opened_per_minute,
            churn.closed_per_minute
        );
        page.field("connections", &text)?;
    }
    Ok(())
}

fn performance(page: &mut Page<'_, '_>, section: &PerformanceReport) -> fmt::Result {
    let hour = &section.statements.last_hour;
    if section.statements.last_day.count == 0 && section.methods.is_empty() {
        return Ok(());
    }
    page.heading("Performance, last hour")?;
    let text = format!(
        "{}; average {}, p95 {}, p99 {}, longest {}; {} failed",
        count(hour.count),
        millis(hour.average_ms),
        millis(hour.p95_ms),
        millis(hour.p99_ms),
        millis(hour.max_ms),
        count(hour.errors),
    );
    page.field("statements", &text)?;
    let mut methods: Vec<_> = section.methods.iter().collect();
    methods.sort_by_key(|(_, window)| std::cmp::Reverse(window.last_hour.count));
    for (name, window) in methods.iter().take(MOST) {
        let hour = &window.last_hour;
        let text = format!(
            "{}; average {}, p95 {}, longest {}; {} failed",
            count(hour.count),
            millis(hour.average_ms),
            millis(hour.p95_ms),
            millis(hour.max_ms),
            count(hour.errors),
        );
        page.field(name, &text)?;
    }
    more(page, methods.len())?;
    for slow in section.slow_statements.iter().take(5) {
        let by = slow.method.map_or_else(String::new, |m| format!(" in {m}"));
        let text = format!("{} slow{by}: {}", counted(slow.count, "time"), slow.text);
        page.field(&format!("up to {}", millis(slow.max_ms)), &text)?;
    }
    Ok(())
}

fn reliability(page: &mut Page<'_, '_>, section: &Reliability) -> fmt::Result {
    page.heading("Reliability")?;
    let transactions = &section.transactions;
    let text = format!(
        "{} begun, {} committed, {} rolled back; {} savepoints",
        count(transactions.begun),
        count(transactions.committed),
        count(transactions.rolled_back),
        count(transactions.savepoints),
    );
    page.field("transactions", &text)?;
    let text = format!(
        "{} calls in 24 h, {} retries since the start",
        count(section.calls_last_24_hours),
        count(section.retries)
    );
    page.field("calls", &text)?;
    let text = format!(
        "{} in the last hour ({} of the statements), {:.1} an hour",
        count(section.errors_last_hour),
        percent(section.error_ratio_last_hour),
        section.errors_per_hour
    );
    page.field("errors", &text)?;
    let deadlocks = &section.deadlocks;
    if deadlocks.total > 0 {
        let text = format!(
            "{} in 24 h, {:.1} an hour, severity {}",
            count(section.deadlocks_last_24_hours),
            section.deadlocks_per_hour,
            deadlocks.severity
        );
        page.field("deadlocks", &text)?;
    }
    if let Some(ratio) = section.recovery_success_ratio {
        let text = format!(
            "{} worked: {} of {}",
            percent(ratio),
            count(section.recovery.succeeded),
            count(section.recovery.succeeded + section.recovery.failed)
        );
        page.field("recoveries", &text)?;
    }
    for (n, what) in [
        (section.commit_unknown, "COMMITs were never answered"),
        (transactions.doomed, "swallowed errors were caught"),
        (
            transactions.budget_exhausted,
            "retries were refused for want of budget",
        ),
        (
            transactions.discarded,
            "sessions were given up, as their state was not known",
        ),
    ] {
        if n > 0 {
            page.line(Mark::Warn, &format!("{} {what}", count(n)))?;
        }
    }
    Ok(())
}

fn sessions(page: &mut Page<'_, '_>, section: &SessionsHealth) -> fmt::Result {
    if section.open.is_empty() && section.ended == 0 {
        return Ok(());
    }
    page.heading("Open transactions")?;
    for session in section.open.iter().take(MOST) {
        let mark = if session.age_seconds >= section.long_after_seconds {
            Mark::Warn
        } else {
            Mark::None
        };
        let pid = session
            .server_pid
            .map_or_else(String::new, |pid| format!(", server process {pid}"));
        let text = format!(
            "{}: open for {}, idle for {}, {}{pid}",
            session.method.unwrap_or("begin()"),
            millis(session.age_seconds * 1e3),
            millis(session.idle_seconds * 1e3),
            counted(session.statements, "statement"),
        );
        page.line(mark, &text)?;
    }
    more(page, section.open.len())?;
    if section.ended > 0 {
        let text = format!(
            "{} ended, as they were open for too long",
            count(section.ended)
        );
        page.line(Mark::Warn, &text)?;
    }
    Ok(())
}

fn tables(page: &mut Page<'_, '_>, section: &TablesHealth) -> fmt::Result {
    if section.tables.is_empty() && section.not_read.is_none() {
        return Ok(());
    }
    page.heading("Tables")?;
    if let Some(why) = &section.not_read {
        page.line(Mark::Warn, &format!("not looked at: {why}"))?;
    }
    // Those with something to say first.
    let rank = |table: &TableReport| match table.status {
        TableStatus::Poor => 0,
        TableStatus::Unknown => 1,
        TableStatus::Fair => 2,
        TableStatus::Good if !table.missing_indexes.is_empty() => 3,
        TableStatus::Good => 4,
    };
    let mut tables: Vec<&TableReport> = section.tables.iter().collect();
    tables.sort_by_key(|table| rank(table));
    for table in tables.iter().take(MOST) {
        let mark = match table.status {
            TableStatus::Good if table.missing_indexes.is_empty() => Mark::Good,
            TableStatus::Good | TableStatus::Fair | TableStatus::Unknown => Mark::Warn,
            TableStatus::Poor => Mark::Bad,
        };
        let about = if table.estimated { "about " } else { "" };
        let rows = table
            .total_rows
            .map_or_else(String::new, |rows| format!(" {about}{} rows;", count(rows)));
        let indexes = match table.missing_indexes.len() {
            0 => String::new(),
            1 => "; 1 index is missing".to_owned(),
            n => format!("; {n} indexes are missing"),
        };
        let text = format!("{}:{rows} {}{indexes}", table.table, table.reason);
        page.line(mark, &text)?;
    }
    more(page, tables.len())
}

fn alerts(page: &mut Page<'_, '_>, section: &AlertReport) -> fmt::Result {
    if section.active.is_empty() {
        return Ok(());
    }
    page.heading("Alerts")?;
    for alert in section.active.iter().take(MOST) {
        let mark = match alert.severity {
            AlertSeverity::Warning => Mark::Warn,
            AlertSeverity::Critical => Mark::Bad,
        };
        page.line(mark, &alert.to_string())?;
    }
    more(page, section.active.len())
}
