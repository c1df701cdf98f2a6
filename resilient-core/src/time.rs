//! Time and randomness as traits, so that every policy can be tested without sleeping.

mod limit;

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

pub(crate) use limit::poll_alarm;
pub use limit::{InTime, Spare, in_time, in_time_with};

/// The wall clock in milliseconds since 1970, for reports; decisions are made on the monotonic
/// clock.
pub fn unix_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A sleep in progress.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where the framework reads the time and waits.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The current instant.
    fn now(&self) -> Instant;

    /// Completes after `duration`: a pause, in which the caller waits for nothing else.
    /// Dropping it cancels the wait.
    fn sleep(&self, duration: Duration) -> Sleep;

    /// Completes after `duration`, beside something that is expected to come first: a time
    /// limit. The same as [`Clock::sleep`] unless a clock tells them apart.
    fn alarm(&self, duration: Duration) -> Sleep {
        self.sleep(duration)
    }
}

/// Tokio's clock; the default.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokioClock;

impl Clock for TokioClock {
    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// A clock for tests: a sleep ends at once and moves the clock by its length; a time limit is
/// reached when sleeps, or the test, have moved the clock that far.
///
/// Clones share one time, so a test keeps a clone and reads what was slept.
#[derive(Clone, Debug)]
pub struct FakeClock(Arc<Mutex<FakeTime>>);

#[derive(Debug)]
struct FakeTime {
    now: Instant,
    slept: Vec<Duration>,
    waiting: Vec<Waker>,
}

impl FakeTime {
    fn advance(&mut self, by: Duration) {
        self.now += by;
        // Each looks for itself whether its time has come.
        self.waiting.drain(..).for_each(Waker::wake);
    }
}

impl FakeClock {
    /// A clock that starts now and has not slept.
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(FakeTime {
            now: Instant::now(),
            slept: Vec::new(),
            waiting: Vec::new(),
        })))
    }

    /// Moves the time forward.
    pub fn advance(&self, by: Duration) {
        self.lock().advance(by);
    }

    /// Every sleep so far, in order.
    pub fn slept(&self) -> Vec<Duration> {
        self.lock().slept.clone()
    }

    fn lock(&self) -> MutexGuard<'_, FakeTime> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for FakeClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Instant {
        self.lock().now
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        let clock = self.clone();
        Box::pin(async move {
            let mut time = clock.lock();
            time.slept.push(duration);
            time.advance(duration);
        })
    }

    fn alarm(&self, duration: Duration) -> Sleep {
        let clock = self.clone();
        let end = clock.now() + duration;
        Box::pin(poll_fn(move |cx| {
            let mut time = clock.lock();
            if time.now >= end {
                return Poll::Ready(());
            }
            time.waiting.push(cx.waker().clone());
            Poll::Pending
        }))
    }
}

/// Where jitter comes from.
pub trait Random: fmt::Debug + Send + Sync + 'static {
    /// A number in `0.0..1.0`.
    fn unit(&self) -> f64;
}

/// The process-wide generator of `fastrand`; the default.
#[derive(Clone, Copy, Debug, Default)]
pub struct ThreadRandom;

impl Random for ThreadRandom {
    fn unit(&self) -> f64 {
        fastrand::f64()
    }
}

/// A repeatable sequence from a seed, for tests.
#[derive(Debug)]
pub struct SeededRandom(Mutex<fastrand::Rng>);

impl SeededRandom {
    /// The sequence that belongs to `seed`.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(fastrand::Rng::with_seed(seed)))
    }
}

impl Random for SeededRandom {
    fn unit(&self) -> f64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).f64()
    }
}
