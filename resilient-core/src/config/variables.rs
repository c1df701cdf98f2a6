//! Every variable of the environment: the one list that reading, validation and documentation
//! go by.

use super::check::Kind;

/// A variable of the environment.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    pub(super) name: &'static str,
    pub(super) fields: &'static [&'static str],
    pub(super) kind: Kind,
    pub(super) meaning: &'static str,
}

impl Variable {
    /// Its name without a prefix.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The fields of [`Config`](super::Config) that it sets, `section.name`.
    pub fn fields(&self) -> &'static [&'static str] {
        self.fields
    }

    /// What it means, in a few words.
    pub fn meaning(&self) -> &'static str {
        self.meaning
    }

    /// What can be written in it.
    pub fn allowed(&self) -> String {
        self.kind.allowed()
    }
}

const fn variable(
    name: &'static str,
    fields: &'static [&'static str],
    kind: Kind,
    meaning: &'static str,
) -> Variable {
    Variable {
        name,
        fields,
        kind,
        meaning,
    }
}

/// More connections than any server takes.
const CONNECTIONS: u32 = 100_000;
/// More retries than anyone waits for.
const TRIES: u32 = 1000;
/// The longest limit that PostgreSQL and MySQL can hold, in milliseconds in 31 bits, is 24.8 days.
const STATEMENT: Kind = Kind::Time {
    zero: false,
    max_days: 24,
};
const TIME: Kind = Kind::Time {
    zero: false,
    max_days: 3650,
};
const TIME_OR_ZERO: Kind = Kind::Time {
    zero: true,
    max_days: 3650,
};

/// All variables, in the order in which they are applied: where two set one field, the later one
/// has the last word.
pub const VARIABLES: &[Variable] = &[
    variable(
        "DB_HEALTH_CHECK_ENABLED",
        &["health.enabled"],
        Kind::Flag,
        "whether health is checked at all",
    ),
    variable(
        "DB_HEALTH_CHECK_INTERVAL",
        &["health.interval"],
        TIME,
        "from the start of one check to the next",
    ),
    variable(
        "DB_HEALTH_CHECK_TIMEOUT",
        &["health.timeout"],
        TIME,
        "how long a check may take",
    ),
    variable(
        "DB_HEALTH_CHECK_QUERY",
        &["health.query"],
        Kind::Text,
        "the statement of the quick check",
    ),
    variable(
        "DB_HEALTH_CHECK_CACHE_DURATION",
        &["health.cache_duration"],
        TIME_OR_ZERO,
        "how long the result of a check is good for",
    ),
    variable(
        "DB_HEALTH_CHECK_MAX_FAILURES",
        &["health.max_consecutive_failures"],
        Kind::Count(1, TRIES),
        "failed checks in a row until the database is unhealthy",
    ),
    variable(
        "DB_HEALTH_CHECK_BATCH_SIZE",
        &["health.batch_size"],
        Kind::Count(1, CONNECTIONS),
        "connections checked or replaced at a time",
    ),
    variable(
        "DB_MIN_HEALTHY_CONNECTIONS",
        &["health.min_healthy_connections"],
        Kind::Count(0, CONNECTIONS),
        "healthy connections that are kept open",
    ),
    variable(
        "DB_RECOVERY_MAX_ATTEMPTS",
        &["health.recovery_max_attempts"],
        Kind::Count(0, TRIES),
        "attempts at recovery",
    ),
    variable(
        "DB_ENABLE_BACKGROUND_MONITORING",
        &["health.background_monitoring"],
        Kind::Flag,
        "whether a connection that is made with a configuration is monitored",
    ),
    variable(
        "DB_SESSION_TIMEOUT",
        &["session.timeout"],
        TIME,
        "the age at which a session expires",
    ),
    variable(
        "DB_SESSION_MAX_IDLE_TIME",
        &["session.max_idle_time", "health.max_idle_time"],
        TIME,
        "time without use until a session expires, or a pooled connection is closed",
    ),
    variable(
        "DB_MAX_CONNECTION_IDLE_TIME",
        &["health.max_idle_time"],
        TIME,
        "the same for pooled connections alone",
    ),
    variable(
        "DB_MAX_CONNECTION_AGE",
        &["health.max_age"],
        TIME,
        "the age at which a connection is replaced",
    ),
    variable(
        "DB_MAX_CONNECTION_USAGE",
        &["health.max_usage"],
        Kind::Count(1, u32::MAX),
        "uses after which a connection is replaced",
    ),
    variable(
        "DB_POOL_SIZE",
        &["pool.size"],
        Kind::Count(1, CONNECTIONS),
        "connections for everyday use",
    ),
    variable(
        "DB_MAX_OVERFLOW",
        &["pool.overflow"],
        Kind::Count(0, CONNECTIONS),
        "connections above that at peaks",
    ),
    variable(
        "DB_POOL_TIMEOUT",
        &["pool.acquire_timeout"],
        TIME,
        "how long to wait for a connection",
    ),
    variable(
        "DB_POOL_RECYCLE",
        &["pool.recycle"],
        TIME,
        "the age at which the pool closes a connection",
    ),
    variable(
        "DB_CONNECT_TIMEOUT",
        &["pool.connect_timeout"],
        TIME,
        "how long opening the pool may take",
    ),
    variable(
        "DB_COMMAND_TIMEOUT",
        &["pool.statement_timeout"],
        STATEMENT,
        "how long a statement may run",
    ),
    variable(
        "DB_MAX_RETRIES",
        &["retry.max_retries"],
        Kind::Count(0, TRIES),
        "retries after the first attempt",
    ),
    variable(
        "DB_RETRY_BASE_DELAY",
        &["retry.base_delay"],
        TIME_OR_ZERO,
        "the longest first delay",
    ),
    variable(
        "DB_RETRY_MAX_DELAY",
        &["retry.max_delay"],
        TIME_OR_ZERO,
        "the longest delay of all",
    ),
    variable(
        "DB_DEADLOCK_RETRY_COUNT",
        &["retry.deadlock_retries"],
        Kind::Count(0, TRIES),
        "retries after deadlocks, counted together with the others",
    ),
    variable(
        "SOFT_DELETE_ENABLE_MONITORING",
        &["soft_delete.enable_monitoring"],
        Kind::Flag,
        "whether rows marked as deleted are counted",
    ),
    variable(
        "SOFT_DELETE_ALERT_ON_HIGH_DELETION_RATIO",
        &["soft_delete.alert_on_high_deletion_ratio"],
        Kind::Flag,
        "whether too many of them raise an alert",
    ),
    variable(
        "SOFT_DELETE_DELETION_RATIO_ALERT_THRESHOLD",
        &["soft_delete.deletion_ratio_alert_threshold"],
        Kind::Ratio,
        "which share of a table's rows is too many",
    ),
];
