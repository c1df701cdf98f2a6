//! How long statements and methods of one database take, and how often they fail, over the last
//! day.
//!
//! Recording is a handful of relaxed atomic additions. Only a statement slower than the
//! threshold takes a lock and allocates: its text is kept, without values.

mod methods;
mod normalise;
mod report;
mod slow;
mod tokens;
mod window;

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use methods::Methods;
pub use normalise::{Dialect, normalise};
pub use report::{HourStats, PerformanceReport, Stats, WindowReport};
pub use slow::SlowStatement;
use slow::SlowStatements;
pub use window::Window;

/// What counts as slow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct PerformanceConfig {
    /// Statements that take at least this long are kept with their text; 100 ms by default.
    pub slow_threshold: Duration,
    /// How many different slow statements are kept, the worst ones; 50 by default.
    pub slow_statements: usize,
}

impl PerformanceConfig {
    /// Statements that take this long are slow.
    #[must_use]
    pub fn slow_threshold(mut self, threshold: Duration) -> Self {
        self.slow_threshold = threshold;
        self
    }

    /// How many of them are kept.
    #[must_use]
    pub fn slow_statements(mut self, count: usize) -> Self {
        self.slow_statements = count;
        self
    }
}

impl Default for PerformanceConfig {
    fn default() -> Self {
        Self {
            slow_threshold: Duration::from_millis(100),
            slow_statements: 50,
        }
    }
}

/// The measurements of one database.
#[derive(Debug)]
pub struct Performance {
    config: PerformanceConfig,
    base: Instant,
    statements: Window,
    methods: Methods,
    slow: SlowStatements,
}

impl Performance {
    /// No measurement yet; `base` is now.
    pub fn new(config: PerformanceConfig, base: Instant) -> Self {
        Self {
            slow: SlowStatements::new(config.slow_statements),
            config,
            base,
            statements: Window::default(),
            methods: Methods::default(),
        }
    }

    fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.base)
    }

    /// Records a statement that began at `started` and ended at `now`, and answers whether it
    /// was slow. A violated constraint is an answer, not an error.
    #[inline]
    pub fn statement(&self, started: Instant, now: Instant, error: bool) -> bool {
        let took = now.saturating_duration_since(started);
        self.statements.record(self.age(now), took, error);
        took >= self.config.slow_threshold
    }

    /// Keeps the text of a slow statement, without its values.
    #[cold]
    pub fn slow_statement(
        &self,
        sql: &str,
        dialect: Dialect,
        method: Option<&'static str>,
        started: Instant,
        now: Instant,
    ) {
        let took = now.saturating_duration_since(started);
        self.slow
            .record(normalise(sql, dialect), method, took, self.age(now));
    }

    /// Records a call of a method.
    pub fn method(&self, name: &'static str, started: Instant, now: Instant, error: bool) {
        let took = now.saturating_duration_since(started);
        self.methods.window(name).record(self.age(now), took, error);
    }

    /// The statements of the last minutes, up to 60.
    pub fn recent(&self, minutes: u64, now: Instant) -> Stats {
        self.statements.recent(self.age(now), minutes)
    }

    /// Everything, as plain data. `connection` is the database's name.
    pub fn report(&self, connection: &str, now: Instant) -> PerformanceReport {
        let age = self.age(now);
        PerformanceReport {
            connection: connection.to_owned(),
            statements: self.statements.report(age),
            methods: self
                .methods
                .all()
                .map(|(name, window)| (name.to_owned(), window.report(age)))
                .filter(|(_, report)| report.last_day.count > 0)
                .collect(),
            slow_threshold_ms: self.config.slow_threshold.as_secs_f64() * 1e3,
            slow_statements: self.slow.report(age),
        }
    }
}

#[cfg(test)]
mod tests;
