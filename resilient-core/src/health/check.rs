//! Checks and what they report.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use serde::{Serialize, Serializer};

use crate::FaultKind;

/// What a check does.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CheckStrategy {
    /// The configured query: does the server answer?
    Quick,
    /// Reads a row of this table, if it has one; `schema.table` where that is needed.
    Table(String),
    /// Can something be stored? Leaves nothing behind.
    Write,
    /// What the engine itself finds wrong with its data. Takes as long as the data is large.
    Integrity {
        /// All that the engine offers, instead of what is quick.
        full: bool,
    },
    /// A statement of the user's; it is enough that it does not fail.
    Query(String),
    /// A closure of the user's, by its name.
    Custom(String),
}

impl CheckStrategy {
    /// How long this check may take by default: what was configured, or a minute where all the
    /// data is read.
    pub fn default_timeout(&self, configured: Duration) -> Duration {
        match self {
            Self::Integrity { .. } => configured.max(Duration::from_mins(1)),
            _ => configured,
        }
    }

    /// Whether a long answer says something about the server. Reading all the data takes long
    /// anyway.
    pub fn has_slow(&self) -> bool {
        !matches!(self, Self::Integrity { .. })
    }
}

impl fmt::Display for CheckStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quick => f.write_str("quick"),
            Self::Table(name) => write!(f, "table {name}"),
            Self::Write => f.write_str("write"),
            Self::Integrity { full: false } => f.write_str("integrity"),
            Self::Integrity { full: true } => f.write_str("full integrity"),
            // The statement may hold data.
            Self::Query(_) => f.write_str("query"),
            Self::Custom(name) => f.write_str(name),
        }
    }
}

/// How one check is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckOptions {
    /// Do not take an answer from before.
    pub force: bool,
    /// The longest to wait; the configured timeout by default, a minute for integrity.
    pub timeout: Option<Duration>,
    /// A check that takes longer is slow; the configured threshold by default.
    pub slow_above: Option<Duration>,
    /// The tables of an integrity check where the engine checks single tables (MySQL and
    /// MariaDB); the first 100 of the database by default.
    pub tables: Vec<String>,
}

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, strum::Display)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum CheckStatus {
    /// All is well.
    Healthy,
    /// All is well, but it took long.
    Slow,
    /// Something is wrong; the reason says what.
    Unhealthy,
}

/// One check's report.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct CheckReport {
    /// What was done.
    pub strategy: CheckStrategy,
    /// What it came to.
    pub status: CheckStatus,
    /// How long it took, the wait for a connection included.
    #[serde(rename = "response_time_seconds", serialize_with = "seconds")]
    #[cfg_attr(feature = "schema", schemars(with = "f64"))]
    pub response_time: Duration,
    /// Why it is not healthy.
    pub reason: Option<String>,
    /// The fault behind the reason, where there is one.
    pub fault: Option<FaultKind>,
    /// What this check cannot see here, or did not look at.
    pub not_checked: Vec<String>,
    /// When it was made, in seconds since 1970.
    #[serde(rename = "checked_at_unix_seconds", serialize_with = "unix_seconds")]
    #[cfg_attr(feature = "schema", schemars(with = "f64"))]
    pub checked_at: SystemTime,
    /// Whether the answer is one from before.
    pub from_cache: bool,
    /// How many checks of this strategy have now failed in a row.
    pub consecutive_failures: u32,
}

impl CheckReport {
    /// Whether the database can be used: healthy or slow.
    pub fn is_usable(&self) -> bool {
        self.status != CheckStatus::Unhealthy
    }
}

/// What a check found, before it is graded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finding {
    /// What is wrong; nothing if `None`.
    pub wrong: Option<String>,
    /// The fault behind it.
    pub fault: Option<FaultKind>,
    /// What was not looked at.
    pub not_checked: Vec<String>,
}

impl Finding {
    /// Nothing is wrong.
    pub fn good() -> Self {
        Self::default()
    }

    /// This is wrong.
    pub fn bad(wrong: impl Into<String>, fault: impl Into<Option<FaultKind>>) -> Self {
        Self {
            wrong: Some(wrong.into()),
            fault: fault.into(),
            not_checked: Vec::new(),
        }
    }

    /// The same, saying what was not looked at.
    #[must_use]
    pub fn without(mut self, not_checked: impl Into<String>) -> Self {
        self.not_checked.push(not_checked.into());
        self
    }

    /// Grades it by the time it took.
    pub fn grade(
        self,
        strategy: CheckStrategy,
        took: Duration,
        slow_above: Duration,
    ) -> CheckReport {
        let slow = strategy.has_slow() && took > slow_above;
        let (status, reason) = match self.wrong {
            Some(wrong) => (CheckStatus::Unhealthy, Some(wrong)),
            None if slow => {
                let text = format!("it took {took:.1?}, more than {slow_above:.1?}");
                (CheckStatus::Slow, Some(text))
            }
            None => (CheckStatus::Healthy, None),
        };
        CheckReport {
            strategy,
            status,
            response_time: took,
            reason,
            fault: self.fault,
            not_checked: self.not_checked,
            checked_at: SystemTime::now(),
            from_cache: false,
            consecutive_failures: 0,
        }
    }
}

fn seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}

fn unix_seconds<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    serializer.serialize_f64(since.map_or(0.0, |since| since.as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOW: Duration = Duration::from_millis(100);

    #[test]
    fn grades() {
        let grade = |finding: Finding, millis| {
            finding.grade(CheckStrategy::Quick, Duration::from_millis(millis), SLOW)
        };
        assert_eq!(grade(Finding::good(), 100).status, CheckStatus::Healthy);
        let slow = grade(Finding::good(), 101);
        assert_eq!(slow.status, CheckStatus::Slow);
        assert!(slow.is_usable() && slow.reason.is_some());
        let bad = grade(Finding::bad("gone", FaultKind::ConnectionLost), 500);
        assert_eq!(bad.status, CheckStatus::Unhealthy);
        assert_eq!(bad.reason.as_deref(), Some("gone"));
        let integrity = CheckStrategy::Integrity { full: true };
        let long = Finding::good().grade(integrity, Duration::from_secs(9), SLOW);
        assert_eq!(long.status, CheckStatus::Healthy);
    }

    #[test]
    fn serialises_with_units_in_names() {
        let report = Finding::good().grade(CheckStrategy::Table("a".to_owned()), SLOW, SLOW);
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["strategy"], serde_json::json!({"table": "a"}));
        assert_eq!(json["status"], "healthy");
        assert_eq!(json["response_time_seconds"], 0.1);
        assert!(json["checked_at_unix_seconds"].as_f64().unwrap() > 1e9);
    }
}
