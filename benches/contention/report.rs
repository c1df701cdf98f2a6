//! The table.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use super::{
    stats::{Done, Round, median, quantile},
    workload::{Arrival, Workload},
};

/// Attempts of a call that has 3 retries.
const ATTEMPTS: u32 = 4;

/// One policy on one workload.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    workload: &'static str,
    policy: &'static str,
    commits_per_second: f64,
    /// To the calls without back-off, the median over the rounds; absent where those were left
    /// out.
    ratio: Option<f64>,
    p50_ms: f64,
    p99_ms: f64,
    attempts_per_commit: f64,
    /// The share of the calls that 3 retries were enough for.
    within_three_retries: f64,
    /// Jain's index, the median over the rounds; absent where calls arrive by themselves.
    fairness: Option<f64>,
}

#[allow(clippy::cast_precision_loss)]
impl Row {
    pub(crate) fn of(
        workload: &'static Workload,
        policy: &'static str,
        rounds: &[Round],
        base: Option<&[Round]>,
    ) -> Self {
        let each = |f: fn(&Round) -> f64| median(rounds.iter().map(f).collect());
        let all: Vec<&Done> = rounds.iter().flat_map(Round::calls).collect();
        let committed = all.iter().filter(|c| c.committed).count();
        let within = |c: &&&Done| c.committed && c.attempts <= ATTEMPTS;
        let attempts: u64 = all.iter().map(|c| u64::from(c.attempts)).sum();
        let ratio = base.map(|base| {
            let pairs = rounds.iter().zip(base);
            median(
                pairs
                    .map(|(a, b)| a.per_second() / b.per_second())
                    .collect(),
            )
        });
        Self {
            workload: workload.name,
            policy,
            commits_per_second: each(Round::per_second),
            ratio,
            p50_ms: quantile(all.iter().copied(), 0.5),
            p99_ms: quantile(all.iter().copied(), 0.99),
            attempts_per_commit: attempts as f64 / committed as f64,
            within_three_retries: all.iter().filter(within).count() as f64 / all.len() as f64,
            fairness: match workload.arrival {
                Arrival::Closed(_) => Some(each(Round::jain)),
                Arrival::Open(_) => None,
            },
        }
    }

    fn cells(&self) -> [String; 8] {
        let optional = |value: Option<f64>| value.map_or("–".to_owned(), |v| format!("{v:.2}"));
        [
            self.policy.to_owned(),
            format!("{:.0}", self.commits_per_second),
            optional(self.ratio),
            format!("{:.1}", self.p50_ms),
            format!("{:.1}", self.p99_ms),
            format!("{:.2}", self.attempts_per_commit),
            format!("{:.2} %", self.within_three_retries * 100.0),
            optional(self.fairness),
        ]
    }
}

const HEAD: [&str; 8] = [
    "policy",
    "commits/s",
    "ratio",
    "p50 ms",
    "p99 ms",
    "attempts/commit",
    "within 3 retries",
    "fairness",
];

/// The tables for people, one for each workload.
pub(crate) fn print(rows: &[Row]) {
    for rows in rows.chunk_by(|a, b| a.workload == b.workload) {
        let mut table = Table::new();
        table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
        table.set_header(HEAD);
        for row in rows {
            table.add_row(row.cells());
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        println!("{}\n{table}\n", rows[0].workload);
    }
}

/// One table of all rows.
pub(crate) fn markdown(rows: &[Row]) -> String {
    let mut text = format!("| workload | {} |\n|---|---", HEAD.join(" | "));
    text.push_str(&"|---:".repeat(HEAD.len() - 1));
    text.push_str("|\n");
    for row in rows {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| {} | {} |", row.workload, row.cells().join(" | "));
    }
    text
}
