//! The end of the program: the invariant, and what the registry counted.

use comfy_table::{CellAlignment, Table, presets::UTF8_FULL_CONDENSED};
use resilient_sea_orm::{ResilientConnection, metrics};

/// Prints the balance sheet and the metrics.
pub fn print(db: &ResilientConnection, before: i64, after: i64) {
    let snapshot = metrics::global().snapshot();
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED).set_header([
        "method",
        "calls",
        "ok",
        "failed",
        "attempts",
        "retries by fault",
        "p50 ms",
        "p99 ms",
    ]);
    for (name, m) in &snapshot.methods {
        let retries: Vec<String> = m
            .retries
            .iter()
            .map(|(kind, n)| format!("{kind} {n}"))
            .collect();
        table.add_row([
            name.clone(),
            m.calls.to_string(),
            m.succeeded.to_string(),
            m.failed.to_string(),
            m.attempts.to_string(),
            retries.join(", "),
            format!("{:.1}", m.latency.p50_seconds * 1e3),
            format!("{:.1}", m.latency.p99_seconds * 1e3),
        ]);
    }
    for column in [1, 2, 3, 4, 6, 7] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    println!("{table}");
    let c = snapshot.connection(db.name());
    println!(
        "{}: {} transactions begun, {} committed, {} rolled back; {} savepoints, {} of them \
         rolled back; {} swallowed errors caught.",
        db.name(),
        c.begun,
        c.committed,
        c.rolled_back,
        c.savepoints,
        c.savepoints_rolled_back,
        c.doomed,
    );
    let verdict = if before == after {
        "unchanged"
    } else {
        "CHANGED"
    };
    println!(
        "\nMoney in the bank: {} before, {} after: {verdict}.",
        euros(before),
        euros(after)
    );
}

fn euros(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}
