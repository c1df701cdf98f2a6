//! A look at everything, and the end of it.

use std::time::Duration;

use futures_util::future::join_all;
use resilient_core::{
    Failure, FaultKind,
    health::{CheckOptions, CheckStrategy, managed::DatabaseReport},
};

use super::{DatabaseManager, ManagerReport, Member};
use crate::Result;

/// How long pools may take to close.
const CLOSE_LIMIT: Duration = Duration::from_secs(30);

impl DatabaseManager {
    /// Checks every database now, at the same time, and says how each of them and each session
    /// does. It recovers nothing and never fails; what is wrong is in the report.
    pub async fn check_all(&self) -> ManagerReport {
        let members = self.members().clone();
        let databases = join_all(members.iter().map(|member| member.check())).await;
        let sessions = members.iter().flat_map(|member| member.reports());
        ManagerReport::of(databases, sessions.collect())
    }

    /// The sessions, by database and id. Sends nothing.
    pub fn sessions(&self) -> Vec<super::ManagedReport> {
        let members = self.members().clone();
        members.iter().flat_map(|member| member.reports()).collect()
    }

    /// Ends everything: monitors, sessions, and the pools, also for others who use them. Units of
    /// work that run may end first, within 30 s. The manager has no database after that.
    ///
    /// # Errors
    /// When connections are still in use after that time; they are closed when they are given
    /// back.
    ///
    /// # Cancel safety
    /// Dropping the future leaves some pools open.
    pub async fn close(&self) -> Result<()> {
        let members = std::mem::take(&mut *self.members());
        let closed = join_all(members.iter().map(|member| member.close())).await;
        let open: Vec<String> = closed.into_iter().flatten().collect();
        if open.is_empty() {
            return Ok(());
        }
        Err(Failure::misuse(format!(
            "connections of {} are still in use after {CLOSE_LIMIT:?}: end the work on them \
             before close()",
            open.join(", ")
        ))
        .of_kind(FaultKind::PoolTimeout)
        .into())
    }
}

impl Member {
    async fn check(&self) -> DatabaseReport {
        let options = CheckOptions {
            force: true,
            ..CheckOptions::default()
        };
        let check = self.db.check_health_with(CheckStrategy::Quick, options);
        DatabaseReport::of(
            &self.name,
            check.await,
            self.db.pool_status(),
            self.db.pool.context.vitals().recovery().report(),
            self.db.sessions(),
        )
    }

    fn reports(&self) -> Vec<super::ManagedReport> {
        let now = self.db.pool.context.clock().now();
        let sessions = self.sessions();
        let reports = sessions.values();
        reports
            .map(|shared| shared.state.report(&shared.id, &self.name, now))
            .collect()
    }

    /// Answers its name and who holds connections, if it is not closed in time.
    async fn close(&self) -> Option<String> {
        let monitor = self.monitor().take();
        if let Some(monitor) = monitor {
            monitor.shutdown().await;
        }
        self.db.stop_monitoring().await;
        for shared in self.sessions().values() {
            shared.state.expire();
        }
        let close = self.db.as_sea_orm().clone().close();
        // What answers an error is a mock, which has nothing to close.
        if tokio::time::timeout(CLOSE_LIMIT, close).await.is_ok() {
            return None;
        }
        let held = self.db.connections().into_iter();
        let by: Vec<&str> = held.filter_map(|c| c.held_by).collect();
        Some(match by.as_slice() {
            [] => format!("{:?}", self.name),
            by => format!("{:?} (held by {})", self.name, by.join(", ")),
        })
    }
}
