//! A connection, and several by name, for those who show how databases do.

use std::{sync::Arc, time::Duration};

use resilient_core::{
    admission::AdmissionSnapshot,
    health::{
        ConnectionReport, HealthEvent, PoolReport, Source, Sources,
        alerts::{AlertKind, AlertReport},
        breaker::BreakerReport,
        constraints::ConstraintsHealth,
        deadlocks::DeadlockReport,
        monitor::MonitorReport,
        performance::{PerformanceReport, Stats},
        report::{Diagnostics, HealthReport, HealthSummary, SessionsHealth, TablesHealth},
        source::Answer,
    },
};
use tokio::{sync::broadcast, time::Instant};

use super::{alone::alone, options::DiagnosticsOptions};
use crate::{DatabaseManager, ResilientConnection};

/// How long reading the schema may take.
const SCHEMA_LIMIT: Duration = Duration::from_secs(10);

impl Source for ResilientConnection {
    fn name(&self) -> &str {
        self.name()
    }

    fn id(&self) -> u64 {
        self.pool.context.id()
    }

    fn health(&self, max_age: Duration) -> Answer<'_, HealthReport> {
        Box::pin(self.latest_health_report(max_age))
    }

    fn readiness(&self) -> Answer<'_, HealthSummary> {
        Box::pin(self.health_summary())
    }

    fn diagnostics(&self, limit: Duration) -> Answer<'_, Diagnostics> {
        Box::pin(self.diagnostics_with(DiagnosticsOptions::new().limit(limit)))
    }

    fn tables(&self, max_age: Duration) -> Answer<'_, TablesHealth> {
        Box::pin(async move {
            let report = self.latest_health_report(max_age).await;
            report.tables.unwrap_or_default()
        })
    }

    fn constraints(&self, max_age: Duration) -> Answer<'_, ConstraintsHealth> {
        let health = &self.pool.health;
        let make = || async { ConstraintsHealth::of(self.name(), self.compared().await) };
        let asked = health
            .constraints
            .get(health.connections.clock(), max_age, make);
        Box::pin(async { asked.await.0.counted() })
    }

    fn pool(&self) -> PoolReport {
        self.pool_status()
    }

    fn connections(&self) -> Vec<ConnectionReport> {
        self.connections()
    }

    fn sessions(&self) -> SessionsHealth {
        self.sessions_health()
    }

    fn deadlocks(&self) -> DeadlockReport {
        self.deadlocks()
    }

    fn alerts(&self) -> AlertReport {
        self.alerts()
    }

    fn admission(&self) -> Vec<AdmissionSnapshot> {
        self.admission()
    }

    fn breaker(&self) -> Option<BreakerReport> {
        self.circuit_breaker()
    }

    fn performance(&self) -> PerformanceReport {
        self.performance()
    }

    fn recent(&self, minutes: u64) -> Stats {
        let vitals = self.pool.context.vitals();
        vitals
            .performance()
            .recent(minutes.clamp(1, 60), vitals.now())
    }

    fn monitoring(&self) -> Option<MonitorReport> {
        self.monitoring()
    }

    fn events(&self) -> broadcast::Receiver<HealthEvent> {
        self.health_events()
    }
}

impl ResilientConnection {
    /// The open transactions with what they are judged by. Sends nothing.
    pub(super) fn sessions_health(&self) -> SessionsHealth {
        let context = &self.pool.context;
        let long_after = self.alert_board().rule(AlertKind::LongTransaction);
        SessionsHealth::of(
            self.sessions(),
            long_after.threshold,
            context.config().session.timeout.as_secs_f64(),
            context.sessions().overdue(),
        )
    }

    /// The declared constraints beside the live ones, in no transaction of the caller's.
    async fn compared(&self) -> Result<crate::ConstraintReport, String> {
        let db = self.clone();
        #[cfg(feature = "sqlx-dep")]
        let work = async move { db.verify_constraints().await.map_err(|e| e.to_string()) };
        #[cfg(not(feature = "sqlx-dep"))]
        let work = async move {
            drop(db);
            Err("no engine is compiled".to_owned())
        };
        let done = alone(Instant::now() + SCHEMA_LIMIT, work).await;
        done.unwrap_or_else(|cut| Err(cut.text(SCHEMA_LIMIT)))
    }
}

/// The databases that are registered at the moment of asking.
impl Sources for DatabaseManager {
    fn names(&self) -> Vec<String> {
        self.names()
    }

    fn source(&self, name: &str) -> Option<Arc<dyn Source>> {
        let db = self.database(name).ok()?;
        Some(Arc::new(db))
    }
}
