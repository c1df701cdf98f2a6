//! The compiler, and how much processor time it took: what cargo runs in its place.

use std::{
    env, fs,
    io::Write as _,
    path::Path,
    process::{Command, ExitCode},
};

use nix::sys::resource::{UsageWho, getrusage};

use crate::Result;

/// The variable with the file that times are added to.
pub const FILE: &str = "RESILIENT_BENCH_TIMES";

/// Runs the command that the arguments are.
///
/// # Errors
/// If it cannot be run, or its time cannot be written.
pub fn run() -> Result<ExitCode> {
    let mut arguments = env::args_os().skip(1);
    let program = arguments.next().ok_or("no compiler to run")?;
    let arguments: Vec<_> = arguments.collect();
    let status = Command::new(program).args(&arguments).status()?;
    let mut words = arguments.iter().skip_while(|word| *word != "--crate-name");
    if let (Some(name), Some(file)) = (words.nth(1), env::var_os(FILE)) {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
        let seconds = |time: nix::sys::time::TimeVal| {
            #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
            let parts = (time.tv_sec() as f64, time.tv_usec() as f64);
            parts.0 + parts.1 / 1e6
        };
        let took = seconds(usage.user_time()) + seconds(usage.system_time());
        let mut file = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(file)?;
        file.write_all(format!("{} {took}\n", name.to_string_lossy()).as_bytes())?;
    }
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.unwrap_or(1).into())
}

/// The crates that were compiled so far, in order, and the seconds that each took.
pub(super) fn read(file: &Path) -> Result<Vec<(String, f64)>> {
    let text = fs::read_to_string(file)?;
    let line = |line: &str| {
        let (name, seconds) = line.split_once(' ')?;
        Some((name.to_owned(), seconds.parse().ok()?))
    };
    Ok(text.lines().filter_map(line).collect())
}
