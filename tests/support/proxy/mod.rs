//! A proxy before a server that understands what passes and cuts at any message.

mod hub;
mod log;
mod mysql;
mod plan;
mod postgres;
mod relay;
mod sql;
mod talk;
mod wire;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use self::hub::{Hub, Open};
pub use self::log::{Boundary, Flight, Hit, Side};
use self::log::{CutAt, Recording, Scope, Stage};
pub use self::plan::{Ending, Fault, Plan};
pub use self::sql::is_commit;
pub use self::wire::Direction;
use crate::error::{Context, Error};
use crate::locate::Engine;
use crate::port::free_port;
use crate::server::Server;
use crate::test_db::TestDb;

/// How long answers to late statements, and the ends of connections, are waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A TCP proxy before a `PostgreSQL`, `MariaDB` or `MySQL` server, for connections without TLS.
///
/// It listens on a free port of 127.0.0.1 and ends with this value. It must be started in a
/// runtime, which its connections live in. What it does can be changed at any time, also from
/// other threads. Handshakes pass unhurt unless [`cut_handshakes`](Self::cut_handshakes) says
/// otherwise. A server that is down is a reset to the client.
///
/// A test ends by [`finish`](Self::finish): it fails if the proxy has not understood something,
/// or if what it was told to do once has not been done. Without it, dropping the proxy panics if
/// it has not understood something.
#[derive(Debug)]
pub struct Proxy {
    hub: Arc<Hub>,
    port: u16,
    url: Option<String>,
    accepting: Mutex<Option<JoinHandle<()>>>,
}

impl Proxy {
    /// Starts a proxy before the server of `test`.
    ///
    /// # Errors
    /// If no port is free, or for `SQLite`, which has no server.
    pub async fn before(test: &TestDb) -> Result<Self, Error> {
        let engine = test.engine();
        let unsupported = Error::Unsupported {
            engine,
            what: "connections to cut",
        };
        let (_, port, _) = split(test.url()).ok_or(unsupported)?;
        let mut proxy = Self::to(engine, local(port)).await?;
        proxy.url = Some(proxy.url_of(test.url())?);
        Ok(proxy)
    }

    /// Starts a proxy before the server of `engine` at `target`.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn to(engine: Engine, target: SocketAddr) -> Result<Self, Error> {
        let hub = Arc::new(Hub::new(engine, target));
        let mut attempts = 0;
        loop {
            let port = free_port()?;
            let proxy = Self {
                hub: Arc::clone(&hub),
                port,
                url: None,
                accepting: Mutex::default(),
            };
            attempts += 1;
            match proxy.up().await {
                Ok(()) => return Ok(proxy),
                // Somebody else was faster.
                Err(_) if attempts < 10 => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The way through the proxy to the database that it was started [`before`](Self::before);
    /// empty if it was not.
    pub fn url(&self) -> &str {
        self.url.as_deref().unwrap_or_default()
    }

    /// The way through the proxy to a database, by the address of that database on 127.0.0.1.
    ///
    /// # Errors
    /// If the address is not one of a server of the harness.
    pub fn url_of(&self, url: &str) -> Result<String, Error> {
        let unknown = || Error::Proxy(format!("no 127.0.0.1 with a port in `{url}`"));
        let (start, _, database) = split(url).ok_or_else(unknown)?;
        let tls = match self.hub.engine {
            Engine::Postgres => "sslmode=disable",
            _ => "ssl-mode=disabled",
        };
        let mark = if database.contains('?') { '&' } else { '?' };
        Ok(format!(
            "{start}127.0.0.1:{}/{database}{mark}{tls}",
            self.port
        ))
    }

    /// Adds a fault. All that are added count at each statement, and the first that strikes wins.
    pub fn add(&self, plan: Plan) {
        self.hub.state().plans.push(plan);
    }

    /// No more faults: those that were added are forgotten, and handshakes pass.
    pub fn calm(&self) {
        let mut state = self.hub.state();
        state.plans.clear();
        state.handshakes = None;
        state.recording.cut = None;
    }

    /// Cuts every connection at the server's first message from now on, or no longer.
    pub fn cut_handshakes(&self, ending: Option<Ending>) {
        self.hub.state().handshakes = ending;
    }

    /// How much later whatever is read is forwarded, in each direction. None at first.
    pub fn latency(&self, latency: Duration) {
        self.hub.state().latency = latency;
    }

    /// The faults that have struck, in order.
    pub fn hits(&self) -> Vec<Hit> {
        self.hub.state().hits.clone()
    }

    /// Begins to record messages, and to count round trips anew.
    ///
    /// A pool tests its connections when they are taken, and in the background after they were
    /// given back; [`record_transaction`](Self::record_transaction) leaves that out.
    pub fn record(&self) {
        self.record_as(Scope::Everything);
    }

    /// Begins to record, and to count, what belongs to the next transaction: from the message
    /// with its BEGIN or START TRANSACTION to the complete answer to its COMMIT or ROLLBACK.
    pub fn record_transaction(&self) {
        self.record_as(Scope::Transaction(Stage::Awaited));
    }

    fn record_as(&self, scope: Scope) {
        let mut state = self.hub.state();
        state.recording = Recording {
            scope,
            ..Recording::default()
        };
        state.round_trips.clear();
    }

    /// The messages since [`record`](Self::record), in the order in which they passed. A handshake
    /// is not among them, nor is an answer that was withheld.
    pub fn boundaries(&self) -> Vec<Boundary> {
        self.hub.state().recording.boundaries.clone()
    }

    /// Cuts at the message with this number, once, as [`boundaries`](Self::boundaries) of the same
    /// exchange tell. Records anew: a transaction after
    /// [`record_transaction`](Self::record_transaction), otherwise everything.
    pub fn cut_at(&self, number: usize, side: Side, ending: Ending) {
        let mut state = self.hub.state();
        let mut recording = state.recording.anew();
        recording.cut = Some(CutAt {
            number,
            side,
            ending,
        });
        state.recording = recording;
        state.round_trips.clear();
    }

    /// The round trips on all connections since the proxy was started, or last told to
    /// [`record`](Self::record): how often a client sent something and had its whole answer, up to
    /// `ReadyForQuery` or the last packet of the last result. What is sent before that is part of
    /// the same round trip; handshakes are none.
    pub fn round_trips(&self) -> u64 {
        self.hub.state().round_trips.values().sum()
    }

    /// The same for one connection, from 1 in the order in which they were opened.
    pub fn round_trips_of(&self, connection: u64) -> u64 {
        let state = self.hub.state();
        state
            .round_trips
            .get(&connection)
            .copied()
            .unwrap_or_default()
    }

    /// The round trips since [`record`](Self::record), with what was sent; also those whose answer
    /// did not come or did not reach the client.
    pub fn flights(&self) -> Vec<Flight> {
        self.hub.state().recording.flights.clone()
    }

    /// How many connections there have been.
    pub fn connections(&self) -> u64 {
        self.hub.state().connections
    }

    /// How many connections are open on the client's side.
    pub fn open_connections(&self) -> usize {
        self.hub.open.borrow().len()
    }

    /// Refuses connections, and resets those that are open. What is late stays on its way.
    ///
    /// # Errors
    /// If a connection does not end.
    pub async fn down(&self) -> Result<(), Error> {
        let accepting = self.accepting().take();
        if let Some(accepting) = accepting {
            accepting.abort();
            // It was aborted, or has ended: both is down.
            let _ = accepting.await;
        }
        self.cut().await
    }

    /// Takes connections again.
    ///
    /// # Errors
    /// If something else took the port.
    pub async fn up(&self) -> Result<(), Error> {
        if self.accepting().is_some() {
            return Ok(());
        }
        let bound = TcpListener::bind(local(self.port)).await;
        let listener = bound.context(|| format!("listen on port {} as a proxy", self.port))?;
        let accept = accept(Arc::clone(&self.hub), listener);
        *self.accepting() = Some(tokio::spawn(accept));
        Ok(())
    }

    /// Resets all open connections.
    ///
    /// # Errors
    /// If a connection does not end.
    pub async fn cut(&self) -> Result<(), Error> {
        let newest = {
            // Those that are opened from now on belong to the next generation, and stay.
            let state = self.hub.state();
            self.hub.orders.send_modify(|orders| orders.generation += 1);
            state.connections
        };
        let none = |open: &BTreeSet<u64>| open.range(..=newest).next().is_none();
        gone(&self.hub.open, none, "the end of the proxy's connections").await
    }

    /// Fails over: new connections go to this server, and open ones are reset.
    ///
    /// # Errors
    /// If a connection does not end.
    pub async fn target(&self, target: SocketAddr) -> Result<(), Error> {
        self.hub.state().target = target;
        self.cut().await
    }

    /// New connections go to this server of the harness, and open ones stay where they are: as after
    /// a change of an address, which nobody tells the sessions of.
    pub fn lead_to(&self, server: &Server) {
        self.hub.state().target = local(server.port());
    }

    /// Fails over to a server of the harness.
    ///
    /// # Errors
    /// If a connection does not end.
    pub async fn target_server(&self, server: &Server) -> Result<(), Error> {
        self.target(local(server.port())).await
    }

    /// Falls silent: connections stay open and can be opened, and nothing passes.
    pub fn freeze(&self) {
        self.hub.orders.send_modify(|orders| orders.frozen = true);
    }

    /// Lets everything pass again, first of all what was held up.
    pub fn thaw(&self) {
        self.hub.orders.send_modify(|orders| orders.frozen = false);
    }

    /// Waits until every late statement has reached its server and was answered.
    ///
    /// # Errors
    /// If that takes longer than half a minute.
    pub async fn settled(&self) -> Result<(), Error> {
        gone(
            &self.hub.late,
            |late| *late == 0,
            "the answers to late statements",
        )
        .await
    }

    /// Waits for what is late, ends all connections, and says whether everything went as planned.
    ///
    /// # Errors
    /// If the proxy has not understood something, or if a fault for one statement or message has
    /// not struck.
    pub async fn finish(self) -> Result<(), Error> {
        self.settled().await?;
        self.down().await?;
        let mut problems = Vec::new();
        {
            let mut state = self.hub.state();
            problems.append(&mut state.errors);
            let due = state.plans.iter().filter(|plan| plan.is_due());
            problems.extend(due.map(|plan| format!("has not struck: {plan:?}")));
            problems.extend(
                state
                    .recording
                    .cut
                    .map(|cut| format!("was not reached: {cut:?}")),
            );
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Error::Proxy(problems.join("; ")))
        }
    }

    fn accepting(&self) -> std::sync::MutexGuard<'_, Option<JoinHandle<()>>> {
        self.accepting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(accepting) = self.accepting().take() {
            accepting.abort();
        }
        self.hub.tasks().abort_all();
        let errors = std::mem::take(&mut self.hub.state().errors);
        assert!(
            errors.is_empty() || std::thread::panicking(),
            "the proxy: {}",
            errors.join("; ")
        );
    }
}

async fn accept(hub: Arc<Hub>, listener: TcpListener) {
    loop {
        let client = match listener.accept().await {
            Ok((client, _)) => client,
            Err(error) => return hub.report(format!("takes no more connections: {error}")),
        };
        let open = Open::new(&hub);
        let shared = Arc::clone(&hub);
        let mut tasks = hub.tasks();
        // What has ended need not be kept.
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            let number = open.number;
            let serve = relay::serve(Arc::clone(&shared), number, open.generation, client);
            let served = AssertUnwindSafe(serve).catch_unwind().await;
            let served = served.unwrap_or_else(|_| Err("a panic".to_owned()));
            if let Err(error) = served {
                shared.report(format!("connection {number}: {error}"));
            }
            drop(open);
        });
    }
}

async fn gone<T>(
    what_is_there: &tokio::sync::watch::Sender<T>,
    none: impl FnMut(&T) -> bool,
    what: &str,
) -> Result<(), Error> {
    let mut what_is_there = what_is_there.subscribe();
    let none = what_is_there.wait_for(none);
    match tokio::time::timeout(PATIENCE, none).await {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::Timeout {
            what: what.to_owned(),
            seconds: PATIENCE.as_secs(),
        }),
    }
}

/// An address of the harness, before the host, its port, and after the slash.
fn split(url: &str) -> Option<(&str, u16, &str)> {
    let (start, rest) = url.split_once("127.0.0.1:")?;
    let (port, database) = rest.split_once('/').unwrap_or((rest, ""));
    Some((start, port.parse().ok()?, database))
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}
