//! What went wrong, and whether it was healed.

use super::{MOST, counted, percent};
use crate::health::{
    deadlocks::Severity as Frequency,
    report::{Area, HealthReport, Recommendation, Reliability, Severity},
};

/// Fewer statements say nothing about a rate.
const ENOUGH: u64 = 20;
/// From here on the share of failing statements is a warning.
const MANY_ERRORS: f64 = 0.05;
/// From here on it is critical.
const MOSTLY_ERRORS: f64 = 0.25;

fn one(severity: Severity, text: String) -> Vec<Recommendation> {
    vec![Recommendation::new(severity, Area::Reliability, text)]
}

fn section(report: &HealthReport) -> Option<&Reliability> {
    report.reliability.as_ref()
}

pub(super) fn commit_unknown(report: &HealthReport) -> Vec<Recommendation> {
    let unknown = section(report).map_or(0, |r| r.commit_unknown);
    if unknown == 0 {
        return Vec::new();
    }
    let text = format!(
        "the COMMIT of {} was never answered since the start, so nobody knows whether it is \
         stored: look for its rows before it is done again; the errors say outcome unknown",
        counted(unknown, "transaction")
    );
    one(Severity::Critical, text)
}

pub(super) fn errors(report: &HealthReport) -> Vec<Recommendation> {
    let Some(reliability) = section(report) else {
        return Vec::new();
    };
    let statements = report.performance.as_ref();
    let count = statements.map_or(u64::MAX, |p| p.statements.last_hour.count);
    let (ratio, errors) = (
        reliability.error_ratio_last_hour,
        reliability.errors_last_hour,
    );
    if count < ENOUGH || errors == 0 || ratio < MANY_ERRORS {
        return Vec::new();
    }
    let severity = if ratio >= MOSTLY_ERRORS {
        Severity::Critical
    } else {
        Severity::Warning
    };
    let mut kinds: Vec<_> = reliability.transactions.faults.iter().collect();
    kinds.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
    let kinds: Vec<String> = kinds
        .iter()
        .take(3)
        .map(|(kind, n)| format!("{kind} {n}"))
        .collect();
    let kinds = match &*kinds {
        [] => String::new(),
        kinds => format!(
            "; faults of transactions since the start: {}",
            kinds.join(", ")
        ),
    };
    let text = format!(
        "{} of the statements of the last hour failed ({errors}): read the log for their \
         errors{kinds}",
        percent(ratio)
    );
    one(severity, text)
}

/// What the deadlock book advises, if there were any lately.
pub(super) fn deadlocks(report: &HealthReport) -> Vec<Recommendation> {
    let Some(deadlocks) = section(report).map(|r| &r.deadlocks) else {
        return Vec::new();
    };
    if deadlocks.last_24_hours == 0 {
        return Vec::new();
    }
    let severity = match deadlocks.severity {
        Frequency::Low => Severity::Info,
        Frequency::Medium => Severity::Warning,
        Frequency::High => Severity::Critical,
    };
    if deadlocks.advice.is_empty() {
        let text = format!(
            "{} in 24 h between sessions that are not known: let every transaction take its \
             locks in the same order",
            counted(deadlocks.last_24_hours, "deadlock")
        );
        return one(severity, text);
    }
    let advice = deadlocks.advice.iter().take(MOST);
    advice
        .flat_map(|advice| one(severity, advice.text.clone()))
        .collect()
}

/// What should have healed and did not, or healed by luck.
pub(super) fn healing(report: &HealthReport) -> Vec<Recommendation> {
    let Some(reliability) = section(report) else {
        return Vec::new();
    };
    let (recovery, transactions) = (&reliability.recovery, &reliability.transactions);
    let mut all = Vec::new();
    if recovery.failed > 0 {
        let last = recovery
            .last_failure
            .as_ref()
            .map_or_else(String::new, |f| {
                format!(
                    "; the last: {} after {}: {}",
                    f.subject,
                    counted(f.attempts.into(), "attempt"),
                    f.reason
                )
            });
        let text = format!(
            "{} failed since the start, {} worked{last}: see to the cause, the connections are \
             closed and opened anew",
            counted(recovery.failed, "recovery").replace("recoverys", "recoveries"),
            recovery.succeeded,
        );
        all.extend(one(Severity::Warning, text));
    }
    if transactions.doomed > 0 {
        let text = format!(
            "{} returned Ok after an error had cost the transaction its writes, and was rolled \
             back: pass errors on with `?`, or put what may fail into a nested method",
            counted(transactions.doomed, "method body").replace("bodys", "bodies"),
        );
        all.extend(one(Severity::Warning, text));
    }
    if transactions.budget_exhausted > 0 {
        let text = format!(
            "{} refused as the budget was empty: the faults come faster than retries can heal \
             them, so see to their cause before the budget is raised",
            counted(transactions.budget_exhausted, "retry").replace("retrys", "retries"),
        );
        all.extend(one(Severity::Warning, text));
    }
    all
}
