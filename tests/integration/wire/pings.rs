//! What asks a connection whether it lives: only one that was idle for a while is asked when it is
//! taken, and nobody waits for the answer when it is given back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::StreamExt;
use resilient_sea_orm::{Error, HealthSettings, ResilientConnection, Result, prelude::*};
use sea_orm::{ConnectOptions, Statement, StreamTrait, TransactionTrait};
use support::{Engine, Flight, TestResult, engine_tests, wait_until};
use tokio::task::JoinSet;

use super::{Wire, read, write};
use crate::{bank::without_hanging, rig::PATIENCE};

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
    flights.first().is_some_and(Flight::is_ping)
}

/// Connections that were not used for `after` are asked.
pub fn asks_after(after: Duration) -> resilient_sea_orm::Builder {
    let settings = HealthSettings {
        test_idle_after: after,
        ..HealthSettings::default()
    };
    ResilientConnection::builder("").health(settings)
}

/// Whether the pool's hooks are the framework's.
fn with_hooks(ours: bool) -> resilient_sea_orm::Builder {
    ResilientConnection::builder("").lifecycle_hooks(ours)
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

/// Nobody waits for what sqlx asks at the end.
async fn who_waits_for_a_connection_gets_it_as_it_is(engine: Engine) -> TestResult {
    let (wire, flights) = three_in_line(engine, true).await?;
    let pings: Vec<_> = flights.iter().map(Flight::is_ping).collect();
    let none_but_the_last = pings.iter().rposition(|ping| !ping) < pings.iter().position(|p| *p);
    assert!(none_but_the_last, "{flights:?}");
    assert_eq!(pings.len(), 1 + 3 * 3 + 1, "{flights:?}");
    let status = wire.db.pool_status();
    assert_eq!((status.waiting, status.in_use), (0, 0), "{status:?}");
    let uses: u64 = wire.db.connections().iter().map(|c| c.uses).sum();
    assert!(uses >= 3 + 1 + 3, "each is a use");
    Ok(())
}

/// The pool may have hooks of the user's, which are not passed by: each connection goes through it,
/// and is asked there.
async fn hooks_of_users_are_not_passed_by(engine: Engine) -> TestResult {
    let (_, flights) = three_in_line(engine, false).await?;
    let pings = flights.iter().filter(|flight| flight.is_ping()).count();
    assert_eq!(pings, 4, "{flights:?}");
    Ok(())
}

/// What is left of a query that nobody read to its end, its error too, is not the next caller's.
async fn unread_rows_are_not_handed_on(engine: Engine) -> TestResult {
    let wire = Wire::built(engine, with_hooks(true)).await?;
    let sql = "SELECT 1 / (3 - n) AS q FROM generate_series(1, 5) n";
    let statement = Statement::from_string(wire.db.get_database_backend(), sql);
    let mut rows = wire.db.stream_raw(statement).await?;
    rows.next().await.ok_or("a first row")??;
    let repo = Repo {
        db: wire.db.clone(),
    };
    let waiting = tokio::spawn(async move { repo.writes().await });
    let in_line = async || Ok(wire.db.pool_status().waiting == 1);
    wait_until("one to wait", PATIENCE, in_line).await?;
    drop(rows);
    without_hanging(waiting).await??;
    Ok(())
}

/// What passes from the COMMIT of who has the only connection to the end of those who wait for it.
async fn three_in_line(engine: Engine, hooks: bool) -> TestResult<(Wire, Vec<Flight>)> {
    let wire = Wire::built(engine, with_hooks(hooks)).await?;
    let repo = Repo {
        db: wire.db.clone(),
    };
    wire.cost(async || repo.writes().await).await?;
    let held = wire.db.begin().await?;
    write(&held).await?;
    let mut waiting = JoinSet::new();
    for n in 1..=3 {
        let repo = Repo {
            db: wire.db.clone(),
        };
        waiting.spawn(async move { repo.writes().await });
        let in_line = async || Ok(wire.db.pool_status().waiting == n);
        wait_until("one more to wait", PATIENCE, in_line).await?;
    }
    // One more gives up.
    let gives_up = tokio::time::timeout(Duration::from_millis(50), repo.writes()).await;
    assert!(gives_up.is_err());
    wire.proxy.record();
    held.commit().await?;
    while let Some(call) = waiting.join_next().await {
        call??;
    }
    wire.quiet().await?;
    let flights = wire.proxy.flights();
    Ok((wire, flights))
}

/// Those who wait in the pool's own line have their turn too.
async fn callers_past_the_framework_are_not_starved(engine: Engine) -> TestResult {
    let wire = Wire::built(engine, with_hooks(true)).await?;
    let stop = Arc::new(AtomicBool::new(false));
    let mut busy = JoinSet::new();
    for _ in 0..4 {
        let repo = Repo {
            db: wire.db.clone(),
        };
        let stop = Arc::clone(&stop);
        busy.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                repo.writes().await?;
            }
            Ok::<_, Error>(())
        });
    }
    for _ in 0..20 {
        without_hanging(read(wire.db.as_sea_orm())).await?;
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(caller) = busy.join_next().await {
        caller??;
    }
    Ok(())
}

/// A pool that is closed gets its connections back, and who waits hears of it.
async fn a_closed_pool_hands_nothing_over(engine: Engine) -> TestResult {
    let wire = Wire::built(engine, with_hooks(true)).await?;
    let held = wire.db.begin().await?;
    write(&held).await?;
    let db = wire.db.clone();
    let waiting = tokio::spawn(async move { read(&db).await });
    let in_line = async || Ok(wire.db.pool_status().waiting == 1);
    wait_until("one to wait", PATIENCE, in_line).await?;
    let closing = without_hanging(wire.db.clone().close());
    let (closed, committed) = tokio::join!(closing, async {
        tokio::task::yield_now().await;
        held.commit().await
    });
    closed?;
    committed?;
    assert!(waiting.await?.is_err());
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

engine_tests! { on_postgres: unread_rows_are_not_handed_on }

engine_tests! { on_postgres on_mariadb:
    a_connection_in_use_is_not_asked_when_it_is_taken,
    one_that_was_idle_is_asked,
    hooks_of_users_are_not_passed_by,
    who_waits_for_a_connection_gets_it_as_it_is,
    callers_past_the_framework_are_not_starved,
    a_closed_pool_hands_nothing_over,
    the_options_own_test_stays,
}
