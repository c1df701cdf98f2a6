//! What a manager does in the background.

use std::sync::{Arc, Weak};

use resilient_core::health::monitor::{Monitor, MonitorConfig, MonitorReport, Watch};

use super::{DatabaseManager, Member};

impl DatabaseManager {
    /// What the monitors of the databases have done so far, by the databases' names; nothing of a
    /// database that is not watched.
    ///
    /// A manager that is made inside a tokio runtime starts the
    /// [monitor](crate::ResilientConnection::start_monitoring) of each database whose
    /// configuration has `health.enabled` and `health.background_monitoring` and that has none
    /// yet, and ends that database's overdue sessions as often (30 s).
    /// [`close`](Self::close) ends both. Dropping the last clone of the manager ends the latter;
    /// a monitor ends with its database.
    pub fn watched(&self) -> Vec<(String, MonitorReport)> {
        let members = self.members();
        let watched = members.iter().filter_map(|member| {
            let report = member.db.monitoring()?;
            Some((member.name.to_string(), report))
        });
        watched.collect()
    }

    pub(super) fn watch_all(&self) {
        let members = self.members().clone();
        for member in &members {
            self.watch(member);
        }
    }

    #[allow(clippy::unused_self)]
    pub(super) fn watch(&self, member: &Arc<Member>) {
        let health = &member.db.config().health;
        let wanted = health.enabled && health.background_monitoring;
        if !wanted || tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        if member.db.monitoring().is_none() {
            member.db.monitor_in_background();
        }
        let config = MonitorConfig::default().interval(health.interval);
        let events = member.db.pool.context.vitals().events().clone();
        let watch = Expiring(Arc::downgrade(member));
        *member.monitor() = Some(Monitor::start(&*member.name, &config, events, watch));
    }
}

/// Ends sessions. Weak, as the member holds the monitor.
struct Expiring(Weak<Member>);

impl Watch for Expiring {
    fn name(&self) -> &'static str {
        "sessions"
    }

    async fn tick(&self) -> Result<(), String> {
        if let Some(member) = self.0.upgrade() {
            member.expire_sessions();
        }
        Ok(())
    }
}
