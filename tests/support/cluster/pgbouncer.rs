//! `PgBouncer` before a `PostgreSQL` server.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::PATIENCE;
use crate::error::{Context, Error};
use crate::locate::Engine;
use crate::port::free_port;
use crate::process::{confined, signal, spawn};
use crate::run_dir::server_dir;
use crate::server::Server;

/// When a client's server session is given to somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// When the client goes.
    Session,
    /// When its transaction ends.
    Transaction,
}

/// A pooler with two server sessions for each database, so that clients meet each other's.
#[derive(Debug)]
pub struct PgBouncer {
    port: u16,
    child: Child,
}

impl PgBouncer {
    /// Starts one before `server`. `settings` are lines of its configuration and come last.
    ///
    /// # Errors
    /// If it is not installed or does not start; its log is in the error.
    pub fn before(server: &Server, pooling: Pooling, settings: &[&str]) -> Result<Self, Error> {
        let program = Engine::Postgres.cluster_part("pgbouncer")?;
        let home = server_dir("pgbouncer")?;
        let mode = match pooling {
            Pooling::Session => "session",
            Pooling::Transaction => "transaction",
        };
        let port = free_port()?;
        let mut text = format!(
            "[databases]\n* = host=127.0.0.1 port={} user=postgres\n[pgbouncer]\n\
             listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = any\npool_mode = {mode}\ndefault_pool_size = 2\nmax_client_conn = 200\n\
             ignore_startup_parameters = extra_float_digits\nserver_login_retry = 1\n\
             query_wait_timeout = 10\n",
            server.port()
        );
        for setting in settings {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{setting}");
        }
        let config = home.join("pgbouncer.ini");
        fs::write(&config, text).context(|| "configure pgbouncer".to_owned())?;
        let path = home.join("log");
        let log = File::create(&path).context(|| "open the log of pgbouncer".to_owned())?;
        let share = log.try_clone();
        let share = share.context(|| "share the log of pgbouncer".to_owned())?;
        let mut command = confined(&program);
        command.arg(&config).stdout(log).stderr(share);
        let mut child = spawn(command)?;
        let failed = |what: String| {
            let log = fs::read_to_string(&path).unwrap_or_default();
            Error::Server {
                engine: Engine::Postgres,
                detail: format!("pgbouncer {what}: {log}"),
            }
        };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let start = Instant::now();
        while TcpStream::connect(address).is_err() {
            if let Ok(Some(status)) = child.try_wait() {
                return Err(failed(format!("ended at its start, {status}")));
            }
            if start.elapsed() > PATIENCE {
                signal(&[child.id()], Signal::KILL);
                return Err(failed("did not start".to_owned()));
            }
            sleep(Duration::from_millis(5));
        }
        Ok(Self { port, child })
    }

    /// The address of a database through it.
    pub fn url(&self, database: &str) -> String {
        format!(
            "postgres://postgres@127.0.0.1:{}/{database}?sslmode=disable",
            self.port
        )
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        signal(&[self.child.id()], Signal::KILL);
        // It is gone; there is nothing to be told of it.
        let _ = self.child.wait();
    }
}
