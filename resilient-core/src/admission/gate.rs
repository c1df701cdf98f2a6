//! [`Gate`]: where the transactions of a method wait for their turn, in order.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Semaphore;

use super::{
    AdmissionSnapshot,
    limit::{Ended, Limit, UNLIMITED},
};
use crate::time::Clock;

/// After how long without anybody leaving one more is let in. Those inside may wait for one
/// outside, which only their own code knows of.
const PATIENCE: Duration = Duration::from_secs(1);

/// The gate of one method.
pub(crate) struct Gate {
    /// First come, first served, also among cancelled ones.
    places: Semaphore,
    state: Mutex<State>,
    clock: Arc<dyn Clock>,
}

struct State {
    limit: Limit,
    /// Places that there are, taken or free. More than the limit while it has just fallen.
    places: usize,
    in_flight: usize,
    waiting: usize,
    waited: u64,
    /// Counts those who left.
    left: u64,
}

impl Gate {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let now = clock.now();
        Self {
            places: Semaphore::new(UNLIMITED),
            state: Mutex::new(State {
                limit: Limit::new(now),
                places: UNLIMITED,
                in_flight: 0,
                waiting: 0,
                waited: 0,
                left: 0,
            }),
            clock,
        }
    }

    /// A place, if there is one and nobody waits for it.
    pub(crate) fn try_enter(self: &Arc<Self>) -> Option<Permit> {
        // The permit gives it back.
        self.places.try_acquire().ok()?.forget();
        Some(self.entered(false))
    }

    /// Waits for a place.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the place in the queue, or the one that was just granted.
    pub(crate) async fn enter(self: &Arc<Self>) -> Permit {
        if let Some(permit) = self.try_enter() {
            return permit;
        }
        let _waiting = Waiting::new(self);
        let mut place = std::pin::pin!(self.places.acquire());
        loop {
            let left = self.state().left;
            // In real time whatever the clock, as with the limits of the wire.
            match tokio::time::timeout(PATIENCE, place.as_mut()).await {
                Ok(Ok(place)) => {
                    place.forget();
                    return self.entered(true);
                }
                // It is never closed; if it were, nobody would have to wait.
                Ok(Err(_)) => {
                    self.state().places += 1;
                    return self.entered(true);
                }
                Err(_) => {
                    let mut state = self.state();
                    if state.left == left {
                        state.left += 1;
                        state.places += 1;
                        self.places.add_permits(1);
                    }
                }
            }
        }
    }

    fn entered(self: &Arc<Self>, waited: bool) -> Permit {
        let now = self.clock.now();
        let mut state = self.state();
        state.in_flight += 1;
        state.waited += u64::from(waited);
        let in_flight = state.in_flight;
        state.limit.entered(now, waited, in_flight);
        Permit {
            gate: Arc::clone(self),
            since: now,
            ended: Ended::Void,
        }
    }

    fn leave(&self, since: Instant, ended: Ended) {
        let now = self.clock.now();
        let mut state = self.state();
        state.in_flight -= 1;
        state.left += 1;
        let in_flight = state.in_flight;
        let took = now.saturating_duration_since(since);
        state.limit.left(now, took, ended, in_flight);
        self.fit(&mut state, 1);
    }

    /// Makes as many places as the limit says, of so many that were given back just now.
    fn fit(&self, state: &mut State, mut given_back: usize) {
        let limit = state.limit.limit();
        if state.places > limit {
            let gone = given_back.min(state.places - limit);
            given_back -= gone;
            state.places -= gone;
            state.places -= self.places.forget_permits(state.places - limit);
        } else {
            given_back += limit - state.places;
            state.places = limit;
        }
        self.places.add_permits(given_back);
    }

    /// How long a statement of this method may wait for a lock, as far as it is known to be in
    /// others' way.
    pub(crate) fn lock_timeout(&self) -> Option<Duration> {
        self.state().limit.lock_timeout(self.clock.now())
    }

    pub(super) fn snapshot(&self, method: &'static str) -> AdmissionSnapshot {
        let now = self.clock.now();
        let state = self.state();
        let limit = state.limit.limit();
        AdmissionSnapshot {
            method,
            limit: (limit < UNLIMITED).then_some(limit as u64),
            in_flight: state.in_flight as u64,
            waiting: state.waiting as u64,
            waited: state.waited,
            changes: state.limit.changes(),
            lock_timeout_seconds: state.limit.lock_timeout(now).map(|d| d.as_secs_f64()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held; if it did, the numbers are still the best there
        // are.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.snapshot("").fmt(f)
    }
}

/// One who waits, for as long as it does.
struct Waiting<'a>(&'a Gate);

impl<'a> Waiting<'a> {
    fn new(gate: &'a Gate) -> Self {
        gate.state().waiting += 1;
        Self(gate)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.state().waiting -= 1;
    }
}

/// A place, given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    gate: Arc<Gate>,
    since: Instant,
    ended: Ended,
}

impl Permit {
    /// Gives the place back and says how the transaction ended.
    pub(crate) fn end(mut self, ended: Ended) {
        self.ended = ended;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.gate.leave(self.since, self.ended);
    }
}

#[cfg(test)]
mod tests;
