//! What the handle of a proxy and its connections share.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::log::{Hit, Recording};
use super::plan::{Ending, Fault, Plan};
use crate::locate::Engine;

/// What all connections obey at once.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Orders {
    /// Connections of an earlier generation end.
    pub(super) generation: u64,
    pub(super) frozen: bool,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) target: SocketAddr,
    pub(super) plans: Vec<Plan>,
    pub(super) handshakes: Option<Ending>,
    pub(super) latency: Duration,
    pub(super) recording: Recording,
    pub(super) round_trips: BTreeMap<u64, u64>,
    pub(super) hits: Vec<Hit>,
    pub(super) errors: Vec<String>,
    pub(super) connections: u64,
}

#[derive(Debug)]
pub(super) struct Hub {
    pub(super) engine: Engine,
    pub(super) orders: watch::Sender<Orders>,
    /// The numbers of the connections that are open on the client's side.
    pub(super) open: watch::Sender<BTreeSet<u64>>,
    /// Statements that reach the server after their client was cut.
    pub(super) late: watch::Sender<usize>,
    pub(super) tasks: Mutex<JoinSet<()>>,
    state: Mutex<State>,
}

impl Hub {
    pub(super) fn new(engine: Engine, target: SocketAddr) -> Self {
        let state = State {
            target,
            plans: Vec::new(),
            handshakes: None,
            latency: Duration::ZERO,
            recording: Recording::default(),
            round_trips: BTreeMap::new(),
            hits: Vec::new(),
            errors: Vec::new(),
            connections: 0,
        };
        Self {
            engine,
            orders: watch::Sender::default(),
            open: watch::Sender::default(),
            late: watch::Sender::default(),
            tasks: Mutex::default(),
            state: Mutex::new(state),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tasks(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn report(&self, error: String) {
        self.state().errors.push(error);
    }
}

impl State {
    /// The fault that strikes this statement. All plans count it.
    pub(super) fn strike(&mut self, connection: u64, sql: &str) -> Option<Fault> {
        let struck = self
            .plans
            .iter_mut()
            .map(|plan| plan.strike(connection, sql));
        // Collected first, so that every plan counts.
        let struck: Vec<_> = struck.collect();
        struck.into_iter().flatten().next()
    }
}

/// Lists a connection for as long as it lives.
#[derive(Debug)]
pub(super) struct Open {
    hub: Arc<Hub>,
    pub(super) number: u64,
    /// It ends with this generation.
    pub(super) generation: u64,
}

impl Open {
    pub(super) fn new(hub: &Arc<Hub>) -> Self {
        let mut state = hub.state();
        state.connections += 1;
        let number = state.connections;
        hub.open.send_modify(|open| {
            open.insert(number);
        });
        Self {
            hub: Arc::clone(hub),
            number,
            generation: hub.orders.borrow().generation,
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let number = self.number;
        self.hub.open.send_modify(|open| {
            open.remove(&number);
        });
    }
}

/// Counts something for as long as it lives.
#[derive(Debug)]
pub(super) struct Counted(Arc<Hub>, fn(&Hub) -> &watch::Sender<usize>);

impl Counted {
    pub(super) fn new(hub: &Arc<Hub>, of: fn(&Hub) -> &watch::Sender<usize>) -> Self {
        of(hub).send_modify(|count| *count += 1);
        Self(Arc::clone(hub), of)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        (self.1)(&self.0).send_modify(|count| *count -= 1);
    }
}
