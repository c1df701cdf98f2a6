//! Runs commands one after the other, shows each and how long it took.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// Why a task ended early.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The steps that were run so far.
#[derive(Debug)]
pub(crate) struct Steps {
    start: Instant,
    done: Vec<(&'static str, Duration)>,
}

impl Default for Steps {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            done: Vec::new(),
        }
    }
}

impl Steps {
    /// Runs a cargo command with some environment variables.
    pub(crate) fn cargo(
        &mut self,
        name: &'static str,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<(), Failure> {
        let mut command = cargo(arguments);
        command.envs(environment.iter().copied());
        self.run(name, command)
    }

    /// Runs a command to its end, which must be a success.
    pub(crate) fn run(&mut self, name: &'static str, mut command: Command) -> Result<(), Failure> {
        let shown = show(&command);
        println!("\nxtask: {name}: {shown}");
        let start = Instant::now();
        let status = command
            .status()
            .map_err(|error| Failure(format!("{name}: cannot run `{shown}`: {error}")))?;
        let took = start.elapsed();
        if !status.success() {
            return Err(Failure(format!(
                "{name}: {status} after {took:.1?}: {shown}"
            )));
        }
        println!("xtask: {name}: ok after {took:.1?}");
        self.done.push((name, took));
        Ok(())
    }

    /// Prints the summary and makes the exit code.
    pub(crate) fn finish(self, result: Result<(), Failure>) -> ExitCode {
        let done: Vec<_> = self
            .done
            .iter()
            .map(|(name, took)| format!("{name} {took:.1?}"))
            .collect();
        let done = if done.is_empty() {
            "nothing".to_owned()
        } else {
            done.join(", ")
        };
        let total = self.start.elapsed();
        match result {
            Ok(()) => {
                println!("\nxtask: passed after {total:.1?}: {done}");
                ExitCode::SUCCESS
            }
            Err(failure) => {
                eprintln!(
                    "\nxtask: FAILED: {failure}\nxtask: after {total:.1?}; passed before: {done}"
                );
                ExitCode::FAILURE
            }
        }
    }
}

/// A cargo command at the root of the workspace, by the cargo that runs this program.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    command
        .args(arguments)
        .current_dir(own.parent().unwrap_or(own));
    command
}

/// The folder that cargo builds this workspace in, known from where this program lies.
pub(crate) fn target_folder() -> Result<PathBuf, Failure> {
    let own = std::env::current_exe().map_err(|error| Failure(format!("own path: {error}")))?;
    let folder = own.ancestors().nth(2).map(Path::to_owned);
    folder.ok_or_else(|| Failure("no target folder".to_owned()))
}

/// A program of the workspace that runs another command. It lies beside this one, and is run
/// directly because `cargo run` would build it, and `SeaORM`, with other features.
pub(crate) fn beside_xtask(program: &str, inner: &Command) -> Result<Command, Failure> {
    let own = std::env::current_exe().map_err(|error| Failure(format!("own path: {error}")))?;
    let mut command = Command::new(own.with_file_name(program));
    command.arg(inner.get_program()).args(inner.get_args());
    if let Some(folder) = inner.get_current_dir() {
        command.current_dir(folder);
    }
    Ok(command)
}

/// Whether a command can be run and succeeds; its output is not shown.
pub(crate) fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// A command as one would type it.
fn show(command: &Command) -> String {
    let variables = command.get_envs().filter_map(|(name, value)| {
        Some(format!(
            "{}='{}'",
            name.to_string_lossy(),
            value?.to_string_lossy()
        ))
    });
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words = words.map(|word| {
        let word = word.to_string_lossy();
        let name = word.rsplit('/').next().unwrap_or(&word);
        if name == "cargo" {
            name.to_owned()
        } else {
            word.into_owned()
        }
    });
    variables.chain(words).collect::<Vec<_>>().join(" ")
}
