//! Child processes that cannot outlive this one, and signals to them.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};

use crate::error::{Context, Error};
use crate::locate::Engine;

/// The account `nobody`: database servers refuse to run as root.
pub(crate) const NOBODY: u32 = 65534;

/// Whether this process is root and servers therefore run as [`NOBODY`].
pub(crate) fn is_root() -> bool {
    geteuid().is_root()
}

/// A command that runs `program` as an ordinary user and is killed by the kernel as soon as this
/// process is gone, however it ends. It must be started by [`spawn`].
pub(crate) fn confined(program: &Path) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if is_root() {
        command.arg(format!("--reuid={NOBODY}"));
        command.arg(format!("--regid={NOBODY}"));
        command.arg("--clear-groups");
    }
    command
        .arg(program)
        .current_dir("/")
        .env_clear()
        .env("LC_ALL", "C.UTF-8")
        .env(
            "PATH",
            format!("{path}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        )
        .stdin(Stdio::null())
        // Ctrl-C in a terminal must reach the tests, not the servers below them.
        .process_group(0);
    command
}

/// Starts a command from a thread that lives as long as the process. The kernel watches the
/// starting *thread*, not the process: a server started by a test's thread would die with the
/// test.
pub(crate) fn spawn(mut command: Command) -> Result<Child, Error> {
    type Job = Box<dyn FnOnce() + Send>;
    static KEEPER: LazyLock<Sender<Job>> = LazyLock::new(|| {
        let (sender, jobs) = mpsc::channel::<Job>();
        let keeper = thread::Builder::new().name("server-keeper".to_owned());
        // Without the thread every start fails with the error below.
        let _ = keeper.spawn(move || jobs.into_iter().for_each(|job| job()));
        sender
    });

    let (sender, answer) = mpsc::channel();
    let job: Job = Box::new(move || drop(sender.send(command.spawn())));
    let gone = |()| io::Error::other("the thread that starts servers is gone");
    let child = KEEPER.send(job).map_err(|_| gone(()));
    let child = child.and_then(|()| answer.recv().map_err(|_| gone(()))?);
    match child {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::MissingSetpriv),
        child => child.context(|| "start a server program".to_owned()),
    }
}

/// Runs a confined command to its end and returns what it printed as the error if it failed.
pub(crate) fn run(engine: Engine, mut command: Command) -> Result<(), Error> {
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let name = format!("{command:?}");
    let output = spawn(command)?
        .wait_with_output()
        .context(|| format!("wait for {name}"))?;
    if output.status.success() {
        return Ok(());
    }
    let printed = String::from_utf8_lossy(&output.stderr);
    Err(Error::Server {
        engine,
        detail: format!("{name} failed, {}: {printed}", output.status),
    })
}

/// Sends a signal to processes; those that are gone already are passed over.
pub(crate) fn signal(pids: &[u32], signal: Signal) {
    for pid in pids
        .iter()
        .filter_map(|&pid| Pid::from_raw(pid.try_into().ok()?))
    {
        // The only expected failure is a process that is gone.
        let _ = kill_process(pid, signal);
    }
}

/// A process and everything below it. Only the process itself where there is no `/proc`.
pub fn tree(root: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let all: Vec<(u32, u32)> = entries
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            Some((pid, stat(pid)?.1))
        })
        .collect();
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(
            all.iter()
                .filter(|(_, of)| *of == parent)
                .map(|(pid, _)| *pid),
        );
        next += 1;
    }
    found
}

/// Whether a process still runs. One that ended but was not collected by its parent does not.
pub fn is_running(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| !matches!(state, 'Z' | 'X'))
}

/// Whether every thread of a process is stopped, or has ended.
pub(crate) fn is_stopped(pid: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task"));
    threads.into_iter().flatten().flatten().all(|thread| {
        state_and_parent(&thread.path().join("stat"))
            .is_none_or(|(state, _)| matches!(state, 'T' | 't' | 'Z' | 'X'))
    })
}

/// Waits until none of the processes runs.
pub(crate) fn wait_gone(pids: &[u32], limit: Duration) -> Result<(), Error> {
    let start = Instant::now();
    while pids.iter().any(|&pid| is_running(pid)) {
        if start.elapsed() > limit {
            let what = format!("the end of the processes {pids:?}");
            return Err(Error::Timeout {
                what,
                seconds: limit.as_secs(),
            });
        }
        thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// State and parent of a process, from `/proc/<pid>/stat`: `pid (name) state parent …`, where the
/// name may hold anything, also brackets.
fn stat(pid: u32) -> Option<(char, u32)> {
    state_and_parent(Path::new(&format!("/proc/{pid}/stat")))
}

fn state_and_parent(stat: &Path) -> Option<(char, u32)> {
    let text = std::fs::read_to_string(stat).ok()?;
    let mut fields = text.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}
