//! What a breaker counts, and when that is too much.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{FaultKind, FaultSet};

/// When a breaker opens, and how it finds out that it can close.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct BreakerConfig {
    /// Opens when so many calls in a row fail of their connection; 5 by default, 0 for never.
    pub consecutive_failures: u32,
    /// Opens when this part of the calls of the last `window` failed; 0.5 by default.
    pub failure_ratio: f64,
    /// How many calls that must have been, at least; 20 by default, 0 for never.
    pub minimum_calls: u64,
    /// Over how long calls are counted; 10 s by default.
    pub window: Duration,
    /// How long it stays open at first; 5 s by default. Each failed probe doubles it.
    pub open_for: Duration,
    /// Up to this; 60 s by default.
    pub max_open_for: Duration,
    /// How many calls are let through as probes, all of which must succeed; 1 by default.
    pub probes: u32,
    /// After how long a probe without an answer is given up for another; 30 s by default.
    pub probe_limit: Duration,
    /// Whether a pool without a free connection counts as a connection fault; no by default, as
    /// that is about our own load, not about the server.
    pub pool_timeout: bool,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            consecutive_failures: 5,
            failure_ratio: 0.5,
            minimum_calls: 20,
            window: Duration::from_secs(10),
            open_for: Duration::from_secs(5),
            max_open_for: Duration::from_mins(1),
            probes: 1,
            probe_limit: Duration::from_secs(30),
            pool_timeout: false,
        }
    }
}

impl BreakerConfig {
    /// Everything at its default.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens after so many failures in a row.
    #[must_use]
    pub fn consecutive_failures(mut self, failures: u32) -> Self {
        self.consecutive_failures = failures;
        self
    }

    /// Opens when this part of at least so many calls failed within `window`.
    #[must_use]
    pub fn failure_ratio(mut self, ratio: f64, minimum_calls: u64, window: Duration) -> Self {
        self.failure_ratio = ratio;
        self.minimum_calls = minimum_calls;
        self.window = window;
        self
    }

    /// How long it stays open at first, and at most.
    #[must_use]
    pub fn open_for(mut self, first: Duration, max: Duration) -> Self {
        self.open_for = first;
        self.max_open_for = max;
        self
    }

    /// How many calls are let through to probe.
    #[must_use]
    pub fn probes(mut self, probes: u32) -> Self {
        self.probes = probes;
        self
    }

    /// Counts an exhausted pool as a connection fault too.
    #[must_use]
    pub fn pool_timeout(mut self) -> Self {
        self.pool_timeout = true;
        self
    }

    pub(super) fn verdict(&self, kind: FaultKind) -> Verdict {
        match kind {
            FaultKind::PoolTimeout if !self.pool_timeout => Verdict::Nothing,
            // Who cannot tell what happened cannot tell whether there was a server.
            FaultKind::CommitUnknown | FaultKind::StatementTimeout | FaultKind::Other => {
                Verdict::Nothing
            }
            _ if FaultSet::CONNECTION.contains(kind) => Verdict::Failure,
            _ => Verdict::Success,
        }
    }
}

/// What a fault says about the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Failure,
    /// It answered, though with a refusal.
    Success,
    Nothing,
}
