//! Limits and habits: [`Config`], written in code, read from a file through serde, or taken from
//! the environment.
//!
//! ```
//! use resilient_core::config::{Config, Environment};
//!
//! // What the code says, and the environment over it.
//! let base = Config::remote();
//! let environment = Environment::of([("APP_DB_POOL_SIZE", "12"), ("APP_DB_RETRY_BASE_DELAY", "50ms")])
//!     .prefix("APP_");
//! let config = base.overlaid(&environment)?;
//! assert_eq!(config.pool.size, 12);
//! # Ok::<_, resilient_core::config::ConfigError>(())
//! ```
//!
//! In a TOML or JSON file, durations are seconds or texts with units, and what is left out has
//! its default:
//!
//! ```
//! # use resilient_core::Config;
//! let config: Config = serde_json::from_str(
//!     r#"{ "pool": { "size": 12, "acquire_timeout": 5, "recycle": "30m" } }"#,
//! )?;
//! config.validate()?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! All variables are in [`VARIABLES`], and with their defaults in `docs/configuration.md`.

mod check;
mod environment;
mod health;
mod pool;
mod problem;
mod retry;
mod seconds;
mod section;
mod session;
mod soft_delete;
#[cfg(test)]
mod tests;
mod variables;

use serde::{Deserialize, Serialize};

pub use self::{
    environment::{Environment, Loaded},
    health::HealthConfig,
    pool::PoolConfig,
    problem::{ConfigError, Problem, Warning},
    retry::RetryConfig,
    session::SessionConfig,
    soft_delete::SoftDeleteConfig,
    variables::{VARIABLES, Variable},
};

/// Everything that can be configured.
///
/// ```
/// use resilient_core::config::{Config, PoolConfig};
///
/// let config = Config::local().with_pool(PoolConfig::local().with_size(3));
/// assert!(config.validate().is_ok());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Config {
    /// How health is looked after.
    pub health: HealthConfig,
    /// The pool's size and limits.
    pub pool: PoolConfig,
    /// How often to retry, and how long to wait in between.
    pub retry: RetryConfig,
    /// How long sessions last.
    pub session: SessionConfig,
    /// When rows that are marked as deleted are worth a word.
    pub soft_delete: SoftDeleteConfig,
}

impl Config {
    /// Everything at its default.
    pub fn new() -> Self {
        Self::default()
    }

    /// For a database in the same process or on the same machine.
    pub fn local() -> Self {
        Self::default()
            .with_health(HealthConfig::local())
            .with_pool(PoolConfig::local())
            .with_retry(RetryConfig::local())
    }

    /// For a server on the same network.
    pub fn remote() -> Self {
        Self::default()
            .with_health(HealthConfig::remote())
            .with_pool(PoolConfig::remote())
            .with_retry(RetryConfig::remote())
    }

    /// For a server far away or behind a slow link.
    pub fn high_latency() -> Self {
        Self::default()
            .with_health(HealthConfig::high_latency())
            .with_pool(PoolConfig::high_latency())
            .with_retry(RetryConfig::high_latency())
    }

    /// Sets how health is looked after.
    #[must_use]
    pub fn with_health(mut self, health: HealthConfig) -> Self {
        self.health = health;
        self
    }

    /// Sets the pool's size and limits.
    #[must_use]
    pub fn with_pool(mut self, pool: PoolConfig) -> Self {
        self.pool = pool;
        self
    }

    /// Sets how often to retry.
    #[must_use]
    pub fn with_retry(mut self, retry: RetryConfig) -> Self {
        self.retry = retry;
        self
    }

    /// Sets how long sessions last.
    #[must_use]
    pub fn with_session(mut self, session: SessionConfig) -> Self {
        self.session = session;
        self
    }

    /// Sets what is watched about rows that are marked as deleted.
    #[must_use]
    pub fn with_soft_delete(mut self, soft_delete: SoftDeleteConfig) -> Self {
        self.soft_delete = soft_delete;
        self
    }

    /// The defaults with what the process's environment says over them.
    ///
    /// # Errors
    /// Every variable whose value cannot be used.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::default().overlaid(&Environment::of_process())
    }

    /// The same with a prefix before each variable: `APP_DB_POOL_SIZE` for `"APP_"`.
    ///
    /// # Errors
    /// Every variable whose value cannot be used.
    pub fn from_env_with_prefix(prefix: impl Into<String>) -> Result<Self, ConfigError> {
        Self::default().overlaid(&Environment::of_process().prefix(prefix))
    }

    /// This configuration with what the environment says over it. Variables that look like
    /// misspelt ones of ours are logged as warnings; [`Environment::load`] returns them.
    ///
    /// # Errors
    /// Every variable whose value cannot be used.
    pub fn overlaid(&self, environment: &Environment) -> Result<Self, ConfigError> {
        let loaded = environment.load(self)?;
        for warning in &loaded.warnings {
            tracing::warn!(target: "resilient", "{warning}");
        }
        Ok(loaded.config)
    }

    /// Checks that every value is one that can be used. Whatever reads a configuration from the
    /// environment, or applies one to a connection, does this.
    ///
    /// # Errors
    /// Every field whose value cannot be used, with what is allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check::validate(self, None)
    }
}
