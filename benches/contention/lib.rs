//! The contention benchmark: workloads, policies, rounds and the table.

mod load;
mod policy;
mod report;
mod stats;
mod workload;

use std::{collections::BTreeMap, error::Error, fs, path::PathBuf, time::Duration};

use support::{Engine, Server, TestDb};

use policy::Policy;
use report::Row;
use stats::Round;
use workload::{Bank, Workload};

/// What a step of the benchmark answers.
pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// The contention benchmark.
#[derive(clap::Parser, Debug)]
#[command(name = "contention", about)]
pub struct Arguments {
    /// Only workloads with this in their name, or `=` and the whole of it; may be given several
    /// times
    #[arg(long = "workload", value_name = "PART")]
    workloads: Vec<String>,
    /// Only these policies; may be given several times
    #[arg(long = "policy", value_name = "NAME")]
    policies: Vec<String>,
    /// Rounds of each policy on each workload
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Seconds of each round; workloads that commit seldom take three times as long
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// What accounts are drawn from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Writes the rows as JSON to this file; `-` is the standard output
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Writes the tables as Markdown to this file; `-` is the standard output
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

/// Runs what was asked for and prints the tables.
///
/// # Errors
/// If `PostgreSQL` cannot be started, a statement fails for good, or money is lost.
pub async fn run(arguments: &Arguments) -> Result<()> {
    // Not a shared one: what is measured is to have the server for itself.
    let server = Server::start_private(Engine::Postgres, &["--shared_buffers=64MB"])?;
    let test = TestDb::on(&server).await?;
    let chosen = |names: &[String], name: &str, whole: bool| {
        names.is_empty()
            || names.iter().any(|n| match n.strip_prefix('=') {
                Some(exact) => name == exact,
                None if whole => name == n,
                None => name.contains(n.as_str()),
            })
    };
    let policies: Vec<&Policy> = policy::ALL
        .iter()
        .filter(|p| chosen(&arguments.policies, p.name, true))
        .collect();
    let mut rows = Vec::new();
    for workload in workload::ALL {
        if chosen(&arguments.workloads, workload.name, false) {
            rows.extend(measure(arguments, &test, workload, &policies).await?);
        }
    }
    if rows.is_empty() {
        return Err("no workload or policy of that name".into());
    }
    report::print(&rows);
    write(arguments.json.as_ref(), || {
        Ok(serde_json::to_string_pretty(&rows)?)
    })?;
    write(arguments.markdown.as_ref(), || Ok(report::markdown(&rows)))
}

fn write(file: Option<&PathBuf>, text: impl FnOnce() -> Result<String>) -> Result<()> {
    match file {
        None => {}
        Some(path) if path.as_os_str() == "-" => println!("{}", text()?),
        Some(path) => fs::write(path, text()?)?,
    }
    Ok(())
}

async fn measure(
    arguments: &Arguments,
    test: &TestDb,
    workload: &'static Workload,
    policies: &[&'static Policy],
) -> Result<Vec<Row>> {
    let bank = Bank::open(test, workload).await?;
    let mut clients = Vec::new();
    for policy in policies {
        clients.push((*policy, policy.client(&bank).await?));
    }
    let length = Duration::from_secs_f64(arguments.seconds * workload.patience);
    let mut found: BTreeMap<&str, Vec<Round>> = BTreeMap::new();
    for round in 0..arguments.rounds {
        // Another order each time, so that nobody always follows the same neighbour.
        let turn = round as usize % clients.len().max(1);
        clients.rotate_left(turn);
        for (policy, client) in &clients {
            let seed = arguments.seed.wrapping_add(u64::from(round));
            let measured = load::round(client, workload, length, seed).await?;
            bank.check().await?;
            eprintln!(
                "{:<14} {:<14} {}/{}  {:>8.0} commits/s  p99 {:>8.1} ms{}",
                workload.name,
                policy.name,
                round + 1,
                arguments.rounds,
                measured.per_second(),
                measured.quantile(0.99),
                client.state(),
            );
            found.entry(policy.name).or_default().push(measured);
        }
    }
    let base = found.get(policy::BASE).cloned();
    let rows = policies.iter().filter_map(|p| {
        Some(Row::of(
            workload,
            p.name,
            found.get(p.name)?,
            base.as_deref(),
        ))
    });
    Ok(rows.collect())
}
