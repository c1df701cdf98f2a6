//! The database, ready for work.

use std::time::Duration;

use resilient_sea_orm::{Config, Error, ResilientConnection, Result};
use sea_orm::{ConnectionTrait, DbBackend};
use sea_orm_migration::MigratorTrait;

use crate::{Settings, migration::Migrator};

/// Connects, brings the schema up to date and compares it with what the entities declare. From
/// then on the database is watched, unless `DB_ENABLE_BACKGROUND_MONITORING` is off.
///
/// # Errors
/// When the database does not answer, or a migration fails.
pub async fn open(settings: &Settings) -> Result<ResilientConnection> {
    let db = ResilientConnection::builder(&settings.database_url)
        .name("bank")
        .config(&settings.database)
        // Alerts are logged and on the dashboard too; this is where somebody would be called.
        .on_alert(|change, alert| tracing::warn!(?change, kind = %alert.kind, "alert"))
        .connect()
        .await?;
    if db.get_database_backend() == DbBackend::Sqlite {
        // Readers beside one writer. The file remembers it.
        db.execute_unprepared("PRAGMA journal_mode = WAL").await?;
    }
    Migrator::up(&db, None).await.map_err(Error::from)?;
    db.verify_constraints().await?.log();
    Ok(db)
}

/// What the environment is laid over: a file is near, a server is on the network, and somebody
/// looks at the dashboard.
pub fn defaults(database_url: &str) -> Config {
    let config = if database_url.starts_with("sqlite:") {
        Config::local()
    } else {
        Config::remote()
    };
    let health = config.health.clone();
    config.with_health(health.with_interval(Duration::from_secs(10)))
}
