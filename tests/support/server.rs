//! A private database server that can be killed, stopped, frozen and restarted.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::error::{Context, Error};
use crate::flags::flags;
use crate::locate::Engine;
use crate::mysql::{self, speaks_mysql};
use crate::port::{free_port, greets};
use crate::process::{confined, is_stopped, signal, spawn, tree, wait_gone};
use crate::run_dir::server_dir;
use crate::template;

/// How long a server may take to start or to stop; generous, for machines under load.
const PATIENCE: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(5);

/// A private `PostgreSQL`, `MariaDB` or `MySQL` server.
///
/// It listens on a free port of 127.0.0.1, keeps its data in a temporary folder and ends with this
/// value, or with this process, whichever comes first. Every method blocks for some milliseconds,
/// which is fine in a test.
#[derive(Debug)]
pub struct Server {
    engine: Engine,
    home: PathBuf,
    port: u16,
    flags: Vec<String>,
    child: Mutex<Option<Child>>,
}

enum Launch {
    Ready(Child),
    PortTaken,
}

impl Server {
    /// Starts a server. `extra_flags` come after the harness's own and so win over them; all
    /// engines take `--name=value`.
    ///
    /// # Errors
    /// If the engine is not installed or its server does not start; the end of its log is in the
    /// error.
    pub fn start_private(engine: Engine, extra_flags: &[&str]) -> Result<Self, Error> {
        let flags = extra_flags.iter().map(ToString::to_string).collect();
        Self::start_on(engine, flags, |data| template::copy_to(engine, data))
    }

    /// The same on data that `fill` puts at a path.
    pub(crate) fn start_on(
        engine: Engine,
        flags: Vec<String>,
        fill: impl FnOnce(&Path) -> Result<(), Error>,
    ) -> Result<Self, Error> {
        let home = server_dir(engine.name())?;
        let mut server = Self {
            engine,
            home,
            port: 0,
            flags,
            child: Mutex::default(),
        };
        fill(&server.data_dir())?;
        for _ in 0..10 {
            server.port = free_port()?;
            if let Launch::Ready(child) = server.launch()? {
                *server.child() = Some(child);
                return Ok(server);
            }
        }
        Err(server.failed("found no free port in ten attempts"))
    }

    /// The engine of this server.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// The port on 127.0.0.1; it stays the same over restarts.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The id of the main process, if the server runs.
    pub fn pid(&self) -> Option<u32> {
        self.child().as_ref().map(Child::id)
    }

    /// The folder with the server's data.
    pub fn data_dir(&self) -> PathBuf {
        self.home.join("data")
    }

    /// What the server has written to its log.
    pub fn log(&self) -> String {
        std::fs::read(self.home.join("log"))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// The address of a database on this server, for the account that may do everything.
    pub fn url(&self, database: &str) -> String {
        let account = if speaks_mysql(self.engine) {
            "mysql://root"
        } else {
            "postgres://postgres"
        };
        format!("{account}@127.0.0.1:{}/{database}", self.port)
    }

    /// Kills every process of the server at once, as a power cut would. Nothing if it is down.
    ///
    /// # Errors
    /// If a process does not go away.
    pub fn kill(&self) -> Result<(), Error> {
        let mut child = self.child();
        let Some(main) = child.as_mut() else {
            return Ok(());
        };
        // A stopped process starts no others while they are counted.
        signal(&[main.id()], Signal::STOP);
        let all = tree(main.id());
        signal(&all, Signal::KILL);
        main.wait()
            .context(|| "wait for a killed server".to_owned())?;
        *child = None;
        wait_gone(&all, PATIENCE)
    }

    /// Shuts the server down in an orderly way without waiting for its clients.
    ///
    /// # Errors
    /// If it is still there after a minute.
    pub fn stop(&self) -> Result<(), Error> {
        self.stop_by(if speaks_mysql(self.engine) {
            Signal::TERM
        } else {
            Signal::INT
        })
    }

    /// `PostgreSQL`'s immediate shutdown: sessions are cut and the next start recovers. `MariaDB` and
    /// `MySQL` have no such thing and are killed.
    ///
    /// # Errors
    /// If it is still there after a minute.
    pub fn stop_immediate(&self) -> Result<(), Error> {
        if speaks_mysql(self.engine) {
            self.kill()
        } else {
            self.stop_by(Signal::QUIT)
        }
    }

    /// Starts the server again on the same port and data, after shutting it down if it runs.
    ///
    /// # Errors
    /// If it does not start, for instance because something else took the port.
    pub fn restart(&self) -> Result<(), Error> {
        self.stop()?;
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Launch::Ready(child) = self.launch()? {
                *self.child() = Some(child);
                return Ok(());
            }
            sleep(Duration::from_millis(100));
        }
        Err(self.failed(&format!("port {} is taken", self.port)))
    }

    /// The flags of the next start, beside the harness's own.
    pub(crate) fn set_flags(&mut self, flags: Vec<String>) {
        self.flags = flags;
    }

    /// Freezes every process of the server: connections stay open and nothing answers.
    pub fn sigstop(&self) {
        if let Some(main) = self.pid() {
            signal(&[main], Signal::STOP);
            let all = tree(main);
            signal(&all, Signal::STOP);
            // A thread may run on for a moment, long enough to answer.
            let start = Instant::now();
            while !all.iter().all(|pid| is_stopped(*pid)) && start.elapsed() < PATIENCE {
                sleep(Duration::from_millis(1));
            }
        }
    }

    /// Lets a frozen server go on.
    pub fn sigcont(&self) {
        if let Some(main) = self.pid() {
            signal(&tree(main), Signal::CONT);
        }
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop_by(&self, by: Signal) -> Result<(), Error> {
        let mut child = self.child();
        let Some(main) = child.as_mut() else {
            return Ok(());
        };
        let all = tree(main.id());
        signal(&all, Signal::CONT);
        signal(&[main.id()], by);
        wait_gone(&all, PATIENCE)?;
        main.wait()
            .context(|| "wait for a stopped server".to_owned())?;
        *child = None;
        Ok(())
    }

    fn launch(&self) -> Result<Launch, Error> {
        let mut command = match self.engine {
            Engine::MySql => mysql::server()?,
            engine => confined(&engine.programs()?[1]),
        };
        command
            .args(flags(self.engine, &self.data_dir(), self.port))
            .args(&self.flags);
        let log = File::options()
            .create(true)
            .append(true)
            .read(true)
            .open(self.home.join("log"));
        let mut log = log.context(|| "open the log of a server".to_owned())?;
        let before = log.seek(SeekFrom::End(0)).unwrap_or_default();
        let share = |log: &File| {
            log.try_clone()
                .context(|| "share the log of a server".to_owned())
        };
        command.stdout(share(&log)?).stderr(share(&log)?);

        let mut child = spawn(command)?;
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if self.is_ready(child.id()) {
                return Ok(Launch::Ready(child));
            }
            if let Some(status) = child.try_wait().context(|| "watch a server".to_owned())? {
                let mut printed = String::new();
                let _ = log
                    .seek(SeekFrom::Start(before))
                    .and_then(|_| log.read_to_string(&mut printed));
                if printed.contains("Address already in use") || printed.contains("error: 98") {
                    return Ok(Launch::PortTaken);
                }
                return Err(self.failed(&format!("ended at its start, {status}")));
            }
            sleep(POLL);
        }
        signal(&tree(child.id()), Signal::KILL);
        let _ = child.wait();
        Err(self.failed("did not start within a minute"))
    }

    /// Whether the process `pid` is the one that owns the data and takes connections. The pid
    /// matters: at the port alone somebody else might answer.
    fn is_ready(&self, pid: u32) -> bool {
        let mysql = speaks_mysql(self.engine);
        let file = self.data_dir().join(if mysql {
            "server.pid"
        } else {
            "postmaster.pid"
        });
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let mut lines = text.lines().map(str::trim);
        if lines.next() != Some(pid.to_string().as_str()) {
            return false;
        }
        // PostgreSQL writes its state into line 8, MariaDB and MySQL greet whoever connects.
        if mysql {
            greets(self.port)
        } else {
            lines.nth(6) == Some("ready")
        }
    }

    fn failed(&self, what: &str) -> Error {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(20)..].join("\n");
        Error::Server {
            engine: self.engine,
            detail: format!("{what}; its log ends with:\n{tail}"),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Best effort; what remains goes with the process.
        let _ = self.kill();
        let _ = std::fs::remove_dir_all(&self.home);
    }
}
