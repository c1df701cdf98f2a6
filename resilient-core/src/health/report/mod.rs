//! One report of how a database does: what was seen, what to think of it, and what to do.
//!
//! Everything in it is counts, times, states and names: of methods, tables, columns, indexes.
//! No row, no value of a statement, no connection string.

mod configuration;
mod diagnostics;
mod recommend;
mod reliability;
mod rules;
mod show;
mod summary;
#[cfg(test)]
mod tests;

use serde::Serialize;

use super::{
    alerts::AlertReport,
    breaker::BreakerReport,
    check::CheckReport,
    performance::PerformanceReport,
    pool::PoolReport,
    record::{ConnectionReport, ConnectionState},
    sessions::SessionInfo,
    tables::TableReport,
};

pub use configuration::{PoolSizes, judge_configuration};
pub use diagnostics::{Diagnostics, Part, PartOutcome};
pub use recommend::{Area, Recommendation, Severity};
pub use reliability::{Reliability, ReliabilityFacts};
pub use show::Shown;
pub use summary::{HealthSummary, OverallStatus, Reason, SummaryFacts};

/// How a database does.
///
/// Its `Display` is for a terminal, at most 100 columns wide and without colours;
/// [`display`](Self::display) can add them. It serialises with the unit of each number in its
/// name. A section that was not asked for is `None`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct HealthReport {
    /// The whole in a few numbers.
    pub summary: HealthSummary,
    /// How long it took to make, in seconds.
    pub took_seconds: f64,
    /// Whether it was made for somebody who asked before.
    pub from_cache: bool,
    /// Whether the database answers, and the connections to it.
    pub connection: ConnectionHealth,
    /// How full the pool is.
    pub pool: Option<PoolReport>,
    /// How long statements and methods take.
    pub performance: Option<PerformanceReport>,
    /// What went wrong, and whether it was healed.
    pub reliability: Option<Reliability>,
    /// The transactions that are open.
    pub sessions: Option<SessionsHealth>,
    /// The declared tables: deleted rows and missing indexes.
    pub tables: Option<TablesHealth>,
    /// The alerts that stand and those that are over.
    pub alerts: Option<AlertReport>,
    /// What to do, the most urgent first.
    pub recommendations: Vec<Recommendation>,
}

/// Whether the database answers, and the connections to it.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ConnectionHealth {
    /// The check that was made, or was made a moment before.
    pub check: CheckReport,
    /// The circuit breaker, if there is one.
    pub breaker: Option<BreakerReport>,
    /// Pooled connections that nothing is known against.
    pub healthy: u32,
    /// Those whose session is gone, or that failed too many checks.
    pub unhealthy: u32,
    /// Those that were not used for too long.
    pub stale: u32,
    /// Those that are too old, or were used too often.
    pub expired: u32,
    /// Each of them.
    pub known: Vec<ConnectionReport>,
}

impl ConnectionHealth {
    /// Counts the connections by their state.
    pub fn of(
        check: CheckReport,
        breaker: Option<BreakerReport>,
        known: Vec<ConnectionReport>,
    ) -> Self {
        let count = |state| {
            let all = known.iter().filter(|connection| connection.state == state);
            u32::try_from(all.count()).unwrap_or(u32::MAX)
        };
        Self {
            healthy: count(ConnectionState::Healthy),
            unhealthy: count(ConnectionState::Unhealthy),
            stale: count(ConnectionState::Stale),
            expired: count(ConnectionState::Expired),
            check,
            breaker,
            known,
        }
    }
}

/// The transactions that are open.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SessionsHealth {
    /// Each of them, the oldest first.
    pub open: Vec<SessionInfo>,
    /// From which age on one is long, in seconds.
    pub long_after_seconds: f64,
    /// At which age one is ended, in seconds.
    pub timeout_seconds: f64,
    /// How many were warned of so far.
    pub warned: u64,
    /// How many were ended so far, as they were open for too long.
    pub ended: u64,
}

impl SessionsHealth {
    /// The transactions, with what they are judged by; `overdue` are those warned of and ended.
    pub fn of(
        open: Vec<SessionInfo>,
        long_after_seconds: f64,
        timeout_seconds: f64,
        overdue: (u64, u64),
    ) -> Self {
        Self {
            open,
            long_after_seconds,
            timeout_seconds,
            warned: overdue.0,
            ended: overdue.1,
        }
    }

    /// Those that are open for long.
    pub fn long(&self) -> impl Iterator<Item = &SessionInfo> {
        let limit = self.long_after_seconds;
        self.open.iter().filter(move |s| s.age_seconds >= limit)
    }
}

/// The declared tables.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct TablesHealth {
    /// Each of them.
    pub tables: Vec<TableReport>,
    /// Why they could not be looked at; `None` if they were.
    pub not_read: Option<String>,
}

impl TablesHealth {
    /// The tables, or why there are none.
    pub fn of(tables: Result<Vec<TableReport>, String>) -> Self {
        match tables {
            Ok(tables) => Self {
                tables,
                not_read: None,
            },
            Err(why) => Self {
                tables: Vec::new(),
                not_read: Some(why),
            },
        }
    }
}

/// What was seen, for [`HealthReport::of`]. Sections that are not wanted are `None`.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The whole in a few numbers.
    pub summary: HealthSummary,
    /// Whether the database answers, and the connections to it.
    pub connection: ConnectionHealth,
    /// How full the pool is.
    pub pool: Option<PoolReport>,
    /// How long statements and methods take.
    pub performance: Option<PerformanceReport>,
    /// What went wrong, and whether it was healed.
    pub reliability: Option<Reliability>,
    /// The transactions that are open.
    pub sessions: Option<SessionsHealth>,
    /// The declared tables.
    pub tables: Option<TablesHealth>,
    /// The alerts.
    pub alerts: Option<AlertReport>,
    /// How long it took to see all this, in seconds.
    pub took_seconds: f64,
}

impl HealthReport {
    /// The report on what was seen, with what to do about it.
    pub fn of(seen: Observed) -> Self {
        let mut report = Self {
            summary: seen.summary,
            took_seconds: seen.took_seconds,
            from_cache: false,
            connection: seen.connection,
            pool: seen.pool,
            performance: seen.performance,
            reliability: seen.reliability,
            sessions: seen.sessions,
            tables: seen.tables,
            alerts: seen.alerts,
            recommendations: Vec::new(),
        };
        report.recommendations = recommend::sorted(rules::all(&report));
        report
    }

    /// What it comes to.
    pub fn status(&self) -> OverallStatus {
        self.summary.status
    }

    /// The report for a terminal, in colour if that is asked for.
    ///
    /// ```no_run
    /// # fn example(report: &resilient_core::health::report::HealthReport) {
    /// print!("{}", report.display().color(true));
    /// # }
    /// ```
    pub fn display(&self) -> Shown<'_> {
        Shown::report(self)
    }
}
