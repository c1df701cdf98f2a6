//! What asks a connection whether it lives: only one that was idle for a while is asked when it is
//! taken, and nobody waits for the answer when it is given back.

use std::time::Duration;

use resilient_sea_orm::{HealthSettings, ResilientConnection, Result, prelude::*};
use sea_orm::ConnectOptions;
use support::{Engine, Flight, TestResult, engine_tests};

use super::{Wire, is_ping, read, write};

struct Repo {
    db: ResilientConnection,
}

#[resilient]
impl Repo {
    pub async fn writes(&self) -> Result<()> {
        Ok(write(&self.db).await?)
    }
}

fn asked_when_taken(flights: &[Flight]) -> bool {
    flights.first().is_some_and(is_ping)
}

/// Connections that were not used for `after` are asked.
fn asks_after(after: Duration) -> resilient_sea_orm::Builder {
    let settings = HealthSettings {
        test_idle_after: after,
        ..HealthSettings::default()
    };
    ResilientConnection::builder("").health(settings)
}

async fn a_connection_in_use_is_not_asked_when_it_is_taken(engine: Engine) -> TestResult {
    let wire = Wire::built(engine, asks_after(Duration::from_mins(1))).await?;
    let repo = Repo {
        db: wire.db.clone(),
    };
    let call = wire.cost(async || repo.writes().await).await?;
    assert!(!asked_when_taken(&call.flights), "{call:?}");
    // sqlx asks each that is given back, after the call has its result.
    assert_eq!((call.trips, call.pings), (3, 1), "{call:?}");
    let pool = wire.cost(async || read(&wire.db).await).await?;
    assert!(!asked_when_taken(&pool.flights), "{pool:?}");
    assert_eq!((pool.trips, pool.pings), (1, 1), "{pool:?}");
    // SeaORM by itself asks at both ends.
    let plain = wire.cost(async || read(&wire.plain).await).await?;
    assert!(asked_when_taken(&plain.flights), "{plain:?}");
    assert_eq!((plain.trips, plain.pings), (1, 2), "{plain:?}");
    Ok(())
}

async fn one_that_was_idle_is_asked(engine: Engine) -> TestResult {
    let wire = Wire::built(engine, asks_after(Duration::ZERO)).await?;
    let repo = Repo {
        db: wire.db.clone(),
    };
    let call = wire.cost(async || repo.writes().await).await?;
    assert!(asked_when_taken(&call.flights), "{call:?}");
    assert_eq!((call.trips, call.pings), (3, 2), "{call:?}");
    // One that is gone is found out by that.
    wire.test.terminate_sessions().await?;
    repo.writes().await?;
    Ok(())
}

/// What the options say has the last word.
async fn the_options_own_test_stays(engine: Engine) -> TestResult {
    let mut wire = Wire::open(engine).await?;
    let mut options = ConnectOptions::new(wire.proxy.url());
    options
        .max_connections(1)
        .test_before_acquire_if_idle_for(Duration::ZERO);
    wire.db = asks_after(Duration::from_mins(1))
        .to(options)
        .connect()
        .await?;
    let call = wire.cost(async || read(&wire.db).await).await?;
    assert!(asked_when_taken(&call.flights), "{call:?}");
    let mut options = ConnectOptions::new(wire.proxy.url());
    options.max_connections(1).test_before_acquire(false);
    wire.db = asks_after(Duration::ZERO).to(options).connect().await?;
    let call = wire.cost(async || read(&wire.db).await).await?;
    assert!(!asked_when_taken(&call.flights), "{call:?}");
    Ok(())
}

engine_tests! { on_postgres on_mariadb:
    a_connection_in_use_is_not_asked_when_it_is_taken,
    one_that_was_idle_is_asked,
    the_options_own_test_stays,
}
