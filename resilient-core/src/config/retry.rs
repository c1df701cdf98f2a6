//! [`RetryConfig`]: how often to retry, and how long to wait in between.

use std::time::Duration;

use super::{seconds, section::section};
use crate::policy::{Delay, Jitter, RetryPolicy};

section! {
    /// What of a [`RetryPolicy`] is a matter of configuration.
    ///
    /// Delays grow from `base_delay` to `max_delay`, each drawn from zero to its full length
    /// ([`Jitter::Full`]), after every kind of fault. A connection that has no configuration
    /// waits by the kind of fault instead ([`Delay::by_fault`]).
    pub struct RetryConfig {
        /// Retries after the first attempt; 3 by default.
        max_retries: u32 = 3, with_max_retries;
        /// The longest first delay; 0.1 s by default.
        #[serde(with = "seconds")]
        base_delay: Duration = Duration::from_millis(100), with_base_delay;
        /// The longest delay of all; 5 s by default, at least [`base_delay`](Self::base_delay).
        #[serde(with = "seconds")]
        max_delay: Duration = Duration::from_secs(5), with_max_delay;
        /// Retries while it is a deadlock that ended the attempt; 5 by default. Counted together
        /// with the others, see [`RetryPolicy::deadlock_retries`].
        deadlock_retries: u32 = 5, with_deadlock_retries;
    }
}

impl RetryConfig {
    /// A policy with these numbers and otherwise as `policy` is.
    #[must_use]
    pub fn over(&self, policy: RetryPolicy) -> RetryPolicy {
        policy
            .retries(self.max_retries)
            .deadlock_retries(self.deadlock_retries)
            .delay(Delay::exponential(
                self.base_delay,
                self.max_delay,
                Jitter::Full,
            ))
    }

    /// For a database in the same process or on the same machine: contention is over soon.
    pub fn local() -> Self {
        Self::default()
            .with_base_delay(Duration::from_millis(10))
            .with_max_delay(Duration::from_secs(1))
    }

    /// For a server on the same network: the defaults.
    pub fn remote() -> Self {
        Self::default()
    }

    /// For a server far away or behind a slow link: what goes wrong lasts longer.
    pub fn high_latency() -> Self {
        Self::default()
            .with_max_retries(5)
            .with_base_delay(Duration::from_millis(500))
            .with_max_delay(Duration::from_secs(15))
    }
}

impl From<&RetryConfig> for RetryPolicy {
    fn from(config: &RetryConfig) -> Self {
        config.over(Self::new())
    }
}
