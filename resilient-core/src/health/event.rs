//! What happens to a database's health, for whoever wants to hear of it.

use serde::Serialize;
use tokio::sync::broadcast;

use super::{alerts::Alert, breaker::BreakerState};
use crate::FaultKind;

/// Something happened to a database's health.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum HealthEvent {
    /// The monitor found the database unhealthy; told once until it recovers.
    CheckFailed {
        /// The database's name.
        database: String,
        /// Which check; `health` is the monitor's own look.
        check: String,
        /// Why.
        reason: String,
    },
    /// The monitor found it healthy again.
    CheckRecovered {
        /// The database's name.
        database: String,
        /// Which check; `health` is the monitor's own look.
        check: String,
        /// Checks that had failed.
        failed_checks: u64,
        /// For how long, in milliseconds.
        down_ms: u64,
    },
    /// A tick of the monitor panicked, or did not end in time. The monitor goes on.
    MonitorFailed {
        /// The database's name.
        database: String,
        /// What happened to it.
        reason: String,
    },
    /// A threshold was passed.
    AlertRaised {
        /// Which, and by how much.
        alert: Alert,
    },
    /// An alert that stands has become critical.
    AlertEscalated {
        /// As it stands now.
        alert: Alert,
    },
    /// An alert is over.
    AlertCleared {
        /// As it stood last.
        alert: Alert,
    },
    /// The circuit breaker opened, closed, or lets probes through.
    Breaker {
        /// The database's name.
        database: String,
        /// Its state from now on.
        state: BreakerState,
        /// The last fault that it counted.
        last_fault: Option<FaultKind>,
    },
    /// A pooled connection was closed for its state; another one is opened where it is wanted.
    ConnectionReplaced {
        /// The database's name.
        database: String,
        /// Its number in the list of connections, or `unknown` if nobody had met it yet.
        connection: String,
        /// Why: `expired`, `stale` or `unhealthy`.
        reason: String,
    },
    /// A deadlock was seen.
    DeadlockSeen {
        /// The database's name.
        database: String,
        /// The methods in it, as far as they are known.
        methods: Vec<String>,
    },
    /// A session or connection was recovered, or the attempt failed.
    Recovery {
        /// The database's name.
        database: String,
        /// What was recovered.
        subject: String,
        /// Attempts it took.
        attempts: u32,
        /// Whether it worked.
        succeeded: bool,
    },
    /// A session is open for too long, or was ended for that.
    SessionExpired {
        /// The database's name.
        database: String,
        /// The method that holds it, if one does.
        method: Option<String>,
        /// How long it had been open, in milliseconds.
        age_ms: u64,
        /// Whether it was ended, or only warned of.
        ended: bool,
    },
}

/// How many events a slow receiver can be behind before it misses some.
const CAPACITY: usize = 256;

/// Where events are sent. Clones send to the same receivers.
///
/// Sending never waits: a receiver that is more than 256 events behind is told how many it
/// missed ([`broadcast::error::RecvError::Lagged`]).
#[derive(Clone, Debug)]
pub struct Events(broadcast::Sender<HealthEvent>);

impl Default for Events {
    fn default() -> Self {
        Self(broadcast::Sender::new(CAPACITY))
    }
}

impl Events {
    /// Tells everyone who listens.
    pub fn send(&self, event: HealthEvent) {
        // An error says that nobody listens.
        let _ = self.0.send(event);
    }

    /// Hears every event from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<HealthEvent> {
        self.0.subscribe()
    }
}
