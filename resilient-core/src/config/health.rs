//! [`HealthConfig`]: how a database's health is looked after.

use std::time::Duration;

use super::{seconds, section::section};

section! {
    /// How a database's health is checked, and when connections are replaced.
    ///
    /// ```
    /// use std::time::Duration;
    /// use resilient_core::config::HealthConfig;
    ///
    /// let health = HealthConfig::remote()
    ///     .with_interval(Duration::from_secs(10))
    ///     .with_max_consecutive_failures(5);
    /// ```
    pub struct HealthConfig {
        /// Whether health is checked at all; on by default.
        enabled: bool = true, with_enabled;
        /// How long a check may take; 1 s by default.
        #[serde(with = "seconds")]
        timeout: Duration = Duration::from_secs(1), with_timeout;
        /// The statement of the quick check; `SELECT 1` by default.
        query: String = "SELECT 1".to_owned();
        /// From the start of one check to the start of the next; 30 s by default.
        #[serde(with = "seconds")]
        interval: Duration = Duration::from_secs(30), with_interval;
        /// The age at which a connection is replaced; 3600 s by default.
        #[serde(with = "seconds")]
        max_age: Duration = Duration::from_hours(1), with_max_age;
        /// The number of uses after which a connection is replaced; 1000 by default.
        max_usage: u32 = 1000, with_max_usage;
        /// How long a connection may lie in the pool unused before it is closed; 300 s by
        /// default.
        #[serde(with = "seconds")]
        max_idle_time: Duration = Duration::from_mins(5), with_max_idle_time;
        /// Failed checks in a row after which the database counts as unhealthy; 3 by default.
        max_consecutive_failures: u32 = 3, with_max_consecutive_failures;
        /// How long the result of a check is good for; 5 s by default, 0 for not at all.
        #[serde(with = "seconds")]
        cache_duration: Duration = Duration::from_secs(5), with_cache_duration;
        /// Healthy connections that are kept while others are replaced; 2 by default. The pool
        /// is opened with so many; where that is more than [`size`](super::PoolConfig::size), as
        /// many as that.
        min_healthy_connections: u32 = 2, with_min_healthy_connections;
        /// Connections that are checked or replaced at a time; 5 by default.
        batch_size: u32 = 5, with_batch_size;
        /// Attempts at recovery before it counts as failed; 3 by default.
        recovery_max_attempts: u32 = 3, with_recovery_max_attempts;
        /// Whether a connection that is made with this configuration is monitored in the
        /// background; on by default. One that is made without a configuration is not.
        background_monitoring: bool = true, with_background_monitoring;
    }
}

impl HealthConfig {
    /// Sets [`query`](Self::query).
    #[must_use]
    pub fn with_query(mut self, query: impl Into<String>) -> Self {
        self.query = query.into();
        self
    }

    /// For a database in the same process or on the same machine: an answer that takes long is
    /// a bad sign, and a new connection costs little.
    pub fn local() -> Self {
        Self::default()
            .with_timeout(Duration::from_millis(500))
            .with_cache_duration(Duration::from_secs(1))
            .with_min_healthy_connections(1)
    }

    /// For a server on the same network: the defaults, with room for a lost packet, and idle
    /// connections closed before firewalls forget them.
    pub fn remote() -> Self {
        Self::default()
            .with_timeout(Duration::from_secs(3))
            .with_max_idle_time(Duration::from_mins(4))
    }

    /// For a server far away or behind a slow link: patience, and fewer checks.
    pub fn high_latency() -> Self {
        Self::remote()
            .with_timeout(Duration::from_secs(10))
            .with_interval(Duration::from_mins(1))
            .with_cache_duration(Duration::from_secs(15))
            .with_max_consecutive_failures(5)
            .with_recovery_max_attempts(5)
    }
}
