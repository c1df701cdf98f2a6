//! Instructions, counted by callgrind through `gungraun`: what it counts depends on the compiler
//! and the dependencies, and on nothing else.

use std::{
    collections::BTreeMap,
    env, fs,
    path::Path,
    process::{Command, Stdio},
};

use gungraun::{
    Bench, BinaryBenchmark, BinaryBenchmarkConfig, BinaryBenchmarkGroup, Callgrind, EntryPoint,
};
use serde_json::Value;

use crate::{Error, Result, Row, program};

/// The program whose cases are counted.
const PROGRAM: &str = "RESILIENT_BENCH_PROGRAM";
/// Their ids, separated by commas.
const IDS: &str = "RESILIENT_BENCH_IDS";
/// What gungraun calls the benchmarks, which it wants to be Rust's identifiers; the first with a
/// number.
const GROUP: &str = "case";
const BENCH: &str = "calls";
/// What is run under callgrind: one process for each case, counted while it is in
/// [`program::watched`].
pub fn fill(group: &mut BinaryBenchmarkGroup) {
    let (Ok(program), Ok(ids)) = (env::var(PROGRAM), env::var(IDS)) else {
        return;
    };
    for (n, id) in ids.split(',').enumerate() {
        let mut callgrind = Callgrind::default();
        callgrind.entry_point(EntryPoint::Custom("*program*watched*".to_owned()));
        let mut config = BinaryBenchmarkConfig::default();
        // The cases' databases are told by variables.
        config.tool(callgrind).env_clear(false);
        let command = gungraun::Command::new(&program)
            .args(["calls", id])
            .stdout(gungraun::Stdio::Null)
            .build();
        let mut bench = Bench::new(BENCH);
        bench.config(config).command(command);
        let mut one = BinaryBenchmark::new(format!("{GROUP}{n}"));
        one.bench(bench);
        group.binary_benchmark(one);
    }
}

/// Instructions per call of cases of a program, by their ids.
///
/// # Errors
/// If gungraun or valgrind fails, or a case was not counted.
pub fn instructions(program: &Path, cases: &[Row], folder: &Path) -> Result<BTreeMap<String, f64>> {
    if cases.is_empty() {
        return Ok(BTreeMap::new());
    }
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    let ids: Vec<_> = cases.iter().map(Row::id).collect();
    let own = env::current_exe()?.with_file_name("instructions");
    let output = Command::new(own)
        .args(["--bench", "--save-summary=json"])
        .env("GUNGRAUN_HOME", folder)
        // Below `cargo run` it would name a folder after the package that was run.
        .env_remove("CARGO_PKG_NAME")
        .env(PROGRAM, program)
        .env(IDS, ids.join(","))
        .stdin(Stdio::null())
        .output()?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(format!("gungraun: {}: {text}", output.status).into());
    }
    let of = |(n, case): (usize, &Row)| {
        let path = folder.join(format!(
            "instructions/cases/{GROUP}{n}.{BENCH}/summary.json"
        ));
        let calls = case.figures.get(program::CALLS).copied().unwrap_or(1.0);
        let summary: Value = serde_json::from_slice(&fs::read(&path)?)?;
        let total = total(&summary).ok_or_else(|| unknown(&path))?;
        if total == 0.0 {
            return Err(format!("nothing of {} was counted", case.id()).into());
        }
        Ok((case.id(), (total / calls).round()))
    };
    cases.iter().enumerate().map(of).collect()
}

/// What a summary says was counted.
fn total(summary: &Value) -> Option<f64> {
    let total = summary.pointer("/profiles/0/data/total/metrics/Ir/values/new")?;
    total.as_f64()
}

fn unknown(path: &Path) -> Error {
    format!(
        "{}: not a summary as gungraun 0.20 writes it",
        path.display()
    )
    .into()
}
