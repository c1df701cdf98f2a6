//! A server that goes away and comes back, behind a circuit breaker.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};

use futures_util::StreamExt;
use resilient_sea_orm::{
    Builder, Propagation,
    core::Reason,
    health::{
        HealthEvent,
        breaker::{
            BreakerConfig,
            BreakerState::{self, Closed, HalfOpen, Open},
        },
    },
    policy::{RetryPolicy, StopReason},
    prelude::*,
    time::FakeClock,
};
use sea_orm::{ConnectionTrait, Statement, StreamTrait};
use support::{Engine, Server, TestDb, TestResult, engine_tests, wait_until};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    bank::{Bank, add},
    rig::PATIENCE,
};

/// Stands where the server stood, counts who knocks, and lets nobody in.
struct Door {
    knocks: Arc<AtomicU32>,
    task: JoinHandle<()>,
}

impl Door {
    async fn at(port: u16) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let knocks = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&knocks);
        let task = tokio::spawn(async move {
            // Counted before it is closed.
            while let Ok(_knock) = listener.accept().await {
                count.fetch_add(1, SeqCst);
            }
        });
        Ok(Self { knocks, task })
    }

    fn knocks(&self) -> u32 {
        self.knocks.load(SeqCst)
    }

    async fn remove(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

fn state(bank: &Bank) -> BreakerState {
    bank.db.circuit_breaker().expect("there is one").state
}

async fn transfer(bank: &Bank) -> Result<()> {
    let options = TransactOptions::new().name("behind a breaker");
    bank.db.transact(options, || add(&bank.db, 1, -1)).await
}

/// Every way to the database is refused, and says why.
async fn all_ways_are_closed(bank: &Bank) {
    let error = transfer(bank).await.unwrap_err();
    assert_eq!(
        error.stop_reason(),
        Some(StopReason::CircuitOpen),
        "{error}"
    );
    assert_eq!(error.attempts(), 1, "{error}");
    let db = &bank.db;
    let detached = TransactOptions::new().propagation(Propagation::NotSupported);
    let alone: Result<()> = db.transact(detached, || add(db, 1, -1)).await;
    let alone = alone.unwrap_err();
    assert_eq!(
        alone.stop_reason(),
        Some(StopReason::CircuitOpen),
        "{alone}"
    );
    let on_pool = Error::from(db.execute_unprepared("SELECT 1").await.unwrap_err());
    let select = Statement::from_string(db.get_database_backend(), "SELECT 1");
    let stream = match db.stream_raw(select).await {
        Err(error) => Error::from(error),
        Ok(mut rows) => Error::from(rows.next().await.expect("an answer").unwrap_err()),
    };
    for error in [error, alone, on_pool, stream] {
        assert_eq!(error.kind(), FaultKind::ServerUnavailable, "{error}");
        assert_eq!(*error.reason(), Reason::CircuitOpen, "{error}");
        assert!(
            error.to_string().contains("circuit breaker has been open"),
            "{error}"
        );
        assert!(error.to_string().contains("it probes in"), "{error}");
        assert_eq!(error.outcome(), Outcome::NotSent, "{error}");
        assert!(error.is_transient());
    }
}

async fn a_server_that_is_down_is_left_alone_and_found_again(engine: Engine) -> TestResult {
    let server = Arc::new(Server::start_private(engine, &[])?);
    let clock = FakeClock::new();
    let minute = Duration::from_mins(1);
    let config = BreakerConfig::new()
        .consecutive_failures(3)
        .open_for(minute, minute * 2);
    let builder = Builder::default()
        .clock(clock.clone())
        .policy(RetryPolicy::new().retries(1))
        .circuit_breaker(config);
    let bank = Bank::built(builder, TestDb::on(&server).await?, 2, 4).await;
    transfer(&bank).await?;
    assert_eq!(state(&bank), BreakerState::Closed);
    let mut hears = bank.db.health_events();

    server.kill()?;
    let door = Door::at(server.port()).await?;
    let opens = async || {
        transfer(&bank).await.unwrap_err();
        Ok(state(&bank) == BreakerState::Open)
    };
    wait_until("an open breaker", PATIENCE, opens).await?;

    let (knocks, budget) = (door.knocks(), bank.db.retry_budget());
    assert!(knocks > 0);
    for _ in 0..20 {
        all_ways_are_closed(&bank).await;
    }
    assert_eq!(door.knocks(), knocks, "nobody asks a server that is down");
    assert!(bank.db.retry_budget() >= budget);

    // One call finds out that it is still down, and doubles the wait.
    clock.advance(minute);
    let probe = transfer(&bank).await.unwrap_err();
    assert!(door.knocks() > knocks, "{probe}");
    let knocks = door.knocks();
    clock.advance(minute);
    all_ways_are_closed(&bank).await;
    assert_eq!(door.knocks(), knocks);

    door.remove().await;
    let again = Arc::clone(&server);
    tokio::task::spawn_blocking(move || again.restart()).await??;
    all_ways_are_closed(&bank).await;
    clock.advance(minute);
    transfer(&bank).await?;
    assert_eq!(state(&bank), BreakerState::Closed);
    transfer(&bank).await?;
    assert_eq!(bank.balance(1).await, 97);

    let states: Vec<_> = std::iter::from_fn(|| hears.try_recv().ok())
        .filter_map(|event| match event {
            HealthEvent::Breaker { state, .. } => Some(state),
            _ => None,
        })
        .collect();
    assert_eq!(states, [Open, HalfOpen, Open, HalfOpen, Closed]);
    let metrics = bank.metrics();
    assert_eq!((metrics.breaker_opened, metrics.breaker_state), (2, Closed));
    assert!(metrics.breaker_rejected >= 80, "{metrics:?}");
    Ok(())
}

async fn statements_on_the_pool_open_it_too(engine: Engine) -> TestResult {
    let server = Server::start_private(engine, &[])?;
    let config = BreakerConfig::new().consecutive_failures(2);
    let builder = Builder::default().circuit_breaker(config);
    let bank = Bank::built(builder, TestDb::on(&server).await?, 1, 2).await;
    server.kill()?;
    let door = Door::at(server.port()).await?;
    let opens = async || {
        bank.db.execute_unprepared("SELECT 1").await.unwrap_err();
        Ok(state(&bank) == BreakerState::Open)
    };
    wait_until("an open breaker", PATIENCE, opens).await?;
    let report = bank.db.circuit_breaker().expect("there is one");
    assert!(
        report.probes_in_ms <= Some(5000) && report.last_fault.is_some(),
        "{report:?}"
    );
    door.remove().await;
    server.restart()?;
    Ok(())
}

async fn what_is_no_fault_of_the_connection_leaves_it_closed(engine: Engine) -> TestResult {
    let config = BreakerConfig::new().consecutive_failures(2);
    let builder = Builder::default().circuit_breaker(config);
    let bank = Bank::built(builder, TestDb::new(engine).await?, 1, 2).await;
    for _ in 0..5 {
        bank.db
            .execute_unprepared("SELECT nothing FROM nowhere")
            .await
            .unwrap_err();
        let once = TransactOptions::new().retries(0);
        let broken: Result<()> = bank.db.transact(once, || add(&bank.db, 1, -1000)).await;
        broken.unwrap_err();
    }
    assert_eq!(state(&bank), BreakerState::Closed);
    Ok(())
}

engine_tests! { what_is_no_fault_of_the_connection_leaves_it_closed }
engine_tests! { on_postgres on_mariadb:
    a_server_that_is_down_is_left_alone_and_found_again,
    statements_on_the_pool_open_it_too,
}
