//! [`PoolConfig`]: how many connections, and how long to wait for what.

use std::time::Duration;

use super::{seconds, section::section};

section! {
    /// The pool's size and limits.
    ///
    /// A pool of sqlx has one maximum, and no notion of an overflow: it is opened with
    /// [`max_connections`](Self::max_connections), which is `size` and `overflow` together. The
    /// difference between the two is one of habit and of reports: connections are opened only
    /// when they are needed, and closed again after
    /// [`max_idle_time`](super::HealthConfig::max_idle_time) without use, so what a peak needed
    /// above `size` goes when the peak has passed; and a pool that has more than `size` in use
    /// is reported as overflowing.
    pub struct PoolConfig {
        /// Connections for everyday use; 20 by default.
        size: u32 = 20, with_size;
        /// Connections above [`size`](Self::size) at peaks; 30 by default.
        overflow: u32 = 30, with_overflow;
        /// How long to wait for a connection, including the time to open one; 30 s by default.
        #[serde(with = "seconds")]
        acquire_timeout: Duration = Duration::from_secs(30), with_acquire_timeout;
        /// The age at which the pool closes a connection instead of lending it again; 3600 s by
        /// default. Where [`max_age`](super::HealthConfig::max_age) is shorter, that.
        #[serde(with = "seconds")]
        recycle: Duration = Duration::from_hours(1), with_recycle;
        /// How long opening the pool may take, with its first connection; 10 s by default. Later
        /// connections are opened within the [`acquire_timeout`](Self::acquire_timeout) of whoever
        /// needs them.
        #[serde(with = "seconds")]
        connect_timeout: Duration = Duration::from_secs(10), with_connect_timeout;
        /// How long a statement may run; 300 s by default. The server ends it where it can,
        /// otherwise its connection is given up.
        #[serde(with = "seconds")]
        statement_timeout: Duration = Duration::from_mins(5), with_statement_timeout;
    }
}

impl PoolConfig {
    /// The most connections there can be: [`size`](Self::size) and [`overflow`](Self::overflow).
    pub fn max_connections(&self) -> u32 {
        self.size.saturating_add(self.overflow)
    }

    /// For a database in the same process or on the same machine: few connections, short waits.
    pub fn local() -> Self {
        Self::default()
            .with_size(5)
            .with_overflow(5)
            .with_acquire_timeout(Duration::from_secs(10))
            .with_connect_timeout(Duration::from_secs(3))
            .with_statement_timeout(Duration::from_mins(1))
    }

    /// For a server on the same network: the defaults.
    pub fn remote() -> Self {
        Self::default()
    }

    /// For a server far away or behind a slow link: a transaction holds its connection for
    /// longer, so there are more, and opening one may take its time.
    pub fn high_latency() -> Self {
        Self::default()
            .with_size(30)
            .with_acquire_timeout(Duration::from_mins(1))
            .with_connect_timeout(Duration::from_secs(30))
            .with_statement_timeout(Duration::from_mins(10))
    }
}
