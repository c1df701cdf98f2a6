//! The circuit breaker: when a server is down, calls fail at once instead of each finding out
//! for itself, and a few probes find out when it is back.
//!
//! Off by default. It counts connection faults of what it lets through: taking a connection for
//! a transaction, statements on the pool, and statements and control statements of transactions
//! that lost their connection. A call that it rejects ends at once, with
//! [`FaultKind::ServerUnavailable`] and [`Outcome::NotSent`](crate::Outcome::NotSent): it is not
//! retried, whatever its policy, and takes nothing from the retry budget. A retry would either
//! come before the breaker lets it through, or wait for that, and failing fast is what a breaker
//! is for.

mod config;
mod machine;

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use strum::{Display, IntoStaticStr};

pub use config::BreakerConfig;
use config::Verdict;
use machine::{Admission, Machine};

use super::{Events, HealthEvent};
use crate::{FaultKind, metrics::ConnectionMetrics, time::Clock};

/// Whether calls get through.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Display,
    IntoStaticStr,
    Serialize,
    Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// All of them.
    #[default]
    Closed,
    /// A few, to see whether the server is back.
    HalfOpen,
    /// None.
    Open,
}

/// A breaker at one moment.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct BreakerReport {
    /// Whether calls get through.
    pub state: BreakerState,
    /// How often it opened.
    pub opened: u64,
    /// Calls that it rejected.
    pub rejected: u64,
    /// For how many milliseconds the server has been away, as far as the breaker knows.
    pub open_for_ms: Option<u64>,
    /// In how many milliseconds it lets the next probe through.
    pub probes_in_ms: Option<u64>,
    /// The last fault that it counted.
    pub last_fault: Option<FaultKind>,
}

/// Why a call was not let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejection {
    /// How long the breaker has not been closed.
    pub open_for: Duration,
    /// What the last fault was.
    pub last_fault: FaultKind,
    /// When it lets the next probe through; zero if one is under way.
    pub probes_in: Duration,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the circuit breaker has been open for {:.1} s, after {}",
            self.open_for.as_secs_f64(),
            self.last_fault
        )?;
        if self.probes_in.is_zero() {
            f.write_str("; a probe is under way")
        } else {
            write!(f, "; it probes in {:.1} s", self.probes_in.as_secs_f64())
        }
    }
}

/// The breaker of one database. While it is closed, a call costs it an atomic load and an
/// addition.
#[derive(Debug)]
pub struct Breaker {
    database: String,
    config: BreakerConfig,
    clock: Arc<dyn Clock>,
    metrics: Arc<ConnectionMetrics>,
    events: Events,
    /// Twice the machine's generation, plus one while it is closed.
    phase: AtomicU64,
    /// Calls that did well since the machine last looked.
    successes: AtomicU64,
    machine: Mutex<Machine>,
}

/// What is gone is not open.
impl Drop for Breaker {
    fn drop(&mut self) {
        let machine = self.machine.get_mut();
        let state = machine.unwrap_or_else(PoisonError::into_inner).state();
        if state != BreakerState::Closed {
            self.metrics.breaker_is(state, BreakerState::Closed);
        }
    }
}

impl Breaker {
    /// A closed breaker.
    pub fn new(
        database: impl Into<String>,
        config: BreakerConfig,
        clock: Arc<dyn Clock>,
        metrics: Arc<ConnectionMetrics>,
        events: Events,
    ) -> Self {
        let machine = Machine::new(config.clone(), clock.now());
        Self {
            database: database.into(),
            config,
            phase: AtomicU64::new(machine.phase()),
            successes: AtomicU64::new(0),
            machine: Mutex::new(machine),
            clock,
            metrics,
            events,
        }
    }

    /// Asks to send something. The answer's [`Permit`] is told how that went.
    ///
    /// # Errors
    /// While the server is taken to be away.
    #[inline]
    pub fn admit(&self) -> Result<Permit<'_>, Rejection> {
        let phase = self.phase.load(Ordering::Acquire);
        if phase & 1 == 1 {
            return Ok(Permit::new(self, phase, false));
        }
        self.admit_as_probe()
    }

    #[cold]
    fn admit_as_probe(&self) -> Result<Permit<'_>, Rejection> {
        let admission = self.change(Machine::admit);
        match admission {
            Admission::Free(phase) => Ok(Permit::new(self, phase, false)),
            Admission::Probe(phase) => Ok(Permit::new(self, phase, true)),
            Admission::Rejected(rejection) => {
                self.metrics.breaker_rejected.add(1);
                Err(rejection)
            }
        }
    }

    /// A fault of something that was let through before: of a statement in a transaction. Its
    /// successes are not counted; that the connection could be had was.
    #[cold]
    pub fn fault(&self, kind: FaultKind) {
        if self.config.verdict(kind) == Verdict::Failure {
            let successes = self.successes.swap(0, Ordering::Relaxed);
            self.change(|machine, now| machine.failure(kind, successes, now));
        }
    }

    /// Whether calls get through.
    pub fn state(&self) -> BreakerState {
        self.machine().state()
    }

    /// Whether a call would now be let through as a probe: time for a monitor to make one.
    pub fn wants_probe(&self) -> bool {
        self.machine().wants_probe(self.clock.now())
    }

    /// As it is now.
    pub fn report(&self) -> BreakerReport {
        let now = self.clock.now();
        let machine = self.machine();
        let ms = |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
        let rejection = machine.rejection(now);
        BreakerReport {
            state: machine.state(),
            opened: self.metrics.breaker_opened.get(),
            rejected: self.metrics.breaker_rejected.get(),
            open_for_ms: rejection.map(|r| ms(r.open_for)),
            probes_in_ms: rejection.map(|r| ms(r.probes_in)),
            last_fault: machine.last_fault(),
        }
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the machine, and tells if it has changed its state.
    fn change<T>(&self, f: impl FnOnce(&mut Machine, Instant) -> T) -> T {
        let now = self.clock.now();
        let (result, changed) = {
            let mut machine = self.machine();
            let before = machine.state();
            let result = f(&mut machine, now);
            self.phase.store(machine.phase(), Ordering::Release);
            let (after, fault) = (machine.state(), machine.last_fault());
            if before != after {
                self.metrics.breaker_is(before, after);
            }
            (result, (before != after).then_some((after, fault)))
        };
        if let Some((state, last_fault)) = changed {
            self.tell(state, last_fault);
        }
        result
    }

    fn tell(&self, state: BreakerState, last_fault: Option<FaultKind>) {
        tracing::warn!(
            target: "resilient",
            state = %state,
            db.namespace = self.database,
            fault = last_fault.map_or("", FaultKind::as_str),
            "circuit breaker",
        );
        self.events.send(HealthEvent::Breaker {
            database: self.database.clone(),
            state,
            last_fault,
        });
    }
}

/// The leave to send something. Dropped without a word, it says nothing about the server.
#[derive(Debug)]
#[must_use = "the breaker waits to hear how it went"]
pub struct Permit<'a> {
    breaker: &'a Breaker,
    phase: u64,
    probe: bool,
    told: bool,
}

impl<'a> Permit<'a> {
    fn new(breaker: &'a Breaker, phase: u64, probe: bool) -> Self {
        Self {
            breaker,
            phase,
            probe,
            told: false,
        }
    }

    /// Whether it is a probe's.
    pub fn is_probe(&self) -> bool {
        self.probe
    }

    /// The server answered.
    #[inline]
    pub fn succeeded(mut self) {
        self.told = true;
        if self.probe {
            let phase = self.phase;
            self.breaker
                .change(|machine, now| machine.probed(phase, now));
        } else {
            self.breaker.successes.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// It ended with this fault, which may say that there was no server, or that there was.
    #[cold]
    pub fn failed(mut self, kind: FaultKind) {
        match self.breaker.config.verdict(kind) {
            Verdict::Success => self.succeeded(),
            Verdict::Nothing => {}
            Verdict::Failure => {
                self.told = true;
                let (phase, probe) = (self.phase, self.probe);
                let successes = self.breaker.successes.swap(0, Ordering::Relaxed);
                self.breaker.change(|machine, now| {
                    if probe {
                        machine.probe_failed(phase, kind, now);
                    } else if machine.phase() == phase {
                        machine.failure(kind, successes, now);
                    }
                });
            }
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.probe && !self.told {
            let phase = self.phase;
            self.breaker.change(|machine, _| machine.released(phase));
        }
    }
}

#[cfg(test)]
mod tests;
