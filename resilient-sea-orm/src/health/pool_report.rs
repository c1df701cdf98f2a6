//! What a connection says about its pool.

use resilient_core::health::{ConnectionReport, PoolReport, Sweep};

use crate::{ResilientConnection, advice};

impl ResilientConnection {
    /// The pool: how full it is, who waits and for how long, what was opened and closed, and
    /// whether it is about to be exhausted. Sends nothing.
    pub fn pool_status(&self) -> PoolReport {
        let health = &self.pool.health;
        let gauge = advice::gauge(&self.pool).unwrap_or_default();
        health.tell_leaks(self.name());
        if gauge.open > 0 {
            health.connections.trim(gauge.open);
        }
        let report = PoolReport::of(self.name(), gauge, &health.connections);
        if let Some(warning) = report.warning.as_deref().filter(|_| report.newly_warned) {
            tracing::warn!(
                target: "resilient::health",
                database = self.name(),
                in_use = report.in_use,
                waiting = report.waiting,
                "the pool is nearly exhausted: {warning}",
            );
        }
        report
    }

    /// The pooled connections that are known, with their state and who holds them. Suspected
    /// leaks are logged once. Sends nothing.
    pub fn connections(&self) -> Vec<ConnectionReport> {
        let health = &self.pool.health;
        if let Some(gauge) = advice::gauge(&self.pool).filter(|gauge| gauge.open > 0) {
            health.connections.trim(gauge.open);
        }
        health.tell_leaks(self.name());
        health.connections.report()
    }

    /// Looks at the connections that are idle now: tests each of them, closes those that do not
    /// answer and, at most `batch_size` a second, those that are expired or stale, and opens
    /// others until `min_healthy_connections` are open. For a monitor, or whoever wants to know.
    ///
    /// Each test may take as long as a check. Connections that are in use are left alone.
    #[cfg_attr(not(feature = "sqlx-dep"), allow(clippy::unused_async))]
    pub async fn check_connections(&self) -> Sweep {
        #[cfg(feature = "sqlx-dep")]
        return self.look_at_connections(super::sweep::Reach::ALL).await;
        #[cfg(not(feature = "sqlx-dep"))]
        Sweep::default()
    }

    /// The same as far as `reach` goes.
    #[cfg(feature = "sqlx-dep")]
    pub(super) async fn look_at_connections(&self, reach: super::sweep::Reach) -> Sweep {
        use sea_orm::DatabaseConnectionType as Type;
        let (connection, health) = (&self.pool.connection, &*self.pool.health);
        match &connection.inner {
            #[cfg(feature = "sqlx-postgres")]
            Type::SqlxPostgresPoolConnection(_) => {
                super::sweep::sweep(connection.get_postgres_connection_pool(), health, reach).await
            }
            #[cfg(feature = "sqlx-mysql")]
            Type::SqlxMySqlPoolConnection(_) => {
                super::sweep::sweep(connection.get_mysql_connection_pool(), health, reach).await
            }
            #[cfg(feature = "sqlx-sqlite")]
            Type::SqlxSqlitePoolConnection(_) => {
                super::sweep::sweep(connection.get_sqlite_connection_pool(), health, reach).await
            }
            _ => Sweep::default(),
        }
    }
}
