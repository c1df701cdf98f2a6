//! The soaks: `cargo xtask soak`.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::missing_errors_doc,
    clippy::missing_panics_doc
)]

mod bank;
mod boundaries;
mod hooks;
mod lost_replies;
mod stand;
mod tally;

use std::process::ExitCode;

use resilient_sea_orm::CommitMode;
use support::{Engine, TestResult};

use stand::Size;
use tally::{Report, heading};

/// Name, and the work of a short and of a full run.
const SOAKS: [(&str, u64, u64); 5] = [
    ("lost-replies", 500, 10_000),
    ("lost-replies-reported", 500, 10_000),
    ("boundaries", 300, u64::MAX),
    ("bank", 10_000, 200_000),
    ("hooks", 5_000, 100_000),
];

struct Wanted {
    name: Option<String>,
    full: bool,
    seed: u64,
    engines: Vec<Engine>,
}

impl Wanted {
    /// `cargo xtask soak` has read them before, and says what is wrong with them.
    fn read() -> TestResult<Self> {
        let mut wanted = Self {
            name: None,
            full: false,
            seed: 1,
            engines: Vec::new(),
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--full" => wanted.full = true,
                "--seed" => wanted.seed = value()?.parse()?,
                "--engine" => wanted.engines.push(value()?.parse()?),
                name if SOAKS.iter().any(|(known, ..)| *known == name) => {
                    wanted.name = Some(argument);
                }
                other => return Err(format!("no soak `{other}`; there are {}", names()).into()),
            }
        }
        if wanted.engines.is_empty() {
            wanted.engines = vec![Engine::Postgres, Engine::MariaDb];
        }
        Ok(wanted)
    }
}

fn names() -> String {
    SOAKS.map(|(name, ..)| name).join(", ")
}

#[tokio::main]
async fn main() -> ExitCode {
    let wanted = match Wanted::read() {
        Ok(wanted) => wanted,
        Err(error) => {
            eprintln!("soak: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut reports = Vec::new();
    let mut failed = false;
    for (name, short, full) in SOAKS {
        if wanted.name.as_ref().is_some_and(|wanted| wanted != name) {
            continue;
        }
        for &engine in &wanted.engines {
            let size = Size {
                work: if wanted.full { full } else { short },
                seed: wanted.seed,
                loud: true,
            };
            println!("soak: {name} on {engine}, seed {}", size.seed);
            match run(name, engine, size).await {
                Ok(report) => {
                    println!("{}\n{report}", heading());
                    reports.push(report);
                }
                Err(error) => {
                    eprintln!("soak: {name} on {engine} did not end: {error}");
                    failed = true;
                }
            }
        }
    }
    println!("\n{}", heading());
    for report in &reports {
        println!("{report}");
    }
    if failed || !reports.iter().all(Report::holds) {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

async fn run(name: &str, engine: Engine, size: Size) -> TestResult<Report> {
    match name {
        "lost-replies" => lost_replies::run(engine, CommitMode::Verified, size).await,
        "lost-replies-reported" => lost_replies::run(engine, CommitMode::Reported, size).await,
        "boundaries" => boundaries::run(engine, size).await,
        "bank" => bank::run(engine, size).await,
        _ => hooks::run(engine, size).await,
    }
}
