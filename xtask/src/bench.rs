//! `cargo xtask bench`: builds the programs of `benches/` and starts the one that measures.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::install;
use crate::locate::Engine;
use crate::step::{self, Failure, Steps};

/// The harness around callgrind. Its runner must have the version of the library.
const RUNNER: &str = "gungraun-runner";
const RUNNER_VERSION: &str = "0.20.0";

/// Groups that `resilient-benches` measures by itself; any other needs a database.
const WITHOUT_DATABASE: [&str; 4] = ["memory", "failure", "threads", "compile"];

/// What counts round trips, which are the same in every build, and what starts the servers. Not
/// built together with what is timed: it comes with the features of the tests.
const ROUND_TRIPS: [&str; 5] = [
    "--package",
    "resilient-round-trips",
    "--package",
    "resilient-tests",
    "--bins",
];
/// Which servers that needs.
const ENGINES: [Engine; 2] = [Engine::Postgres, Engine::MariaDb];

/// What is measured, and how it is shown.
#[derive(clap::Args, Default)]
pub(crate) struct BenchArguments {
    /// Only groups whose name begins with one of these: memory, failure, threads, compile,
    /// database and whatever else there is; all by default
    names: Vec<String>,
    /// Only what is exact (instructions, allocations, sizes of futures, round trips), held against
    /// `benches/baseline.json`
    #[arg(long, conflicts_with = "names")]
    pub(crate) quick: bool,
    /// Measures what is exact and makes it the baseline
    #[arg(long, conflicts_with = "names")]
    bless: bool,
    /// Prints the table as `docs/performance.md` has it
    #[arg(long)]
    markdown: bool,
    /// How many methods a generated crate of the group `compile` has
    #[arg(long, default_value_t = 1_000, value_name = "NUMBER")]
    methods: u32,
}

impl BenchArguments {
    /// Only what is exact.
    pub(crate) fn quick() -> Self {
        Self {
            quick: true,
            ..Self::default()
        }
    }

    fn only_exact(&self) -> bool {
        self.quick || self.bless
    }

    /// Whether what is measured on databases has to be built for speed.
    fn times_databases(&self) -> bool {
        let without = |name: &String| {
            WITHOUT_DATABASE
                .iter()
                .any(|own| own.starts_with(name) || name.starts_with(own))
        };
        !self.only_exact() && (self.names.is_empty() || !self.names.iter().all(without))
    }
}

/// Builds and measures.
pub(crate) fn run(steps: &mut Steps, arguments: &BenchArguments) -> Result<(), Failure> {
    install::program(steps, "valgrind", "valgrind")?;
    let target = step::target_folder()?;
    let runner = runner(steps, &target)?;
    build(steps, &["--package", "resilient-benches"], &runner)?;
    let release = target.join("release");
    let mut command = step::cargo(&[]);
    let workspace = command
        .get_current_dir()
        .map(Path::to_owned)
        .unwrap_or_default();
    command = Command::new(release.join("bench"));
    command.args(&arguments.names);
    command.args(arguments.quick.then_some("--quick"));
    command.args(arguments.bless.then_some("--bless"));
    command.args(arguments.markdown.then_some("--markdown"));
    command.args(["--methods", &arguments.methods.to_string()]);
    command.arg("--output").arg(target.join("bench"));
    command.arg("--workspace").arg(workspace);
    if arguments.times_databases() {
        build(steps, &["--package", "resilient-database-benches"], &runner)?;
    }
    if arguments.only_exact() || arguments.times_databases() {
        install::missing(steps, &ENGINES)?;
        let mut programs = step::cargo(&["build"]);
        programs.args(ROUND_TRIPS).env("GUNGRAUN_RUNNER", &runner);
        steps.run("build", programs)?;
        let debug = target.join("debug");
        command.arg("--round-trips").arg(debug.join("round-trips"));
        let mut servers = Command::new(debug.join("with-servers"));
        servers.arg(command.get_program()).args(command.get_args());
        servers.env("RESILIENT_TEST_ENGINES", "postgres,mariadb");
        command = servers;
    }
    steps.run("bench", command)
}

fn build(steps: &mut Steps, what: &[&str], runner: &Path) -> Result<(), Failure> {
    let mut command = step::cargo(&["build", "--release"]);
    // The harness looks it up when it is compiled.
    command.args(what).env("GUNGRAUN_RUNNER", runner);
    steps.run("build", command)
}

/// Where the harness's runner is; installs it below `target` if it is not there.
fn runner(steps: &mut Steps, target: &Path) -> Result<PathBuf, Failure> {
    let root = target.join("bench").join("tools");
    let program = root.join("bin").join(RUNNER);
    let stamp = root.join(".crates.toml");
    let installed = std::fs::read_to_string(&stamp).unwrap_or_default();
    if program.exists() && installed.contains(&format!("\"{RUNNER} {RUNNER_VERSION} ")) {
        return Ok(program);
    }
    let mut command = step::cargo(&["install", RUNNER, "--locked", "--force"]);
    command
        .args(["--version", RUNNER_VERSION, "--root"])
        .arg(&root)
        .arg("--target-dir")
        .arg(root.join("build"));
    steps.run("install the harness", command)?;
    // It is not built again before its version changes.
    let build = root.join("build");
    std::fs::remove_dir_all(&build)
        .map_err(|error| Failure::new(format!("{}: {error}", build.display())))?;
    Ok(program)
}
