//! Tasks of this workspace: `cargo xtask test`, `cargo xtask soak`, `cargo xtask bench`,
//! `cargo xtask lint`, `cargo xtask ci`.

mod bench;
mod features;
mod install;
#[allow(
    unreachable_pub,
    reason = "public in the test harness, whose file this is"
)]
#[path = "../../tests/support/locate.rs"]
mod locate;
mod step;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use locate::Engine;
use step::{Failure, Steps};

/// Linting, testing and documenting build the same crates with the same features, so that each
/// dependency is built once.
const EVERYTHING: [&str; 2] = ["--workspace", "--all-features"];

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Tasks of this workspace")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Runs all tests: unit, ui, documentation, and every engine. Installs engines that are missing
    Test(TestArguments),
    /// Runs for long what the tests run for seconds: every soak on PostgreSQL and MariaDB, with a
    /// table of figures at the end
    Soak(SoakArguments),
    /// Checks formatting, clippy and the documentation
    Lint,
    /// Lints the adapter with each engine alone, with none, and with what depends on them
    Features,
    /// Measures what calls cost, beside hand-written code and other libraries; see
    /// docs/performance.md
    Bench(bench::BenchArguments),
    /// Everything the continuous integration checks: lint, features, the exact figures of the
    /// benchmarks, then test
    Ci,
    /// Measures what the background monitor costs, on PostgreSQL
    MonitorCost,
    /// Checks licences and advisories of the dependencies
    Deny,
}

#[derive(clap::Args, Default)]
struct TestArguments {
    /// Only this engine (sqlite, postgres, mariadb; mysql is left out by default and downloaded);
    /// may be given several times
    #[arg(long = "engine", value_name = "ENGINE")]
    engines: Vec<Engine>,
    /// Only what needs no database server: unit tests and documentation tests
    #[arg(long, conflicts_with = "engines")]
    unit_only: bool,
    /// Passed on to the test binaries, for instance a part of a test's name
    #[arg(last = true, value_name = "ARGUMENT")]
    rest: Vec<String>,
}

#[derive(clap::Args)]
struct SoakArguments {
    /// Only this soak: lost-replies, lost-replies-reported, boundaries, bank or hooks
    name: Option<String>,
    /// All of it, which takes minutes each, instead of a share
    #[arg(long)]
    full: bool,
    /// What chances are drawn from; the same seed strikes the same numbers
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only this engine; may be given several times
    #[arg(long = "engine", value_name = "ENGINE")]
    engines: Vec<Engine>,
}

fn main() -> ExitCode {
    let mut steps = Steps::default();
    let result = match Arguments::parse().task {
        Task::Test(arguments) => test(&mut steps, &arguments),
        Task::Soak(arguments) => soak(&mut steps, &arguments),
        Task::Lint => lint(&mut steps),
        Task::Features => features::check(&mut steps),
        Task::Bench(arguments) => bench::run(&mut steps, &arguments),
        Task::Ci => lint(&mut steps)
            .and_then(|()| features::check(&mut steps))
            .and_then(|()| bench::run(&mut steps, &bench::BenchArguments::quick()))
            .and_then(|()| test(&mut steps, &TestArguments::default())),
        Task::MonitorCost => monitor_cost(&mut steps),
        Task::Deny => deny(&mut steps),
    };
    steps.finish(result)
}

fn lint(steps: &mut Steps) -> Result<(), Failure> {
    steps.cargo("format", &["fmt", "--all", "--check"], &[])?;
    let [workspace, features] = EVERYTHING;
    let clippy = [
        "clippy",
        workspace,
        features,
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    steps.cargo("clippy", &clippy, &[])?;
    let doc = ["doc", workspace, features, "--no-deps"];
    steps.cargo("doc", &doc, &[("RUSTDOCFLAGS", "-D warnings")])
}

fn test(steps: &mut Steps, arguments: &TestArguments) -> Result<(), Failure> {
    if arguments.unit_only {
        return unit(steps, arguments);
    }
    let mut engines = arguments.engines.clone();
    if engines.is_empty() {
        engines.extend(Engine::ALL);
    }
    install::missing(steps, &engines)?;
    install::browser(steps)?;
    install::parser(steps)?;

    let [workspace, features] = EVERYTHING;
    steps.cargo("build", &["test", workspace, features, "--no-run"], &[])?;

    let mut command = step::cargo(&["test", workspace, features, "--no-fail-fast", "--"]);
    // Tests carry the name of their engine; see `support::engine_tests`.
    for engine in Engine::EVERY
        .into_iter()
        .filter(|engine| !engines.contains(engine))
    {
        println!("xtask: leaving out the tests on {engine}");
        command.arg("--skip").arg(format!("on_{engine}"));
    }
    command.args(&arguments.rest);
    let names: Vec<_> = engines.iter().map(|engine| engine.name()).collect();
    let mut command = step::beside_xtask("with-servers", &command)?;
    command.env("RESILIENT_TEST_ENGINES", names.join(","));
    steps.run("test", command)
}

fn soak(steps: &mut Steps, arguments: &SoakArguments) -> Result<(), Failure> {
    let mut engines = arguments.engines.clone();
    if engines.is_empty() {
        engines.extend([Engine::Postgres, Engine::MariaDb]);
    }
    install::missing(steps, &engines)?;
    let run = [
        "run",
        "--release",
        "--package",
        "resilient-tests",
        "--bin",
        "soak",
        "--",
    ];
    let mut command = step::cargo(&run);
    command.args(&arguments.name);
    command.args(arguments.full.then_some("--full"));
    command.args(["--seed", &arguments.seed.to_string()]);
    for engine in &engines {
        command.args(["--engine", engine.name()]);
    }
    steps.run("soak", command)
}

fn unit(steps: &mut Steps, arguments: &TestArguments) -> Result<(), Failure> {
    let [workspace, features] = EVERYTHING;
    let rest = arguments.rest.iter().map(String::as_str);
    let with = |first: &[&'static str]| {
        let cargo = first
            .iter()
            .copied()
            .chain(["--no-fail-fast", "--"])
            .chain(rest.clone());
        step::cargo(&cargo.collect::<Vec<_>>())
    };
    steps.run(
        "unit tests",
        with(&["test", workspace, features, "--lib", "--bins"]),
    )?;
    steps.run(
        "documentation tests",
        with(&["test", workspace, features, "--doc"]),
    )
}

fn monitor_cost(steps: &mut Steps) -> Result<(), Failure> {
    install::missing(steps, &[Engine::Postgres])?;
    let package = ["--package", "resilient-tests", "--bin", "monitor-cost"];
    let run = [&["run", "--release"], &package[..]].concat();
    steps.cargo("monitor cost", &run, &[])
}

fn deny(steps: &mut Steps) -> Result<(), Failure> {
    if step::succeeds("cargo", &["deny", "--version"]) {
        return steps.cargo("deny", &["deny", "--all-features", "check"], &[]);
    }
    Err(Failure::new(
        "cargo-deny is not installed: cargo install --locked cargo-deny",
    ))
}
