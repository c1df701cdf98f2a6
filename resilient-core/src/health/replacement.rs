//! When a connection has to go, and how many may go at once. Pure.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::{record::ConnectionState, settings::HealthSettings};
use crate::{Effect, Fault, FaultKind};

/// What a connection is judged by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// The oldest it may get.
    pub max_age: Duration,
    /// The most often it may be taken; 0 is no limit.
    pub max_usage: u64,
    /// The longest it may stay unused.
    pub max_idle_time: Duration,
    /// So many failures in a row make it unhealthy.
    pub max_consecutive_failures: u32,
}

impl Limits {
    /// The limits of one connection. `unit` in `0.0..1.0` spreads the ages at which connections
    /// that were opened together end: over the last tenth of `max_age`.
    pub fn of(settings: &HealthSettings, unit: f64) -> Self {
        Self {
            max_age: settings.max_age.mul_f64(1.0 - 0.1 * unit.clamp(0.0, 1.0)),
            max_usage: settings.max_usage,
            max_idle_time: settings.max_idle_time,
            max_consecutive_failures: settings.max_consecutive_failures.max(1),
        }
    }

    /// Judges a connection.
    pub fn judge(&self, facts: &Facts) -> ConnectionState {
        if facts.broken || facts.consecutive_failures >= self.max_consecutive_failures {
            ConnectionState::Unhealthy
        } else if facts.age > self.max_age || (self.max_usage > 0 && facts.uses >= self.max_usage) {
            ConnectionState::Expired
        } else if facts.idle > self.max_idle_time {
            ConnectionState::Stale
        } else {
            ConnectionState::Healthy
        }
    }
}

/// What is known about a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Since it was opened.
    pub age: Duration,
    /// Since it was last used; zero while it is.
    pub idle: Duration,
    /// How often it was taken.
    pub uses: u64,
    /// Checks failed in a row.
    pub consecutive_failures: u32,
    /// Its session is known to be gone.
    pub broken: bool,
}

/// Why a connection was closed.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, strum::IntoStaticStr,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[non_exhaustive]
pub enum Closing {
    /// Too old, or used too often.
    Expired,
    /// Not used for too long.
    Stale,
    /// It did not answer, or its session was gone.
    Unhealthy,
    /// Its state was not known after a cancelled or failed exchange.
    Discarded,
    /// By the pool, for reasons of its own.
    ByPool,
    /// Another session that is not older failed in a way that speaks against it too.
    Distrusted,
}

/// Whether a fault of one session speaks against all that are as old as it: they lead to the same
/// server, which went away, or does not take writes any more; or they remember the same plans.
/// `read_only` says that the transaction was declared so, and a write in it proves nothing.
pub fn speaks_against_others(fault: &Fault, read_only: bool) -> bool {
    match fault.kind() {
        FaultKind::ConnectionLost | FaultKind::ServerUnavailable | FaultKind::StalePlan => true,
        // A COMMIT whose answer did not come; not one of which the answer is unclear.
        FaultKind::CommitUnknown => fault.effect() != Effect::Transaction,
        FaultKind::ReadOnly => !read_only,
        _ => false,
    }
}

impl Closing {
    /// The `snake_case` name.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The reason that a state is, if it is one.
    pub fn of(state: ConnectionState) -> Option<Self> {
        match state {
            ConnectionState::Healthy => None,
            ConnectionState::Unhealthy => Some(Self::Unhealthy),
            ConnectionState::Stale => Some(Self::Stale),
            ConnectionState::Expired => Some(Self::Expired),
        }
    }
}

/// Connections are replaced in batches: so many within this time.
const WINDOW: Duration = Duration::from_secs(1);

/// Bounds how many connections that still work are closed at about the same time.
#[derive(Debug, Default)]
pub struct Batch {
    begun: Option<Instant>,
    left: u32,
}

impl Batch {
    /// Whether one more of `open` connections may be closed now; counts it if so.
    ///
    /// At most `batch_size` within a second, and never below `floor` or the last one; a pool that
    /// is not larger has one replaced at a time.
    pub fn permits(&mut self, now: Instant, open: u32, floor: u32, batch_size: u32) -> bool {
        let spare = open.saturating_sub(floor.max(1));
        let over = |begun| now.saturating_duration_since(begun) >= WINDOW;
        if self.begun.is_none_or(over) {
            self.begun = Some(now);
            self.left = batch_size.min(spare).max(1);
        } else if spare == 0 {
            return false;
        }
        let permitted = self.left > 0;
        self.left = self.left.saturating_sub(1);
        permitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits::of(&HealthSettings::default(), 0.0)
    }

    #[test]
    fn judges_in_this_order() {
        let secs = Duration::from_secs;
        let judge = |facts| limits().judge(&facts);
        let fine = Facts {
            age: secs(3600),
            idle: secs(300),
            uses: 999,
            ..Facts::default()
        };
        assert_eq!(judge(fine), ConnectionState::Healthy);
        let stale = Facts {
            idle: secs(301),
            ..fine
        };
        assert_eq!(judge(stale), ConnectionState::Stale);
        let old = Facts {
            age: secs(3601),
            ..stale
        };
        assert_eq!(judge(old), ConnectionState::Expired);
        assert_eq!(
            judge(Facts { uses: 1000, ..fine }),
            ConnectionState::Expired
        );
        let failing = Facts {
            consecutive_failures: 3,
            ..old
        };
        assert_eq!(judge(failing), ConnectionState::Unhealthy);
        assert_eq!(
            judge(Facts {
                broken: true,
                ..fine
            }),
            ConnectionState::Unhealthy
        );
        let unlimited = Limits {
            max_usage: 0,
            ..limits()
        };
        let used = Facts {
            uses: u64::MAX,
            ..fine
        };
        assert_eq!(unlimited.judge(&used), ConnectionState::Healthy);
    }

    #[test]
    fn ages_are_spread_over_the_last_tenth() {
        let settings = HealthSettings::default();
        assert_eq!(Limits::of(&settings, 0.0).max_age, Duration::from_hours(1));
        assert_eq!(Limits::of(&settings, 1.0).max_age, Duration::from_mins(54));
    }

    #[test]
    fn replaces_in_batches_and_keeps_the_floor() {
        let now = Instant::now();
        let permitted = |open, floor, batch_size| {
            let mut batch = Batch::default();
            (0..100)
                .filter(|_| batch.permits(now, open, floor, batch_size))
                .count()
        };
        assert_eq!(permitted(100, 2, 5), 5);
        assert_eq!(permitted(6, 4, 5), 2);
        // What was closed before is not open any more.
        let mut shrinking = Batch::default();
        let mut open = 8;
        for _ in 0..100 {
            open -= u32::from(shrinking.permits(now, open, 4, 3));
        }
        assert_eq!(open, 5);
        assert_eq!(permitted(4, 4, 5), 1, "a small pool is renewed too");
        assert_eq!(permitted(1, 2, 0), 1);
        assert_eq!(permitted(3, 0, 5), 2, "not the last one");
        let mut batch = Batch::default();
        assert!(batch.permits(now, 1, 2, 5));
        assert!(!batch.permits(now + WINDOW / 2, 1, 2, 5));
        assert!(batch.permits(now + WINDOW, 1, 2, 5));
    }
}
