//! What health checks and connection lifecycles go by.

use std::time::Duration;

use crate::config::Config;

/// Limits and thresholds of one connection's health.
#[derive(Clone, Debug, PartialEq)]
pub struct HealthSettings {
    /// Whether connections are judged and replaced; they are listed and counted anyway. On.
    pub enabled: bool,
    /// The longest a check may take, waiting for a connection included; 1 s.
    pub timeout: Duration,
    /// What the quick check sends; `SELECT 1`.
    pub query: String,
    /// How often a monitor checks; 30 s.
    pub interval: Duration,
    /// A connection older than this is expired; 3600 s. Each connection's own limit lies up to
    /// a tenth below, so that those opened together do not end together.
    pub max_age: Duration,
    /// A connection that was taken this often is expired; 1000. 0 is no limit.
    pub max_usage: u64,
    /// A connection that was not used for longer is stale; 300 s.
    pub max_idle_time: Duration,
    /// A connection that was not used for so long is asked whether it lives before it is handed
    /// out, which costs a round trip; 1 s. One that was given back more recently has just answered.
    /// `Duration::ZERO` asks each.
    pub test_idle_after: Duration,
    /// So many failed checks in a row make a connection unhealthy; 3. A lost session makes it so
    /// at once.
    pub max_consecutive_failures: u32,
    /// How long a check's answer is good for; 5 s.
    pub cache_duration: Duration,
    /// So many open connections are kept, as far as the pool is that large: below, they are
    /// replaced one at a time; 2.
    pub min_healthy_connections: u32,
    /// The most connections that are replaced within a second; 5.
    pub batch_size: u32,
    /// A check that takes longer is slow; 100 ms.
    pub slow_above: Duration,
    /// A connection that is held for longer is a suspected leak; 60 s.
    pub leak_after: Duration,
    /// The share of the pool from which on it counts as nearly exhausted; 0.8.
    pub utilisation_warning: f64,
    /// How long it has to stay above; 5 s.
    pub utilisation_warning_after: Duration,
    /// The regular size of the pool: what is in use above it is overflow. By default the pool
    /// has none.
    pub pool_size: Option<u32>,
}

impl HealthSettings {
    /// What a configuration says, and the defaults for the rest.
    pub fn of(config: &Config) -> Self {
        let (health, pool) = (&config.health, &config.pool);
        Self {
            enabled: health.enabled,
            timeout: health.timeout,
            query: health.query.clone(),
            interval: health.interval,
            max_age: health.max_age.min(pool.recycle),
            max_usage: health.max_usage.into(),
            max_idle_time: health.max_idle_time,
            max_consecutive_failures: health.max_consecutive_failures,
            cache_duration: health.cache_duration,
            min_healthy_connections: health.min_healthy_connections,
            batch_size: health.batch_size,
            pool_size: Some(pool.size),
            ..Self::default()
        }
    }
}

impl Default for HealthSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            timeout: Duration::from_secs(1),
            query: "SELECT 1".to_owned(),
            interval: Duration::from_secs(30),
            max_age: Duration::from_hours(1),
            max_usage: 1000,
            max_idle_time: Duration::from_mins(5),
            test_idle_after: Duration::from_secs(1),
            max_consecutive_failures: 3,
            cache_duration: Duration::from_secs(5),
            min_healthy_connections: 2,
            batch_size: 5,
            slow_above: Duration::from_millis(100),
            leak_after: Duration::from_mins(1),
            utilisation_warning: 0.8,
            utilisation_warning_after: Duration::from_secs(5),
            pool_size: None,
        }
    }
}
