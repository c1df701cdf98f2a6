//! The measurements as plain, serialisable data.

use std::collections::BTreeMap;

use serde::Serialize;

use super::SlowStatement;

/// How one database performs.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct PerformanceReport {
    /// The database's name.
    pub connection: String,
    /// All statements: in transactions from sending to the answer, elsewhere with the wait for a
    /// connection; streams up to their first row.
    pub statements: WindowReport,
    /// Calls of resilient methods, attempts and delays included, by name.
    pub methods: BTreeMap<String, WindowReport>,
    /// From how many milliseconds on a statement is slow.
    pub slow_threshold_ms: f64,
    /// The slowest statements of the last 24 hours, worst first, without their values.
    pub slow_statements: Vec<SlowStatement>,
}

/// One thing over time.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct WindowReport {
    /// The last 60 minutes, the current one included.
    pub last_hour: Stats,
    /// The last 24 hours, the current one included.
    pub last_day: Stats,
    /// Those hours in which something happened, the latest first.
    pub hours: Vec<HourStats>,
}

/// One hour of the last day.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct HourStats {
    /// 0 is the hour that is not over yet.
    pub hours_ago: u64,
    /// What happened in it.
    #[serde(flatten)]
    pub stats: Stats,
}

/// What happened in a span of time. Quantiles are upper bounds, at most an eighth high.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Stats {
    /// How often, failures included.
    pub count: u64,
    /// Failures that the database reported; violated constraints are answers and not counted.
    pub errors: u64,
    /// Errors in all, 0 to 1.
    pub error_ratio: f64,
    /// The average time, in milliseconds.
    pub average_ms: f64,
    /// Half took at most so many milliseconds.
    pub p50_ms: f64,
    /// Nineteen of twenty.
    pub p95_ms: f64,
    /// Ninety-nine of a hundred.
    pub p99_ms: f64,
    /// The longest, in milliseconds.
    pub max_ms: f64,
}
