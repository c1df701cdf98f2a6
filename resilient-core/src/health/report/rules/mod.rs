//! What to do about what was seen. Each rule is a function over the report.

mod connection;
mod pool;
mod reliability;
mod tables;
mod work;

use super::{HealthReport, Recommendation};

/// At most so many recommendations of one kind; the worst ones.
const MOST: usize = 5;

/// What every rule has to say.
pub(super) fn all(report: &HealthReport) -> Vec<Recommendation> {
    let rules: [fn(&HealthReport) -> Vec<Recommendation>; 14] = [
        connection::unusable,
        connection::breaker,
        connection::slow,
        connection::worn,
        pool::exhausted,
        pool::leaks,
        pool::waits,
        work::long_transactions,
        work::slow_statements,
        reliability::commit_unknown,
        reliability::errors,
        reliability::deadlocks,
        reliability::healing,
        tables::tables,
    ];
    rules.iter().flat_map(|rule| rule(report)).collect()
}

/// `1 call` and `2 calls`.
fn counted(n: u64, one: &str) -> String {
    match n {
        1 => format!("1 {one}"),
        n => format!("{n} {one}s"),
    }
}

fn percent(ratio: f64) -> String {
    format!("{:.1} %", ratio * 100.0)
}
