//! How well a database does, read from the live one.

pub use resilient_core::health::*;

mod alone;
mod as_source;
mod checks;
mod composed;
mod diagnostics;
#[cfg(feature = "sqlx-dep")]
mod identity;
mod integrity;
#[cfg(feature = "sqlx-dep")]
mod lifecycle;
mod options;
#[cfg(feature = "sqlx-dep")]
pub(crate) mod participants;
mod pool_report;
#[cfg(feature = "sqlx-dep")]
mod sweep;
#[cfg(feature = "sqlx-dep")]
pub mod tables;
mod transactions;
mod watch;
mod write;

use std::sync::{Arc, atomic::AtomicBool};

use resilient_core::{
    health::{constraints::ConstraintsHealth, report::HealthReport},
    time::{Clock, Random},
};
use sea_orm::{ConnectOptions, DatabaseConnection};

pub(crate) use checks::{Own, answers};
pub use options::{DiagnosticsOptions, HealthReportOptions};

#[cfg(feature = "sqlx-dep")]
pub(crate) use lifecycle::{hold, take};
pub use watch::MonitorOptions;
pub(crate) use watch::WatchSlot;

/// What is known about the health of one pool.
#[derive(Debug)]
pub(crate) struct PoolHealth {
    pub(crate) connections: Arc<Connections>,
    pub(crate) checks: CheckCache,
    pub(crate) report: Shared<HealthReport>,
    pub(crate) constraints: Shared<ConstraintsHealth>,
    /// Whether the pool asks us before it hands a connection out.
    pub(crate) hooks: bool,
    /// Whether connections cannot be told apart, so that nobody tries again.
    pub(crate) nameless: AtomicBool,
}

impl PoolHealth {
    pub(crate) fn new(
        settings: HealthSettings,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        hooks: bool,
    ) -> Self {
        Self {
            connections: Arc::new(Connections::new(settings, clock, random)),
            checks: CheckCache::default(),
            report: Shared::default(),
            constraints: Shared::default(),
            hooks,
            nameless: AtomicBool::new(false),
        }
    }

    /// Sets up a pool that is about to be opened.
    ///
    /// sqlx closes what is too old all at once. So its own limits, where the user set none, lie
    /// beyond ours, and end only what nobody used or checked.
    pub(crate) fn prepare(&self, options: &mut ConnectOptions) {
        let settings = self.connections.settings();
        if !settings.enabled {
            return;
        }
        let memory =
            options.get_url().contains(":memory:") || options.get_url().contains("mode=memory");
        if options.get_max_lifetime().is_none() {
            let limit = settings.max_age.saturating_mul(2);
            options.max_lifetime((!memory).then_some(limit));
        }
        if options.get_idle_timeout().is_none() {
            let limit = settings.max_idle_time.saturating_mul(2);
            options.idle_timeout((!memory).then_some(limit));
        }
        // There is no server to ask, and telling connections apart asks the same worker.
        if options.get_url().starts_with("sqlite:") {
            options.test_before_acquire(false);
        }
        // What is always on, unless the user chose.
        if options.get_test_before_acquire() {
            options.test_before_acquire_if_idle_for(settings.test_idle_after);
        }
        #[cfg(feature = "sqlx-dep")]
        if self.hooks {
            lifecycle::hook(&self.connections, options);
        }
    }

    /// Looks at a pool that is open.
    #[cfg_attr(not(feature = "sqlx-sqlite"), allow(clippy::unused_self))]
    pub(crate) fn adopt(&self, connection: &DatabaseConnection) {
        #[cfg(feature = "sqlx-sqlite")]
        if let sea_orm::DatabaseConnectionType::SqlxSqlitePoolConnection(_) = &connection.inner {
            let options = connection.get_sqlite_connection_pool().connect_options();
            // There is no getter; in a name it only keeps what could be replaced.
            if format!("{options:?}").contains("in_memory: true") {
                self.connections.keep();
            }
        }
        let _ = connection;
    }

    /// Says once of each leak who holds it.
    pub(crate) fn tell_leaks(&self, name: &str) {
        for leak in self.connections.new_leaks() {
            tracing::warn!(
                target: "resilient::health",
                database = name,
                connection = leak.id,
                server_pid = leak.server_pid,
                method = leak.held_by,
                held_seconds = leak.held_seconds,
                "suspected leak: {}",
                leak.held_text(),
            );
        }
    }
}
