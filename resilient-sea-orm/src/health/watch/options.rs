//! [`MonitorOptions`]: when the monitor does what.

use std::{
    collections::HashSet, fmt, future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use resilient_core::health::{CheckStrategy, monitor::MonitorConfig};

/// A check of the user's own.
pub(super) type Closure = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// A check with a schedule of its own.
#[derive(Clone)]
pub(super) struct Scheduled {
    pub(super) strategy: CheckStrategy,
    pub(super) every: Duration,
    /// Only of [`CheckStrategy::Custom`].
    pub(super) closure: Option<Closure>,
}

impl fmt::Debug for Scheduled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The statement of a query may hold data.
        write!(f, "{} every {:?}", self.strategy, self.every)
    }
}

/// When the monitor does what; see
/// [`start_monitoring_with`](crate::ResilientConnection::start_monitoring_with).
#[derive(Clone, Debug)]
pub struct MonitorOptions {
    interval: Option<Duration>,
    jitter: Option<Duration>,
    tick_limit: Duration,
    pub(super) tables_every: Duration,
    checks: Vec<Scheduled>,
}

impl Default for MonitorOptions {
    fn default() -> Self {
        Self {
            interval: None,
            jitter: None,
            tick_limit: Duration::from_mins(1),
            tables_every: Duration::from_mins(10),
            checks: Vec::new(),
        }
    }
}

impl MonitorOptions {
    /// Everything at its default.
    pub fn new() -> Self {
        Self::default()
    }

    /// From the beginning of one look to that of the next; `DB_HEALTH_CHECK_INTERVAL` by
    /// default, which is 30 s unless it was configured.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = Some(interval);
        self
    }

    /// The first look, and the first of each check, comes after a random part of this; the
    /// interval, at most 5 s, by default.
    #[must_use]
    pub fn jitter(mut self, jitter: Duration) -> Self {
        self.jitter = Some(jitter);
        self
    }

    /// How long one look or check may take before it is given up; 60 s by default. Each check
    /// has a shorter limit of its own (`DB_HEALTH_CHECK_TIMEOUT`; a minute for integrity).
    #[must_use]
    pub fn tick_limit(mut self, limit: Duration) -> Self {
        self.tick_limit = limit;
        self
    }

    /// How often the rows of tables with `#[derive(SoftDelete)]` are counted; 10 min by default.
    /// `SOFT_DELETE_ENABLE_MONITORING` switches it off.
    #[must_use]
    pub fn tables_every(mut self, interval: Duration) -> Self {
        self.tables_every = interval;
        self
    }

    /// Makes this check, too, once in so long, beside the looks at everything. A failure is told
    /// as an event and an alert; [`latest_checks`](crate::ResilientConnection::latest_checks)
    /// has the report.
    ///
    /// [`CheckStrategy::Custom`] has nothing to run here: use
    /// [`check_custom`](Self::check_custom).
    #[must_use]
    pub fn check(mut self, strategy: CheckStrategy, every: Duration) -> Self {
        self.checks.push(Scheduled {
            strategy,
            every,
            closure: None,
        });
        self
    }

    /// The same with a check of the user's own, which says what is wrong, if anything, without
    /// data of users. It may take as long as any check; that it hangs or panics stops no other,
    /// and is a failure.
    ///
    /// A closure that holds a clone of the connection keeps it, and the monitor, alive: let it
    /// hold what it needs, or stop the monitor before the end.
    #[must_use]
    pub fn check_custom<F, E>(
        mut self,
        name: impl Into<String>,
        every: Duration,
        check: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: fmt::Display,
    {
        let check = Arc::new(check);
        let closure: Closure = Arc::new(move || {
            let check = Arc::clone(&check);
            // What it shares with others is its author's to keep in order.
            let made = AssertUnwindSafe(async move { check().await });
            Box::pin(async move {
                match made.catch_unwind().await {
                    Ok(result) => result.map_err(|error| error.to_string()),
                    Err(_) => Err("the check panicked".to_owned()),
                }
            })
        });
        self.checks.push(Scheduled {
            strategy: CheckStrategy::Custom(name.into()),
            every,
            closure: Some(closure),
        });
        self
    }

    /// The schedule of the look at everything.
    pub(super) fn timing(&self, configured: Duration) -> MonitorConfig {
        self.beside(self.interval.unwrap_or(configured))
    }

    /// The schedule of something beside it.
    pub(super) fn beside(&self, every: Duration) -> MonitorConfig {
        let config = MonitorConfig::default()
            .interval(every)
            .tick_limit(self.tick_limit);
        match self.jitter {
            Some(jitter) => config.jitter(jitter),
            None => config,
        }
    }

    /// Takes the checks out, each with a name that no other one has.
    pub(super) fn take_checks(&mut self) -> Vec<(String, Scheduled)> {
        let mut taken = HashSet::new();
        let mut named = Vec::new();
        let checks = std::mem::take(&mut self.checks);
        let most = checks.len();
        for check in checks {
            let name = check.strategy.to_string();
            let free = std::iter::once(name.clone())
                .chain((2..=most).map(|n| format!("{name} {n}")))
                .find(|name| !taken.contains(name));
            let name = free.unwrap_or(name);
            taken.insert(name.clone());
            named.push((name, check));
        }
        named
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_has_a_name_of_its_own_without_statements() {
        let second = Duration::from_secs(1);
        let query = |sql: &str| CheckStrategy::Query(sql.to_owned());
        let mut options = MonitorOptions::new()
            .check(query("SELECT 'secret'"), second)
            .check(CheckStrategy::Write, second)
            .check(query("SELECT 2"), second)
            .check_custom("query 2", second, || async { Ok::<_, String>(()) })
            .check(query("SELECT 3"), second);
        assert!(!format!("{options:?}").contains("secret"), "{options:?}");
        let names: Vec<_> = options.take_checks().into_iter().map(|(n, _)| n).collect();
        assert_eq!(names, ["query", "write", "query 2", "query 2 2", "query 3"]);
    }
}
