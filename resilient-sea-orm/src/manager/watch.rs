//! The background task of each database.

use std::sync::{Arc, Weak};

use resilient_core::health::{
    CheckOptions, CheckStrategy,
    monitor::{MonitorConfig, MonitorReport, Watch},
};

use super::{DatabaseManager, Member};

impl DatabaseManager {
    /// What the background tasks have done so far, by the databases' names; nothing of a database
    /// that is not watched.
    ///
    /// A manager that is made inside a tokio runtime watches each database whose configuration
    /// has `health.enabled` and `health.background_monitoring`, once in `health.interval` (30 s):
    /// it checks the database, closes idle connections that do not answer, ends what is overdue
    /// and judges the alerts. [`close`](Self::close) ends that, and so does dropping the last
    /// clone of the manager.
    pub fn watched(&self) -> Vec<(String, MonitorReport)> {
        let members = self.members();
        let watched = members.iter().filter_map(|member| {
            let report = member.monitor().as_ref()?.report();
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
        let config = MonitorConfig::default().interval(health.interval);
        let watch = Watcher(Arc::downgrade(member));
        *member.monitor() = Some(member.db.monitor(&config, watch));
    }
}

/// Weak, as the member holds the monitor.
struct Watcher(Weak<Member>);

impl Watch for Watcher {
    async fn tick(&self) -> Result<(), String> {
        let Some(member) = self.0.upgrade() else {
            return Ok(());
        };
        member.end_overdue();
        let options = CheckOptions {
            force: true,
            ..CheckOptions::default()
        };
        let db = &member.db;
        let report = db.check_health_with(CheckStrategy::Quick, options).await;
        db.check_connections().await;
        if report.is_usable() {
            return Ok(());
        }
        Err(report.reason.unwrap_or_else(|| "unhealthy".to_owned()))
    }
}
