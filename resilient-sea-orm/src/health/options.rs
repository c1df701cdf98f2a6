//! What goes into a report.

use std::time::Duration;

use resilient_core::health::CheckStrategy;

#[cfg(feature = "sqlx-dep")]
use super::tables::TableOptions;

/// What goes into a report, and how long it may take.
///
/// ```
/// use resilient_sea_orm::{CheckStrategy, health::HealthReportOptions};
/// let options = HealthReportOptions::new()
///     .check(CheckStrategy::Write)
///     .without_tables();
/// ```
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::struct_excessive_bools)] // each is a section
pub struct HealthReportOptions {
    pub(super) check: CheckStrategy,
    pub(super) force: bool,
    pub(super) limit: Duration,
    pub(super) pool: bool,
    pub(super) performance: bool,
    pub(super) reliability: bool,
    pub(super) sessions: bool,
    pub(super) alerts: bool,
    pub(super) tables: bool,
    #[cfg(feature = "sqlx-dep")]
    pub(super) table_options: TableOptions,
}

impl Default for HealthReportOptions {
    fn default() -> Self {
        Self {
            check: CheckStrategy::Quick,
            force: false,
            limit: Duration::from_secs(10),
            pool: true,
            performance: true,
            reliability: true,
            sessions: true,
            alerts: true,
            tables: true,
            #[cfg(feature = "sqlx-dep")]
            table_options: TableOptions::default(),
        }
    }
}

impl HealthReportOptions {
    /// Every section, the quick check, 10 s for all of it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Which check says whether the database can be used; [`CheckStrategy::Quick`] by default. A
    /// statement of the user's is shown without its values. Custom checks cannot be made here.
    #[must_use]
    pub fn check(mut self, strategy: CheckStrategy) -> Self {
        self.check = strategy;
        self
    }

    /// Whether the check is made anew, also if its last answer is still good (5 s by default).
    /// Off by default.
    #[must_use]
    pub fn force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    /// How long all of it may take; 10 s by default. Tables that were not looked at by then are
    /// left out, and the report says so.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Without the pool and what to do about it; the summary tells of it all the same.
    #[must_use]
    pub fn without_pool(mut self) -> Self {
        self.pool = false;
        self
    }

    /// Without the times of statements and methods.
    #[must_use]
    pub fn without_performance(mut self) -> Self {
        self.performance = false;
        self
    }

    /// Without errors, retries, deadlocks and recoveries.
    #[must_use]
    pub fn without_reliability(mut self) -> Self {
        self.reliability = false;
        self
    }

    /// Without the open transactions.
    #[must_use]
    pub fn without_sessions(mut self) -> Self {
        self.sessions = false;
        self
    }

    /// Without the list of alerts; the summary counts them all the same.
    #[must_use]
    pub fn without_alerts(mut self) -> Self {
        self.alerts = false;
        self
    }

    /// Without the tables. Then the check is all that is sent.
    #[must_use]
    pub fn without_tables(mut self) -> Self {
        self.tables = false;
        self
    }

    /// How tables are looked at: counted up to 100,000 rows, estimated beyond, by default.
    #[cfg(feature = "sqlx-dep")]
    #[must_use]
    pub fn tables(mut self, options: TableOptions) -> Self {
        self.table_options = options;
        self.tables = true;
        self
    }
}

/// How much the diagnostics do, and how long they may take.
#[derive(Clone, Debug, PartialEq)]
pub struct DiagnosticsOptions {
    pub(super) limit: Duration,
    pub(super) full_integrity: bool,
    #[cfg(feature = "sqlx-dep")]
    pub(super) table_options: TableOptions,
}

impl Default for DiagnosticsOptions {
    fn default() -> Self {
        Self {
            limit: Duration::from_mins(1),
            full_integrity: false,
            #[cfg(feature = "sqlx-dep")]
            table_options: TableOptions::default(),
        }
    }
}

impl DiagnosticsOptions {
    /// Everything but the full integrity check, within a minute.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long all of it may take; a minute by default. What was not done by then is said to be
    /// so.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Whether the integrity check reads all the data; off by default.
    #[must_use]
    pub fn full_integrity(mut self, full: bool) -> Self {
        self.full_integrity = full;
        self
    }

    /// How tables are looked at: counted up to 100,000 rows, estimated beyond, by default.
    #[cfg(feature = "sqlx-dep")]
    #[must_use]
    pub fn tables(mut self, options: TableOptions) -> Self {
        self.table_options = options;
        self
    }
}
