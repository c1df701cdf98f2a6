//! The program itself.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use support::{TestResult, wait_until};

/// The program with these variables and no others of its own.
pub(crate) fn program(variables: &[(String, String)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bank-service"));
    for name in [
        "DATABASE_URL",
        "BIND",
        "ADMIN_READ_TOKEN",
        "ADMIN_ACT_TOKEN",
        "RUST_LOG",
    ] {
        command.env_remove(name);
    }
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    command
}

/// A bank in a process of its own, which ends with this value.
pub(crate) struct Program {
    child: Child,
    pub(crate) url: String,
}

impl Program {
    /// Starts it, and waits until it says that it is open.
    pub(crate) fn start(variables: &[(String, String)]) -> TestResult<Self> {
        let mut child = program(variables)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let said = child.stdout.take().ok_or("no stdout")?;
        let mut program = Self {
            child,
            url: String::new(),
        };
        let mut said = BufReader::new(said);
        let mut line = String::new();
        said.read_line(&mut line)?;
        let url = line.trim().rsplit(' ').next().unwrap_or_default();
        assert!(url.starts_with("http://"), "it said {line:?}");
        url.clone_into(&mut program.url);
        // Nobody reads the rest, and it must not wait for that.
        std::thread::spawn(move || said.read_to_end(&mut Vec::new()));
        Ok(program)
    }

    pub(crate) fn send(&self, signal: Signal) -> TestResult {
        let pid = i32::try_from(self.child.id())?;
        let pid = Pid::from_raw(pid).ok_or("no process")?;
        Ok(kill_process(pid, signal)?)
    }

    /// How it ended.
    pub(crate) async fn ended(&mut self) -> TestResult<ExitStatus> {
        let mut status = None;
        wait_until(
            "the end of the program",
            Duration::from_mins(1),
            async || {
                status = self.child.try_wait().ok().flatten();
                Ok(status.is_some())
            },
        )
        .await?;
        status.ok_or_else(|| "no status".into())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}
