//! What is watched: performance, alerts, the circuit breaker and the monitor, on real engines.

mod alerts;
mod breaker;
mod cost;
mod ends;
mod fed;
mod monitor;
mod outage;
mod performance;
mod replaced;
mod scheduled;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use resilient_sea_orm::{
    Builder, Config, HealthSettings, ResilientConnection,
    config::{HealthConfig, SoftDeleteConfig},
    health::{
        HealthEvent, MonitorOptions,
        alerts::{Alert, AlertKind, Change},
    },
};
use sea_orm::ConnectOptions;
use support::{TestDb, TestResult, unique_name, wait_until};
use tokio::sync::broadcast::Receiver;

use crate::rig::PATIENCE;

/// Looks often, and at once.
pub fn often() -> MonitorOptions {
    MonitorOptions::new()
        .interval(Duration::from_millis(50))
        .jitter(Duration::ZERO)
}

/// A builder whose monitor, were it started, counts no tables: other tests declare some.
pub fn bare() -> Builder {
    let soft_delete = SoftDeleteConfig::default().with_enable_monitoring(false);
    let health = HealthConfig::default()
        .with_background_monitoring(false)
        .with_min_healthy_connections(0);
    let config = Config::default().with_soft_delete(soft_delete);
    Builder::default().config(&config.with_health(health))
}

/// Changes of alerts, as they were told.
#[derive(Clone, Default)]
pub struct Told(Arc<Mutex<Vec<(Change, Alert)>>>);

impl Told {
    /// Has the builder's connection tell.
    pub fn by(&self, builder: Builder) -> Builder {
        let told = Arc::clone(&self.0);
        builder.on_alert(move |change, alert| told.lock().unwrap().push((change, alert.clone())))
    }

    pub fn of(&self, kind: AlertKind) -> Vec<(Change, Alert)> {
        let told = self.0.lock().unwrap();
        told.iter()
            .filter(|(_, a)| a.kind == kind)
            .cloned()
            .collect()
    }

    /// What became of the alerts of a kind, in order.
    pub fn changes(&self, kind: AlertKind) -> Vec<Change> {
        self.of(kind)
            .into_iter()
            .map(|(change, _)| change)
            .collect()
    }
}

/// A connection of so many slots, with a builder's choices.
pub async fn open(
    builder: Builder,
    test: &TestDb,
    pool: u32,
    acquire: Duration,
    settings: HealthSettings,
) -> ResilientConnection {
    let mut options = ConnectOptions::new(test.url());
    options
        .max_connections(pool)
        .acquire_timeout(acquire)
        .connect_lazy(true)
        .sqlx_logging(false);
    let builder = builder.name(unique_name()).health(settings);
    builder.to(options).connect().await.expect("connects")
}

/// Everything that was heard so far.
pub fn heard(hears: &mut Receiver<HealthEvent>) -> Vec<HealthEvent> {
    std::iter::from_fn(|| hears.try_recv().ok()).collect()
}

/// Waits for so many looks more.
pub async fn looks(db: &ResilientConnection, more: u64) -> TestResult {
    let ticks = || db.monitoring().map_or(0, |report| report.ticks);
    let wanted = ticks() + more;
    let enough = async || Ok(ticks() >= wanted);
    wait_until("looks of the monitor", PATIENCE, enough).await?;
    Ok(())
}
