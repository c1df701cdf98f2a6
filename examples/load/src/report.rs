//! The summary.

use std::{collections::BTreeMap, time::Duration};

use comfy_table::{CellAlignment, Table, presets::UTF8_HORIZONTAL_ONLY};
use serde_json::Value;

use crate::{bank::Bank, tally::Tally, verdict::Verdict};

/// How often the service has run something again so far, by fault; why that is not known.
pub(crate) type Retries = Result<BTreeMap<String, u64>, String>;

/// Asks the service's metrics.
pub(crate) async fn retries(bank: &Bank, token: Option<&str>) -> Retries {
    let Some(token) = token else {
        return Err("not asked for, as there is no --token".to_owned());
    };
    let (answer, metrics) = bank.metrics(token).await;
    let Some(methods) = metrics.get("methods").and_then(Value::as_object) else {
        return Err(format!("the service does not tell: {}", answer.label()));
    };
    let mut all: BTreeMap<String, u64> = BTreeMap::new();
    for method in methods.values() {
        let retries = method.get("retries").and_then(Value::as_object);
        for (fault, count) in retries.into_iter().flatten() {
            *all.entry(fault.clone()).or_default() += count.as_u64().unwrap_or(0);
        }
    }
    Ok(all)
}

/// Prints everything.
pub(crate) fn print(
    verdict: &Verdict,
    troubles: &[(String, String)],
    before: &Retries,
    after: &Retries,
) {
    let done = &verdict.done;
    println!("{}\n", answers(&done.tally, done.took));
    let mut table = new(&["", ""]);
    for (kind, made) in troubles {
        table.add_row([format!("trouble: {kind}"), made.clone()]);
    }
    table.add_row(["retries by the service", &said(before, after)]);
    table.add_row([
        "transfers".to_owned(),
        format!(
            "{} have moved money, {} were refused; {} were in doubt at first, and settled",
            verdict.applied, verdict.refused, verdict.doubtful
        ),
    ]);
    table.add_row([
        "the bank's money".to_owned(),
        format!(
            "{} cents before, {} after",
            verdict.before.total_cents, verdict.after.total_cents
        ),
    ]);
    println!("{table}\n");
    if verdict.holds() {
        println!("No cent is missing, none is too many, and each key was applied once.");
    } else {
        for wrong in verdict.wrong.iter().take(20) {
            println!("WRONG: {wrong}");
        }
        println!("{} things are wrong.", verdict.wrong.len());
    }
}

fn new(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_HORIZONTAL_ONLY);
    if header.iter().any(|name| !name.is_empty()) {
        table.set_header(header);
    }
    table
}

fn answers(tally: &Tally, took: Duration) -> Table {
    let mut table = new(&["request", "answer", "number", "p50", "p95", "p99", "max"]);
    for (kind, answers) in &tally.0 {
        let latency = &answers.latency;
        let at = |q: f64| milliseconds(latency.value_at_quantile(q));
        for (n, (label, count)) in answers.counts.iter().enumerate() {
            let number = count.to_string();
            // Latencies are of all answers to a kind of request.
            table.add_row(if n == 0 {
                let max = milliseconds(latency.max());
                let kind = (*kind).to_owned();
                [
                    kind,
                    label.clone(),
                    number,
                    at(0.5),
                    at(0.95),
                    at(0.99),
                    max,
                ]
            } else {
                let none = String::new;
                [
                    none(),
                    label.clone(),
                    number,
                    none(),
                    none(),
                    none(),
                    none(),
                ]
            });
        }
    }
    let all: u64 = tally.0.values().map(|one| one.latency.len()).sum();
    #[allow(clippy::cast_precision_loss, reason = "shown without decimals")]
    let rate = all as f64 / took.as_secs_f64().max(0.001);
    let summary = format!("{rate:.0} per second");
    table.add_row(["all", &summary, &all.to_string(), "", "", "", ""]);
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn milliseconds(micros: u64) -> String {
    #[allow(clippy::cast_precision_loss, reason = "shown with one decimal")]
    let ms = micros as f64 / 1000.0;
    format!("{ms:.1} ms")
}

fn said(before: &Retries, after: &Retries) -> String {
    let (before, after) = match (before, after) {
        (Ok(before), Ok(after)) => (before, after),
        (Err(why), _) | (_, Err(why)) => return why.clone(),
    };
    let made: Vec<String> = after
        .iter()
        .filter_map(|(fault, count)| {
            let more = count.saturating_sub(before.get(fault).copied().unwrap_or(0));
            (more > 0).then(|| format!("{more} × {fault}"))
        })
        .collect();
    if made.is_empty() {
        "none".to_owned()
    } else {
        made.join(", ")
    }
}
