//! Databases by name, and managed sessions on them.

mod background;
mod dropped;
mod expiry;
mod names;
mod outages;
mod recovery;
mod work;

use resilient_sea_orm::{
    Config, DatabaseManager, ResilientConnection,
    config::HealthConfig,
    health::recovery::{RecoveryReport, RecoveryStep},
};

use crate::bank::Bank;

/// Nothing happens that the test does not do.
pub fn quiet() -> Config {
    Config::default().with_health(HealthConfig::default().with_background_monitoring(false))
}

/// A manager of this database alone, called "main".
pub fn manager(db: &ResilientConnection) -> DatabaseManager {
    let builder = DatabaseManager::builder().database("main", db.clone());
    builder.build().expect("one name")
}

/// The recoveries of the bank's database.
pub async fn recoveries(manager: &DatabaseManager) -> RecoveryReport {
    manager.check_all().await.databases[0].recovery.clone()
}

/// How often a step was tried, and worked.
pub fn step(report: &RecoveryReport, step: RecoveryStep) -> (u64, u64) {
    let counted = report.steps.iter().find(|s| s.step == step).expect("step");
    (counted.tried, counted.succeeded)
}

/// Ends every session of the bank's server, and waits until they are gone.
pub async fn cut(bank: &Bank) {
    bank.test.terminate_sessions().await.expect("killed");
}
