//! When an alert is raised and when it is over.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::AlertKind;

/// When alerts of one kind are raised and cleared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct AlertRule {
    /// Off: nothing is raised. On by default.
    pub enabled: bool,
    /// Raised from this value on.
    pub threshold: f64,
    /// Critical from this value on.
    pub critical: f64,
    /// A value counts as good only up to here, so that one that swings about the threshold does
    /// not flap; 80 % of the threshold by default.
    pub clear_below: f64,
    /// Good values in a row that clear it; 3 by default, 1 for what counts failures in a row.
    pub clear_after: u32,
    /// For at least how long they have been good; none by default.
    pub hold: Duration,
    /// It is over, too, when nothing was heard for so long: of a single event (a bulk operation,
    /// an empty budget) that it happened again, of others any value. 5 min by default.
    pub quiet: Duration,
}

impl AlertRule {
    /// A rule with a threshold, and everything else at its default.
    pub fn new(threshold: f64) -> Self {
        Self {
            enabled: true,
            threshold,
            critical: f64::INFINITY,
            clear_below: threshold * 0.8,
            clear_after: 3,
            hold: Duration::ZERO,
            quiet: Duration::from_mins(5),
        }
    }

    /// Critical from this value on; never by default.
    #[must_use]
    pub fn critical(mut self, value: f64) -> Self {
        self.critical = value;
        self
    }

    /// What it takes to clear it: so many values in a row up to this one, and this time.
    #[must_use]
    pub fn clears(mut self, below: f64, after: u32, hold: Duration) -> Self {
        self.clear_below = below;
        self.clear_after = after;
        self.hold = hold;
        self
    }

    /// After how much silence it is over.
    #[must_use]
    pub fn quiet(mut self, quiet: Duration) -> Self {
        self.quiet = quiet;
        self
    }

    /// What the defaults are for a kind.
    pub fn for_kind(kind: AlertKind) -> Self {
        match kind {
            AlertKind::ResponseTime => Self::new(100.0).critical(1000.0),
            AlertKind::DeletionRatio => Self::new(0.25).critical(0.5),
            AlertKind::OldDeletedRows => Self::new(10_000.0),
            AlertKind::BulkOperation => Self::new(10_000.0).critical(1_000_000.0),
            AlertKind::PoolUtilisation => Self::new(0.9).critical(1.0),
            AlertKind::DeadlockSeverity => Self::new(2.0).critical(3.0),
            AlertKind::ErrorRate => Self::new(0.05).critical(0.25),
            AlertKind::ConnectionFailure => counted().critical(3.0),
            AlertKind::RecoveryFailure | AlertKind::BudgetExhausted => counted(),
            AlertKind::LongTransaction => Self::new(60.0).critical(600.0),
        }
    }
}

/// Failures in a row: one success ends them.
fn counted() -> AlertRule {
    AlertRule::new(1.0).clears(0.0, 1, Duration::ZERO)
}

impl Default for AlertRule {
    fn default() -> Self {
        Self::new(f64::INFINITY)
    }
}

/// The rules of one database's alerts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct AlertConfig {
    /// Rules that differ from [`AlertRule::for_kind`].
    pub rules: BTreeMap<AlertKind, AlertRule>,
    /// Over how many of the last minutes response time and error rate are taken; 5 by default,
    /// at most 60.
    pub window_minutes: u64,
    /// How many statements there must have been in them before they mean something; 20 by
    /// default.
    pub minimum_statements: u64,
    /// How many cleared alerts are remembered; 200 by default.
    pub history: usize,
}

impl Default for AlertConfig {
    fn default() -> Self {
        Self {
            rules: BTreeMap::new(),
            window_minutes: 5,
            minimum_statements: 20,
            history: 200,
        }
    }
}

impl AlertConfig {
    /// The rule of a kind.
    pub fn of(&self, kind: AlertKind) -> AlertRule {
        let own = self.rules.get(&kind).cloned();
        own.unwrap_or_else(|| AlertRule::for_kind(kind))
    }

    /// Sets a kind's rule.
    #[must_use]
    pub fn rule(mut self, kind: AlertKind, rule: AlertRule) -> Self {
        self.rules.insert(kind, rule);
        self
    }

    /// Sets a kind's threshold; the lower bound for clearing follows in proportion.
    #[must_use]
    pub fn threshold(self, kind: AlertKind, threshold: f64) -> Self {
        let mut rule = self.of(kind);
        if rule.threshold > 0.0 {
            rule.clear_below *= threshold / rule.threshold;
        }
        rule.critical = rule.critical.max(threshold);
        rule.threshold = threshold;
        self.rule(kind, rule)
    }

    /// Raises no alerts of a kind.
    #[must_use]
    pub fn without(self, kind: AlertKind) -> Self {
        let mut rule = self.of(kind);
        rule.enabled = false;
        self.rule(kind, rule)
    }

    /// Response time and error rate over so many minutes, from so many statements on.
    #[must_use]
    pub fn window(mut self, minutes: u64, minimum_statements: u64) -> Self {
        self.window_minutes = minutes.clamp(1, 60);
        self.minimum_statements = minimum_statements;
        self
    }
}
