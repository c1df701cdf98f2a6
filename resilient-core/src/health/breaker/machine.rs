//! The breaker as a pure state machine: what it is told and when, it decides.

use std::time::{Duration, Instant};

use super::{BreakerConfig, BreakerState, Rejection};
use crate::FaultKind;

/// The answer to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// Let through; the phase it belongs to.
    Free(u64),
    /// The same, as a probe.
    Probe(u64),
    Rejected(Rejection),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Open {
        until: Instant,
    },
    HalfOpen {
        in_flight: u32,
        succeeded: u32,
        /// When the latest probe began.
        latest: Instant,
    },
}

/// Calls of one half of the window.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    calls: u64,
    failures: u64,
}

#[derive(Debug)]
pub(super) struct Machine {
    config: BreakerConfig,
    state: State,
    /// Grows with each change of state, so that what belongs to an earlier one is known.
    generation: u64,
    /// The window as two halves that take turns.
    halves: [Tally; 2],
    half_since: Instant,
    /// When successes were last taken in.
    looked: Instant,
    consecutive: u32,
    /// When it was last closed and is not any more.
    away_since: Option<Instant>,
    failed_probes: u32,
    last_fault: Option<FaultKind>,
}

impl Machine {
    pub(super) fn new(config: BreakerConfig, now: Instant) -> Self {
        Self {
            config,
            state: State::Closed,
            generation: 0,
            halves: [Tally::default(); 2],
            half_since: now,
            looked: now,
            consecutive: 0,
            away_since: None,
            failed_probes: 0,
            last_fault: None,
        }
    }

    /// Twice the generation, plus one while closed.
    pub(super) fn phase(&self) -> u64 {
        self.generation * 2 + u64::from(self.state == State::Closed)
    }

    pub(super) fn state(&self) -> BreakerState {
        match self.state {
            State::Closed => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    pub(super) fn last_fault(&self) -> Option<FaultKind> {
        self.last_fault
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.generation += 1;
    }

    pub(super) fn admit(&mut self, now: Instant) -> Admission {
        let probes = self.config.probes.max(1);
        match self.state {
            State::Closed => return Admission::Free(self.phase()),
            State::Open { until } if now >= until => self.enter(State::HalfOpen {
                in_flight: 0,
                succeeded: 0,
                latest: now,
            }),
            // Probes that never answered are given up, and what they say later is not heard.
            State::HalfOpen {
                in_flight, latest, ..
            } if in_flight > 0
                && now.saturating_duration_since(latest) >= self.config.probe_limit =>
            {
                self.enter(State::HalfOpen {
                    in_flight: 0,
                    succeeded: 0,
                    latest: now,
                });
            }
            State::Open { .. } | State::HalfOpen { .. } => {}
        }
        if let State::HalfOpen {
            in_flight,
            succeeded,
            latest,
        } = &mut self.state
            && *in_flight + *succeeded < probes
        {
            *in_flight += 1;
            *latest = now;
            return Admission::Probe(self.phase());
        }
        match self.rejection(now) {
            Some(rejection) => Admission::Rejected(rejection),
            None => Admission::Free(self.phase()),
        }
    }

    /// What a call would be told now, if it were not let through.
    pub(super) fn rejection(&self, now: Instant) -> Option<Rejection> {
        let since = self.away_since?;
        let probes_in = match self.state {
            State::Open { until } => until.saturating_duration_since(now),
            _ => Duration::ZERO,
        };
        Some(Rejection {
            open_for: now.saturating_duration_since(since),
            last_fault: self.last_fault.unwrap_or(FaultKind::ServerUnavailable),
            probes_in,
        })
    }

    pub(super) fn wants_probe(&self, now: Instant) -> bool {
        match self.state {
            State::Closed => false,
            State::Open { until } => now >= until,
            State::HalfOpen {
                in_flight,
                succeeded,
                latest,
            } => {
                in_flight + succeeded < self.config.probes.max(1)
                    || now.saturating_duration_since(latest) >= self.config.probe_limit
            }
        }
    }

    /// A call failed of its connection, after so many did well since the last that did.
    pub(super) fn failure(&mut self, kind: FaultKind, successes: u64, now: Instant) {
        if self.state != State::Closed {
            return;
        }
        self.last_fault = Some(kind);
        let recent = self.recent(successes, now);
        self.roll(now);
        self.halves[0].calls += recent + 1;
        self.halves[0].failures += 1;
        self.consecutive = if successes > 0 { 0 } else { self.consecutive } + 1;
        if self.is_too_much() {
            self.failed_probes = 0;
            self.away_since = Some(now);
            self.open(now);
        }
    }

    /// How many of the successes since the last look lie within the window, taking them to be
    /// spread evenly: those of a calm hour must not outweigh the failures of a minute.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss
    )]
    fn recent(&mut self, successes: u64, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.looked);
        self.looked = now;
        if elapsed <= self.config.window {
            return successes;
        }
        let share = self.config.window.as_secs_f64() / elapsed.as_secs_f64();
        (successes as f64 * share) as u64
    }

    fn roll(&mut self, now: Instant) {
        let half = self.config.window / 2;
        let elapsed = now.saturating_duration_since(self.half_since);
        if elapsed < half {
            return;
        }
        let before = if elapsed < half * 2 {
            self.halves[0]
        } else {
            Tally::default()
        };
        self.halves = [Tally::default(), before];
        self.half_since = now;
    }

    #[allow(clippy::cast_precision_loss)]
    fn is_too_much(&self) -> bool {
        let limit = self.config.consecutive_failures;
        if limit > 0 && self.consecutive >= limit {
            return true;
        }
        let calls: u64 = self.halves.iter().map(|h| h.calls).sum();
        let failures: u64 = self.halves.iter().map(|h| h.failures).sum();
        self.config.minimum_calls > 0
            && calls >= self.config.minimum_calls
            && failures as f64 >= self.config.failure_ratio * calls as f64
    }

    fn open(&mut self, now: Instant) {
        let doubled = 2u32.saturating_pow(self.failed_probes.min(30));
        let time = self.config.open_for.saturating_mul(doubled);
        let time = time.min(self.config.max_open_for.max(self.config.open_for));
        // A time beyond all time is that of a century.
        let century = Duration::from_hours(876_000);
        let until = now.checked_add(time).unwrap_or(now + century);
        self.enter(State::Open { until });
    }

    /// A probe did well.
    pub(super) fn probed(&mut self, phase: u64, now: Instant) {
        if phase != self.phase() {
            return;
        }
        if let State::HalfOpen {
            in_flight,
            succeeded,
            ..
        } = &mut self.state
        {
            *in_flight = in_flight.saturating_sub(1);
            *succeeded += 1;
            if *succeeded >= self.config.probes.max(1) {
                self.consecutive = 0;
                self.halves = [Tally::default(); 2];
                (self.half_since, self.looked) = (now, now);
                self.away_since = None;
                self.enter(State::Closed);
            }
        }
    }

    /// A probe found no server.
    pub(super) fn probe_failed(&mut self, phase: u64, kind: FaultKind, now: Instant) {
        if phase == self.phase() && self.state() == BreakerState::HalfOpen {
            self.last_fault = Some(kind);
            self.failed_probes += 1;
            self.open(now);
        }
    }

    /// A probe found out nothing.
    pub(super) fn released(&mut self, phase: u64) {
        let current = phase == self.phase();
        if let State::HalfOpen { in_flight, .. } = &mut self.state
            && current
        {
            *in_flight = in_flight.saturating_sub(1);
        }
    }
}
