//! Checks, connections and pools, seen from outside.

mod checks;
mod distrust;
mod down;
mod integrity;
mod leaks;
mod lifecycle;
mod load;
mod open;
mod pool;
mod write;

use std::{sync::Arc, time::Duration};

use resilient_sea_orm::{
    Builder, CheckOptions, HealthSettings, ResilientConnection, ResilientTransaction,
    TransactOptions,
};
use sea_orm::{AccessMode, ConnectOptions, ConnectionTrait, TransactionTrait};
use support::TestDb;
use tokio::sync::Notify;

use crate::{
    bank::unique_name,
    rig::{HURRY, PATIENCE, connected},
};

/// A check that is only told off by what is wrong, not by a machine under load.
pub fn patient() -> CheckOptions {
    CheckOptions {
        force: true,
        timeout: Some(PATIENCE),
        slow_above: Some(PATIENCE),
        ..CheckOptions::default()
    }
}

pub fn settings() -> HealthSettings {
    HealthSettings {
        timeout: PATIENCE,
        slow_above: PATIENCE,
        ..HealthSettings::default()
    }
}

/// A connection of so many slots.
pub async fn open(
    test: &TestDb,
    pool: u32,
    acquire: Duration,
    settings: HealthSettings,
) -> ResilientConnection {
    let mut options = ConnectOptions::new(test.url());
    options
        .max_connections(pool)
        .acquire_timeout(acquire)
        .connect_lazy(acquire < HURRY)
        .sqlx_logging(false);
    let builder = Builder::default().name(unique_name()).health(settings);
    let db = connected(&builder.to(options)).await;
    // The connection that SeaORM asked for the version may still be on its way back.
    let settled = async || Ok(db.pool_status().in_use == 0);
    support::wait_until("an idle pool", PATIENCE, settled)
        .await
        .expect("an idle pool");
    db
}

/// Takes so many connections, which are open then.
pub async fn hold(db: &ResilientConnection, slots: u32) -> Vec<ResilientTransaction> {
    let mut held = Vec::new();
    for _ in 0..slots {
        let read_only = Some(AccessMode::ReadOnly);
        let slot = db.begin_with_config(None, read_only).await.expect("begins");
        slot.execute_unprepared("SELECT 1").await.expect("a slot");
        held.push(slot);
    }
    held
}

pub async fn release(held: Vec<ResilientTransaction>) {
    for slot in held {
        slot.rollback().await.expect("rolls back");
    }
}

/// A method that keeps its connection until it is told to end.
pub fn keeps(
    db: &ResilientConnection,
    until: &Arc<Notify>,
) -> tokio::task::JoinHandle<resilient_sea_orm::Result<()>> {
    let (db, until) = (db.clone(), Arc::clone(until));
    tokio::spawn(async move {
        let options = TransactOptions::new().name("Reports::export").read_only();
        db.transact(options, || async {
            db.execute_unprepared("SELECT 1").await?;
            until.notified().await;
            Ok(())
        })
        .await
    })
}

/// Opens so many connections and leaves them idle, but for those that are too old by then.
pub async fn fill(db: &ResilientConnection, slots: u32) {
    release(hold(db, slots).await).await;
    let idle = async || Ok(db.pool_status().in_use == 0);
    support::wait_until("idle connections", PATIENCE, idle)
        .await
        .expect("idle connections");
}
