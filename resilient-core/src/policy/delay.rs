//! How long to wait before the next attempt.
//!
//! The growing sequences come from `backon`; which sequence a fault gets, and its jitter, are
//! decided here.

use std::{fmt, time::Duration};

use backon::BackoffBuilder;

use crate::{FaultKind, time::Random};

/// How a delay is spread, so that callers that failed together do not return together.
///
/// The names follow "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Jitter {
    /// The delay itself.
    None,
    /// Between zero and the delay; the default.
    #[default]
    Full,
    /// Between half of the delay and the delay.
    Equal,
    /// Between the base and three times the previous delay, at most the maximum.
    Decorrelated,
}

type MakeSequence = fn() -> Box<dyn Iterator<Item = Duration> + Send>;

/// The delay policy of a call.
///
/// ```
/// use std::time::Duration;
/// use resilient_core::policy::{Delay, Jitter};
/// const GENTLE: Delay =
///     Delay::exponential(Duration::from_millis(50), Duration::from_secs(2), Jitter::Equal);
/// ```
#[derive(Clone, Copy)]
pub struct Delay(Kind);

#[derive(Clone, Copy)]
enum Kind {
    ByFault,
    None,
    Fixed(Duration),
    Exponential(Duration, Duration, Jitter),
    Sequence(MakeSequence),
}

impl Delay {
    /// The delay that suits the fault; the default. See [`Delay::for_fault`].
    pub const fn by_fault() -> Self {
        Self(Kind::ByFault)
    }

    /// No delay.
    pub const fn none() -> Self {
        Self(Kind::None)
    }

    /// The same delay each time, without jitter.
    pub const fn fixed(delay: Duration) -> Self {
        Self(Kind::Fixed(delay))
    }

    /// `base`, twice that, four times that, at most `max`, each with `jitter`.
    pub const fn exponential(base: Duration, max: Duration, jitter: Jitter) -> Self {
        Self(Kind::Exponential(base, max, jitter))
    }

    /// Any sequence of delays, made anew for each call. Where it ends, retrying ends.
    pub const fn sequence(make: MakeSequence) -> Self {
        Self(Kind::Sequence(make))
    }

    /// What [`Delay::by_fault`] waits before retry number `retry` (from 1) after `kind`:
    /// whether that retry is immediate, else the exponential sequence it follows.
    ///
    /// A fault that itself waited (a deadlock, a lock timeout) and one that a fresh start heals
    /// (a lost session, a stale plan) are retried at once the first time; a server that refuses
    /// work is given time.
    pub const fn for_fault(kind: FaultKind, retry: u32) -> Option<(Duration, Duration, Jitter)> {
        let ms = Duration::from_millis;
        match kind {
            FaultKind::Deadlock
            | FaultKind::LockTimeout
            | FaultKind::PendingRollback
            | FaultKind::StalePlan
                if retry <= 1 =>
            {
                None
            }
            FaultKind::ConnectionLost | FaultKind::SessionExpired if retry <= 1 => None,
            FaultKind::ConnectionLost | FaultKind::SessionExpired | FaultKind::PoolTimeout => {
                Some((ms(20), ms(1000), Jitter::Full))
            }
            FaultKind::ServerUnavailable | FaultKind::ReadOnly | FaultKind::TooManyConnections => {
                Some((ms(100), ms(2000), Jitter::Equal))
            }
            // Longer waits let others get ahead again and again.
            FaultKind::Deadlock | FaultKind::SerializationFailure | FaultKind::LockTimeout => {
                Some((ms(2), ms(50), Jitter::Full))
            }
            _ => Some((ms(2), ms(1000), Jitter::Full)),
        }
    }
}

impl Default for Delay {
    fn default() -> Self {
        Self::by_fault()
    }
}

impl fmt::Debug for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::ByFault => f.write_str("ByFault"),
            Kind::None => f.write_str("None"),
            Kind::Fixed(d) => write!(f, "Fixed({d:?})"),
            Kind::Exponential(base, max, jitter) => {
                write!(f, "Exponential({base:?}, {max:?}, {jitter:?})")
            }
            Kind::Sequence(_) => f.write_str("Sequence(..)"),
        }
    }
}

/// The delays of one call, in progress.
pub struct DelaySequence {
    delay: Delay,
    retry: u32,
    previous: Duration,
    custom: Option<Box<dyn Iterator<Item = Duration> + Send>>,
}

impl DelaySequence {
    /// The sequence at its start.
    pub fn new(delay: Delay) -> Self {
        Self {
            delay,
            retry: 0,
            previous: Duration::ZERO,
            custom: None,
        }
    }

    /// The wait before the next retry after `kind`, or `None` where the sequence has ended.
    pub fn next(&mut self, kind: FaultKind, random: &dyn Random) -> Option<Duration> {
        self.retry += 1;
        let next = match self.delay.0 {
            Kind::None => Duration::ZERO,
            Kind::Fixed(delay) => delay,
            Kind::Exponential(base, max, jitter) => self.grown(base, max, jitter, random),
            Kind::ByFault => match Delay::for_fault(kind, self.retry) {
                None => Duration::ZERO,
                Some((base, max, jitter)) => self.grown(base, max, jitter, random),
            },
            Kind::Sequence(make) => self.custom.get_or_insert_with(make).next()?,
        };
        self.previous = next;
        Some(next)
    }

    fn grown(
        &self,
        base: Duration,
        max: Duration,
        jitter: Jitter,
        random: &dyn Random,
    ) -> Duration {
        if jitter == Jitter::Decorrelated {
            let high = (self.previous * 3).max(base).min(max);
            let low = base.min(max);
            return low + (high.saturating_sub(low)).mul_f64(random.unit());
        }
        let full = backon::ExponentialBuilder::new()
            .with_min_delay(base)
            .with_max_delay(max)
            .without_max_times()
            .build()
            .nth(self.retry.saturating_sub(1) as usize)
            .unwrap_or(max)
            .min(max);
        match jitter {
            Jitter::Full => full.mul_f64(random.unit()),
            Jitter::Equal => full.mul_f64(0.5 + random.unit() / 2.0),
            Jitter::None | Jitter::Decorrelated => full,
        }
    }
}

impl fmt::Debug for DelaySequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DelaySequence")
            .field("delay", &self.delay)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}

/// Turns a `backoff` policy into a sequence for [`Delay::sequence`].
///
/// ```
/// use backoff::ExponentialBackoff;
/// use resilient_core::policy::{Delay, from_backoff};
/// const DELAY: Delay = Delay::sequence(|| from_backoff(ExponentialBackoff::default()));
/// ```
#[cfg(feature = "backoff")]
pub fn from_backoff(
    mut backoff: impl backoff::backoff::Backoff + Send + 'static,
) -> Box<dyn Iterator<Item = Duration> + Send> {
    Box::new(std::iter::from_fn(move || backoff.next_backoff()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::SeededRandom;

    fn delays(delay: Delay, kind: FaultKind, n: usize) -> Vec<Duration> {
        let random = SeededRandom::new(7);
        let mut sequence = DelaySequence::new(delay);
        (0..n)
            .filter_map(|_| sequence.next(kind, &random))
            .collect()
    }

    #[test]
    fn exponential_doubles_up_to_its_maximum() {
        let ms = Duration::from_millis;
        let exponential = Delay::exponential(ms(10), ms(50), Jitter::None);
        let found = delays(exponential, FaultKind::Other, 5);
        for (found, wanted) in found.iter().zip([10, 20, 40, 50, 50]) {
            // backon multiplies in floating point.
            assert!(
                found.abs_diff(ms(wanted)) < Duration::from_micros(1),
                "{found:?}"
            );
        }
    }

    #[test]
    fn jitter_stays_in_its_range() {
        let ms = Duration::from_millis;
        for (i, d) in delays(
            Delay::exponential(ms(8), ms(1000), Jitter::Equal),
            FaultKind::Other,
            6,
        )
        .into_iter()
        .enumerate()
        {
            let full = ms(8) * (1 << i);
            assert!(d >= full / 2 && d <= full, "{i}: {d:?}");
        }
        for d in delays(
            Delay::exponential(ms(8), ms(100), Jitter::Decorrelated),
            FaultKind::Other,
            50,
        ) {
            assert!(d >= ms(8) && d <= ms(100), "{d:?}");
        }
    }

    #[test]
    fn a_deadlock_is_first_retried_at_once_and_an_absent_server_is_not() {
        let deadlock = delays(Delay::by_fault(), FaultKind::Deadlock, 3);
        assert_eq!(deadlock[0], Duration::ZERO);
        assert!(deadlock[1] > Duration::ZERO);
        let refused = delays(Delay::by_fault(), FaultKind::ServerUnavailable, 1);
        assert!(refused[0] >= Duration::from_millis(50));
    }

    #[test]
    fn a_sequence_that_ends_ends_the_retries() {
        let two = Delay::sequence(|| Box::new([Duration::ZERO; 2].into_iter()));
        assert_eq!(delays(two, FaultKind::Other, 5).len(), 2);
    }

    #[cfg(feature = "backoff")]
    #[test]
    fn a_backoff_policy_serves_as_a_sequence() {
        let constant = Delay::sequence(|| {
            from_backoff(backoff::backoff::Constant::new(Duration::from_millis(3)))
        });
        assert_eq!(
            delays(constant, FaultKind::Other, 2),
            [Duration::from_millis(3); 2]
        );
    }
}
