//! Turns by key: callers that name a common key do not meet in the database.

mod one_writer;
mod processes;

use std::{
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
    },
    time::Duration,
};

use resilient_sea_orm::{
    Propagation, ResilientConnection,
    policy::{BudgetConfig, RetryPolicy},
    prelude::*,
    turns::{TurnKeys, each},
};
use sea_orm::{ConnectionTrait, TransactionTrait};
use support::{Engine, TestDb, TestResult, engine_tests, wait_until};
use tokio::{sync::Notify, task::JoinSet};

use crate::bank::{Bank, add, without_hanging};

const TASKS: u64 = 16;
const HOT: i32 = 10;

#[derive(Clone)]
struct Accounts {
    db: ResilientConnection,
    attempts: Arc<AtomicI32>,
}

struct Order {
    from: i32,
    to: i32,
}

#[resilient(isolation = "serializable", retries = 50)]
impl Accounts {
    #[resilient(serialize_by = (order.from, order.to))]
    pub async fn transfer(&self, order: &Order) -> Result<()> {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        let sql = format!("SELECT balance FROM account WHERE id = {}", order.from);
        self.db.execute_unprepared(&sql).await?;
        add(&self.db, order.from, -1).await?;
        add(&self.db, order.to, 1).await
    }
}

fn keys(keys: &[i32]) -> TurnKeys {
    TurnKeys::new().and(&each(keys))
}

/// Sixteen tasks on ten accounts of a large table, in both directions: as good as no transaction
/// runs twice, and no money is lost.
async fn callers_of_hot_accounts_do_not_collide(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let builder = resilient_sea_orm::Builder::default()
        .retry_budget(BudgetConfig::new(1.0, 1_000_000))
        .policy(RetryPolicy::new().retries(50));
    let bank = Bank::built(builder, test, 0, 16).await;
    for first in (1..=5_000).step_by(500) {
        let rows: Vec<String> = (first..first + 500)
            .map(|id| format!("({id}, 100000)"))
            .collect();
        let sql = format!("INSERT INTO account VALUES {}", rows.join(","));
        bank.db.execute_unprepared(&sql).await?;
    }
    let total = bank.total().await;
    // So that rows are found by their key.
    let analyse = match engine {
        Engine::Postgres => "VACUUM ANALYZE account",
        Engine::Sqlite => "ANALYZE",
        Engine::MariaDb | Engine::MySql => "ANALYZE TABLE account",
    };
    bank.db.execute_unprepared(analyse).await?;
    let accounts = Accounts {
        db: bank.db.clone(),
        attempts: Arc::default(),
    };
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let accounts = accounts.clone();
        tasks.spawn(async move {
            let mut random = fastrand::Rng::with_seed(task);
            for _ in 0..25 {
                let from = random.i32(1..=HOT);
                let to = (from + random.i32(1..HOT) - 1) % HOT + 1;
                accounts.transfer(&Order { from, to }).await?;
            }
            Ok::<_, Error>(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    let attempts = accounts.attempts.load(Ordering::Relaxed);
    assert!(attempts <= 420, "{attempts} attempts for 400 commits");
    assert_eq!(bank.total().await, total);
    let metrics = bank.metrics();
    assert!(metrics.turns_waited > 0, "{metrics:?}");
    assert!(metrics.turn_wait_seconds > 0.0, "{metrics:?}");
    Ok(())
}

/// A call that has its turn by these keys until it is told to end.
async fn holds(db: &ResilientConnection, named: &[i32]) -> (Arc<Notify>, JoinSet<Result<()>>) {
    let (has_it, end) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let mut task = JoinSet::new();
    let (db, tell, until) = (db.clone(), Arc::clone(&has_it), Arc::clone(&end));
    let options = TransactOptions::new()
        .name("holder")
        .read_only()
        .serialize_by(keys(named));
    task.spawn(async move {
        db.transact(options, || async {
            db.execute_unprepared("SELECT 1").await?;
            tell.notify_one();
            until.notified().await;
            Ok(())
        })
        .await
    });
    has_it.notified().await;
    (end, task)
}

async fn read(db: &ResilientConnection, named: &[i32], options: TransactOptions) -> Result<()> {
    db.transact(options.read_only().serialize_by(keys(named)), || async {
        db.execute_unprepared("SELECT 1").await?;
        Ok(())
    })
    .await
}

async fn ended(end: &Notify, mut task: JoinSet<Result<()>>) -> TestResult {
    end.notify_one();
    while let Some(done) = task.join_next().await {
        done??;
    }
    Ok(())
}

async fn who_waits_holds_no_connection_and_a_deadline_ends_it(engine: Engine) -> TestResult {
    let bank = Bank::with_pool(engine, 1, 2).await;
    let db = &bank.db;
    let (end, holder) = holds(db, &[1]).await;
    let mut waiting = JoinSet::new();
    for _ in 0..20 {
        let db = db.clone();
        waiting.spawn(async move { read(&db, &[1, 2], TransactOptions::new()).await });
    }
    wait_until("they wait", crate::rig::PATIENCE, async || {
        Ok(bank.metrics().turns_waited == 20)
    })
    .await?;
    // Others have all but one of the connections.
    read(db, &[3], TransactOptions::new()).await?;
    read(db, &[], TransactOptions::new()).await?;
    let short = TransactOptions::new().deadline(Duration::from_millis(50));
    let error = read(db, &[1], short).await.unwrap_err();
    assert_eq!(
        error.outcome(),
        resilient_sea_orm::Outcome::NotSent,
        "{error}"
    );
    assert!(error.to_string().contains("deadline"), "{error}");
    assert_eq!(
        db.as_sea_orm().get_database_backend(),
        db.get_database_backend()
    );
    ended(&end, holder).await?;
    while let Some(done) = waiting.join_next().await {
        done??;
    }
    assert_eq!(bank.metrics().turns_waited, 21);
    Ok(())
}

async fn patience_is_that_of_the_pool_and_says_who_has_the_turn(engine: Engine) -> TestResult {
    let mut rig = crate::rig::Rig::new(4);
    rig.acquire = Duration::from_millis(300);
    let bank = rig.bank(engine, 1).await;
    let (end, holder) = holds(&bank.db, &[1]).await;
    let once = TransactOptions::new().retries(0);
    let error = read(&bank.db, &[1], once).await.unwrap_err();
    assert_eq!(error.kind(), FaultKind::LockTimeout, "{error}");
    let text = error.to_string();
    assert!(
        text.contains("serialize_by") && text.contains("holder has it"),
        "{text}"
    );
    ended(&end, holder).await
}

async fn a_dropped_call_passes_its_turn_on(engine: Engine) -> TestResult {
    let bank = Bank::open(engine, 2).await;
    for round in 0..10 {
        let mut tasks = Vec::new();
        for task in 0..TASKS {
            let db = bank.db.clone();
            let mut random = fastrand::Rng::with_seed(round * TASKS + task);
            tasks.push(tokio::spawn(async move {
                let patience = Duration::from_micros(random.u64(0..8_000));
                let options = TransactOptions::new().serialize_by(keys(&[1, 2]));
                let call = db.transact(options, || async {
                    add(&db, 1, -1).await?;
                    add(&db, 2, 1).await
                });
                match tokio::time::timeout(patience, call).await {
                    Ok(result) => result,
                    // It was dropped.
                    Err(_) => Ok(()),
                }
            }));
        }
        for task in tasks {
            task.await??;
        }
        without_hanging(read(&bank.db, &[1, 2], TransactOptions::new())).await?;
        assert_eq!(bank.total().await, 200);
    }
    Ok(())
}

async fn calls_inside_need_no_turn_of_their_own(engine: Engine) -> TestResult {
    let bank = Bank::open(engine, 3).await;
    let db = &bank.db;
    for mode in [
        Propagation::Nested,
        Propagation::Required,
        Propagation::Mandatory,
    ] {
        let outer = TransactOptions::new().serialize_by(keys(&[1, 2]));
        db.transact(outer, || async {
            add(db, 1, -1).await?;
            let inner = TransactOptions::new().propagation(mode);
            without_hanging(db.transact(inner.serialize_by(keys(&[2])), || add(db, 2, 1))).await?;
            let error = db
                .transact(inner.serialize_by(keys(&[3])), || add(db, 3, 1))
                .await
                .unwrap_err();
            assert!(error.to_string().contains("outermost method"), "{error}");
            Ok::<_, Error>(())
        })
        .await?;
    }
    // Before the first statement, it is in time.
    let (end, holder) = holds(db, &[7]).await;
    let late = db.transact(TransactOptions::new(), || async {
        read(db, &[7], TransactOptions::new()).await
    });
    let waits = tokio::time::timeout(Duration::from_millis(50), late);
    assert!(waits.await.is_err(), "it does not wait");
    ended(&end, holder).await?;
    assert_eq!(bank.total().await, 300);
    Ok(())
}

async fn requires_new_shares_the_turn_of_its_task(engine: Engine) -> TestResult {
    let bank = Bank::open(engine, 3).await;
    let db = &bank.db;
    let own = TransactOptions::new()
        .propagation(Propagation::RequiresNew)
        .read_only();
    let outer = TransactOptions::new().serialize_by(keys(&[1, 2]));
    let all = db.transact(outer, || async {
        add(db, 1, 1).await?;
        without_hanging(read(db, &[1], own)).await?;
        let (a, b) =
            without_hanging(async { tokio::join!(read(db, &[1, 2], own), read(db, &[2], own)) })
                .await;
        a.and(b)?;
        let error = read(db, &[3], own).await.unwrap_err();
        assert!(error.to_string().contains("wait for itself"), "{error}");
        assert_eq!(error.attempts(), 1);
        Ok::<_, Error>(())
    });
    Box::pin(all).await?;
    Ok(())
}

/// Of a handle the framework does not know which task has it.
async fn a_handle_is_waited_for_like_any_other(engine: Engine) -> TestResult {
    let bank = Bank::open(engine, 1).await;
    let handle = bank.db.begin().await?;
    add_in(&handle, 1).await?;
    handle.rollback().await?;
    read(&bank.db, &[1], TransactOptions::new()).await?;
    assert_eq!(bank.balance(1).await, 100);
    Ok(())
}

async fn add_in(db: &impl ConnectionTrait, id: i32) -> Result<()> {
    let sql = format!("UPDATE account SET balance = balance + 1 WHERE id = {id}");
    db.execute_unprepared(&sql).await?;
    Ok(())
}

engine_tests! {
    callers_of_hot_accounts_do_not_collide,
    who_waits_holds_no_connection_and_a_deadline_ends_it,
    patience_is_that_of_the_pool_and_says_who_has_the_turn,
    a_dropped_call_passes_its_turn_on,
    calls_inside_need_no_turn_of_their_own,
    requires_new_shares_the_turn_of_its_task,
    a_handle_is_waited_for_like_any_other,
}
