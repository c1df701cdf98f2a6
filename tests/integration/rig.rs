//! What tests of failures share: a bank with its own limits, and the checks that hold whatever
//! happened to it.

use std::{
    future::Future,
    pin::pin,
    sync::Mutex,
    task::Poll,
    time::{Duration, Instant},
};

use resilient_sea_orm::{
    Builder, FaultKind, ResilientConnection, ResilientTransaction, classify,
    policy::{BudgetConfig, RetryPolicy},
};
use sea_orm::{AccessMode, ConnectOptions, ConnectionTrait, DbErr, TransactionTrait};
use support::{Engine, Server, TestDb, wait_until};

use crate::bank::{Bank, unique_name};

/// How long a condition may take to become true; generous, for machines under load.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Who has less time than this to get a connection does not open the first one at once, as that
/// would have to be as quick.
pub const HURRY: Duration = Duration::from_secs(2);

/// What a builder connects to. SeaORM asks SQLite for its version at once, in whatever little
/// time a test gives.
pub async fn connected(builder: &Builder) -> ResilientConnection {
    for _ in 0..100 {
        match builder.clone().connect().await {
            Err(error) if error.kind() == FaultKind::PoolTimeout => {}
            connected => return connected.expect("connects"),
        }
    }
    panic!("no connection in a hundred tries");
}

/// How the bank's connection behaves.
#[derive(Clone, Debug)]
pub struct Rig {
    pub pool: u32,
    pub acquire: Duration,
    pub limit: Duration,
    pub policy: RetryPolicy,
    /// Another way to the same database, such as a proxy's.
    pub url: Option<String>,
}

impl Rig {
    pub fn new(pool: u32) -> Self {
        Self {
            pool,
            acquire: PATIENCE,
            limit: Duration::from_secs(30),
            policy: RetryPolicy::new(),
            url: None,
        }
    }

    /// The connection alone.
    pub async fn connect(&self, url: &str) -> ResilientConnection {
        let mut options = ConnectOptions::new(self.url.as_deref().unwrap_or(url));
        options
            .max_connections(self.pool)
            .acquire_timeout(self.acquire)
            .connect_lazy(self.acquire < HURRY)
            .sqlx_logging(false);
        let builder = Builder::default()
            .name(unique_name())
            .policy(self.policy)
            // A test repeats one failure very often; the budget has tests of its own.
            .retry_budget(BudgetConfig::new(1.0, 1_000_000))
            .statement_limit(self.limit)
            .control_limit(self.limit)
            .to(options);
        connected(&builder).await
    }

    /// A bank on the shared server.
    pub async fn bank(&self, engine: Engine, accounts: i32) -> Bank {
        let test = TestDb::new(engine).await.expect("a database");
        self.on(test, accounts).await
    }

    /// A bank on a server of its own.
    pub async fn private(&self, server: &Server, accounts: i32) -> Bank {
        let test = TestDb::on(server).await.expect("a database");
        self.on(test, accounts).await
    }

    /// A bank in an empty database.
    pub async fn on(&self, test: TestDb, accounts: i32) -> Bank {
        let admin = test.admin();
        for sql in [
            "CREATE TABLE account (id INTEGER PRIMARY KEY, balance BIGINT NOT NULL CHECK (balance >= 0))",
            "CREATE TABLE entry (id INTEGER PRIMARY KEY, note VARCHAR(200) NOT NULL UNIQUE)",
        ] {
            admin.execute_unprepared(sql).await.expect(sql);
        }
        for id in 1..=accounts {
            let sql = format!("INSERT INTO account VALUES ({id}, 100000)");
            admin.execute_unprepared(&sql).await.expect("account");
        }
        let db = self.connect(test.url()).await;
        Bank { test, db }
    }
}

/// Nothing of a transaction is left: none is open, no session too many, and every slot of the
/// pool can be had at once.
pub async fn nothing_leaks(bank: &Bank, pool: u32) {
    nothing_open(bank).await;
    if bank.test.engine() != Engine::Sqlite {
        let fits = async || Ok(bank.test.sessions().await? <= pool as usize);
        wait_until("no session beyond the pool", PATIENCE, fits)
            .await
            .expect("sessions");
    }
    for slot in hold(&bank.db, pool as usize).await {
        slot.rollback().await.expect("clean");
    }
}

pub fn is_pool_timeout(error: &DbErr) -> bool {
    classify(error).is_some_and(|fault| fault.kind() == FaultKind::PoolTimeout)
}

/// Takes so many connections at once. One may need more than one try, as those that were used
/// last are given back beside this, and some pools have little time.
pub async fn hold(db: &ResilientConnection, slots: usize) -> Vec<ResilientTransaction> {
    let held = Mutex::new(Vec::new());
    let all = async || {
        let slot = db
            .begin_with_config(None, Some(AccessMode::ReadOnly))
            .await
            .expect("begins later");
        let works = match slot.execute_unprepared("SELECT 1").await {
            Err(error) if is_pool_timeout(&error) => false,
            works => works.map(|_| true).expect("a slot"),
        };
        let mut held = held.lock().expect("no panic");
        held.extend(works.then_some(slot));
        Ok(held.len() == slots)
    };
    wait_until("connections to hold", PATIENCE, all)
        .await
        .expect("connections to hold");
    held.into_inner().expect("no panic")
}

pub async fn nothing_open(bank: &Bank) {
    let none = async || Ok(bank.test.open_transactions().await? == 0);
    wait_until("no open transaction", PATIENCE, none)
        .await
        .expect("no open transaction");
}

/// Polls a future so many times, then drops it; `None` if it was dropped.
///
/// With `answered` it is dropped only once it would be polled again, so that what it waited for
/// has arrived and is not taken.
pub async fn polled<F: Future>(future: F, polls: u32, answered: bool) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    std::future::poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 && !answered => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Runs a future for so long, to the microsecond, then drops it; `None` if it was dropped.
pub async fn cut_after<F: Future>(future: F, time: Duration) -> Option<F::Output> {
    let end = Instant::now() + time;
    let mut future = pin!(future);
    std::future::poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        if Instant::now() >= end {
            return Poll::Ready(None);
        }
        // A timer is only good to a millisecond.
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}
