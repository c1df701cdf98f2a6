//! [`Source`]: all that an adapter tells of one database, for those who show it.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use tokio::sync::broadcast;

use super::{
    ConnectionReport, HealthEvent, PoolReport,
    alerts::AlertReport,
    breaker::BreakerReport,
    constraints::ConstraintsHealth,
    deadlocks::DeadlockReport,
    monitor::MonitorReport,
    performance::{PerformanceReport, Stats},
    report::{Diagnostics, HealthReport, HealthSummary, SessionsHealth, TablesHealth},
};
use crate::admission::AdmissionSnapshot;

/// An answer that takes a while.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// All that can be told of one database.
///
/// What is answered at once sends nothing. What is answered in a while ends by itself, also when
/// the database does not answer, and says so in its report. Nothing holds values of rows or
/// statements, credentials or connection strings.
///
/// Dropping an answer is safe: whoever asks next for a shared one makes it.
pub trait Source: fmt::Debug + Send + Sync + 'static {
    /// The database's name in metrics and reports.
    fn name(&self) -> &str;

    /// Distinguishes it from every other database of the process, also from a later one of its
    /// name.
    fn id(&self) -> u64;

    /// The last report that is less than `max_age` old, or else a new one. Those who ask at the
    /// same time share one.
    fn health(&self, max_age: Duration) -> Answer<'_, HealthReport>;

    /// Whether it can be used, by the quick check of the last seconds or else a new one, within
    /// that check's timeout (1 s by default).
    fn readiness(&self) -> Answer<'_, HealthSummary>;

    /// Looks at everything there is within `limit`; what was not done by then is said to be so.
    fn diagnostics(&self, limit: Duration) -> Answer<'_, Diagnostics>;

    /// The declared tables, as of the last report that is less than `max_age` old.
    fn tables(&self, max_age: Duration) -> Answer<'_, TablesHealth>;

    /// The declared constraints, compared with the live schema less than `max_age` ago, and how
    /// often each was violated.
    fn constraints(&self, max_age: Duration) -> Answer<'_, ConstraintsHealth>;

    /// The pool.
    fn pool(&self) -> PoolReport;

    /// The pooled connections that are known.
    fn connections(&self) -> Vec<ConnectionReport>;

    /// The transactions that are open.
    fn sessions(&self) -> SessionsHealth;

    /// The deadlocks so far.
    fn deadlocks(&self) -> DeadlockReport;

    /// The alerts that stand and those that are over.
    fn alerts(&self) -> AlertReport;

    /// How many transactions of each method are open and may be.
    fn admission(&self) -> Vec<AdmissionSnapshot>;

    /// The circuit breaker, if there is one.
    fn breaker(&self) -> Option<BreakerReport>;

    /// How long statements and methods take.
    fn performance(&self) -> PerformanceReport;

    /// The statements of the last `minutes`, 1 to 60.
    fn recent(&self, minutes: u64) -> Stats;

    /// What the monitor has done; `None` if none runs.
    fn monitoring(&self) -> Option<MonitorReport>;

    /// Hears what happens to the database's health from now on. A receiver that is more than 256
    /// events behind misses the oldest, and is told how many.
    fn events(&self) -> broadcast::Receiver<HealthEvent>;
}

/// Databases by name. They may come and go: names are looked up when they are needed.
pub trait Sources: fmt::Debug + Send + Sync + 'static {
    /// The names, the default first.
    fn names(&self) -> Vec<String>;

    /// The database of this name.
    fn source(&self, name: &str) -> Option<Arc<dyn Source>>;
}

/// One database, by its own name.
impl<S: Source + Clone> Sources for S {
    fn names(&self) -> Vec<String> {
        vec![self.name().to_owned()]
    }

    fn source(&self, name: &str) -> Option<Arc<dyn Source>> {
        (name == self.name()).then(|| Arc::new(self.clone()) as Arc<dyn Source>)
    }
}
