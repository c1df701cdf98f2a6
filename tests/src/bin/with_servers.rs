//! Runs a command with database servers: `with-servers cargo test`.
//!
//! The servers are those of the engines in `RESILIENT_TEST_ENGINES` (all when unset). The command
//! finds them by its environment; they stop when it ends, or when this program is killed.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode};

use support::TestRun;

fn main() -> ExitCode {
    match run() {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("with-servers: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<u8, Box<dyn std::error::Error>> {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    if arguments.is_empty() {
        return Err("usage: with-servers COMMAND [ARGUMENT]...".into());
    }
    let run = TestRun::start()?;
    for server in run.servers() {
        let pid = server.pid().unwrap_or_default();
        eprintln!(
            "with-servers: {} on port {}, pid {pid}",
            server.engine(),
            server.port()
        );
    }
    // Where there are servers there is `setpriv`: the command must not go on without us.
    let wrapper: &[&str] = match run.servers() {
        [] => &["env"],
        _ => &["setpriv", "--pdeathsig", "KILL"],
    };
    let status = Command::new(wrapper[0])
        .args(&wrapper[1..])
        .args(&arguments)
        .envs(run.environment().iter().cloned())
        .status()?;
    // A command that was killed reports as a shell does: 128 and the number of the signal.
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    Ok(code.and_then(|code| code.try_into().ok()).unwrap_or(1))
}
