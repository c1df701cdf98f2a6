//! Locks that are waited for no longer than is good, and calls that take turns.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use resilient_sea_orm::{
    Admission, AdmissionSnapshot, FaultSet, ResilientConnection,
    policy::{BudgetConfig, Delay, RetryPolicy},
    prelude::*,
};
use sea_orm::ConnectionTrait;
use support::{Engine, TestDb, TestResult, engine_tests};
use tokio::task::JoinSet;

use crate::bank::{Bank, add, number, without_hanging};

const SECOND: Duration = Duration::from_secs(1);
const PLAIN: TransactOptions = TransactOptions::new().backoff(Delay::none());

/// The session's limit for locks, in milliseconds.
async fn lock_limit(bank: &Bank) -> i64 {
    let sql = match bank.test.engine() {
        Engine::Postgres => {
            "SELECT CAST(setting AS CHAR(9)) AS n FROM pg_settings WHERE name = 'lock_timeout'"
        }
        _ => "SELECT CAST(@@session.innodb_lock_wait_timeout * 1000 AS CHAR) AS n",
    };
    number(&bank.db, sql).await
}

/// A lock that is let go only when the call that wants it has given it up once.
async fn a_lock_that_is_waited_for_becomes_a_retry(engine: Engine) -> TestResult {
    let bank = Bank::open(engine, 1).await;
    let db = &bank.db;
    let limited = [
        PLAIN.lock_timeout(Duration::from_millis(20)),
        // Derived from the time that there is.
        PLAIN.deadline(8 * SECOND).retries(3),
        PLAIN.timeout(2 * SECOND).retries(3),
        PLAIN.policy(RetryPolicy::new().lock_timeout(Duration::from_millis(20))),
    ];
    for options in limited {
        let holder = bank.holds("UPDATE account SET balance = balance").await;
        let holder = Arc::new(Mutex::new(Some(holder)));
        let runs = AtomicU32::new(0);
        let call = db.transact(options, || async {
            if runs.fetch_add(1, Ordering::SeqCst) == 1 {
                let holder = holder.lock().expect("lock").take().expect("once");
                holder.rollback().await?;
            }
            add(db, 1, 1).await
        });
        without_hanging(call).await?;
        assert_eq!(runs.into_inner(), 2, "{options:?}");
    }
    assert_eq!(bank.balance(1).await, 104);
    assert_eq!(bank.metrics().committed, 4);
    Ok(())
}

async fn a_limit_for_locks_is_set_in_the_transaction_alone(engine: Engine) -> TestResult {
    let bank = Bank::with_pool(engine, 1, 1).await;
    let db = &bank.db;
    let set = |ms: i64| match engine {
        Engine::Postgres => format!("SET lock_timeout = {ms}"),
        _ => format!("SET SESSION innodb_lock_wait_timeout = {}", ms / 1000),
    };
    // Without a limit of its own, with a longer one, and with a shorter one.
    for (own, inside) in [(60_000, 5_000), (2_000, 2_000)] {
        db.execute_unprepared(&set(own)).await?;
        let explicit = PLAIN.lock_timeout(5 * SECOND);
        // Half of 20 s in two attempts.
        let derived = PLAIN.deadline(20 * SECOND).retries(1);
        let none = PLAIN.lock_timeout(Duration::ZERO).deadline(20 * SECOND);
        for (options, least, most) in [
            (explicit, inside, inside),
            (derived, inside.min(4_000), inside),
            (none, own, own),
            // Nobody would retry it.
            (derived.retries(0), own, own),
            (derived.on(FaultSet::of(&[FaultKind::Deadlock])), own, own),
        ] {
            for ok in [true, false] {
                let result = db
                    .transact(options, || async {
                        let limit = lock_limit(&bank).await;
                        assert!((least..=most).contains(&limit), "{limit}: {options:?}");
                        if ok {
                            Ok(())
                        } else {
                            Err(Error::custom("on purpose"))
                        }
                    })
                    .await;
                assert_eq!(result.is_ok(), ok);
                assert_eq!(lock_limit(&bank).await, own, "as it was before");
            }
        }
    }
    assert_eq!(bank.metrics().discarded, 0);
    Ok(())
}

async fn the_last_attempt_waits_for_as_long_as_it_has(engine: Engine) -> TestResult {
    let bank = Bank::with_pool(engine, 1, 1).await;
    let db = &bank.db;
    let own = lock_limit(&bank).await;
    let seen = Mutex::new(Vec::new());
    let failing = crate::bank::always(engine, FaultKind::LockTimeout).expect("on every engine");
    let error = db
        .transact(PLAIN.deadline(40 * SECOND).retries(1), || async {
            let limit = lock_limit(&bank).await;
            seen.lock().expect("lock").push(limit);
            db.execute_unprepared(failing).await?;
            Ok::<_, Error>(())
        })
        .await
        .unwrap_err();
    assert_eq!(error.kind(), FaultKind::LockTimeout);
    let seen = seen.into_inner().expect("lock");
    assert_eq!(seen.len(), 2);
    let expected = if own == 0 {
        9_000..=10_000
    } else {
        own.min(9_000)..=own.min(10_000)
    };
    assert!(expected.contains(&seen[0]), "{seen:?}");
    assert_eq!(seen[1], own, "the second and last one");
    Ok(())
}

/// A limit that nobody asked for stands for a deadlock: what the other waits for may be held
/// around the savepoint, so the savepoint's own retries would not help.
async fn a_derived_limit_inside_a_nested_call_repeats_the_root(engine: Engine) -> TestResult {
    let bank = Bank::open(engine, 2).await;
    let db = &bank.db;
    let holder = bank
        .holds("UPDATE account SET balance = balance WHERE id = 2")
        .await;
    let holder = Mutex::new(Some(holder));
    let (roots, nested) = (AtomicU32::new(0), AtomicU32::new(0));
    let call = db.transact(PLAIN.deadline(8 * SECOND).retries(3), || async {
        if roots.fetch_add(1, Ordering::SeqCst) == 1 {
            let holder = holder.lock().expect("lock").take().expect("once");
            holder.rollback().await?;
        }
        add(db, 1, 1).await?;
        db.transact(PLAIN, || async {
            nested.fetch_add(1, Ordering::SeqCst);
            add(db, 2, 1).await
        })
        .await
    });
    without_hanging(call).await?;
    assert_eq!((roots.into_inner(), nested.into_inner()), (2, 2));
    assert_eq!((bank.balance(1).await, bank.balance(2).await), (101, 101));
    Ok(())
}

fn gate(db: &ResilientConnection, name: &str) -> AdmissionSnapshot {
    let mut all = db.admission().into_iter();
    all.find(|gate| gate.method == name).expect("it was called")
}

/// Both ways at once between few accounts, until the gate has seen enough of it.
async fn under_contention_calls_take_turns_and_no_place_is_lost(engine: Engine) -> TestResult {
    const TASKS: u64 = 16;
    const ACCOUNTS: i32 = 4;
    let policy = RetryPolicy::new().retries(1_000);
    let builder = resilient_sea_orm::Builder::default()
        .policy(policy)
        .admission(Admission::Adaptive)
        .retry_budget(BudgetConfig::new(1.0, 1_000_000));
    let pool = u32::try_from(TASKS)?;
    let bank = Bank::built(builder, TestDb::new(engine).await?, ACCOUNTS, pool).await;
    let db = &bank.db;
    let options = TransactOptions::new().name("hot transfer");
    let mut rounds = 0;
    // MariaDB breaks deadlocks at once, so it may never be worth it there.
    while rounds < 1 || (engine == Engine::Postgres && gate(db, "hot transfer").changes == 0) {
        rounds += 1;
        assert!(rounds < 100, "{:?}", db.admission());
        let mut tasks = JoinSet::new();
        for task in 0..TASKS {
            let db = db.clone();
            tasks.spawn(async move {
                let mut random = fastrand::Rng::with_seed(task + 100 * rounds);
                for call in 0..20 {
                    let from = random.i32(1..=ACCOUNTS);
                    let to = from % ACCOUNTS + 1;
                    let (from, to) = if random.bool() {
                        (from, to)
                    } else {
                        (to, from)
                    };
                    let transfer = db.transact(options, || async {
                        add(&db, from, 1).await?;
                        add(&db, to, -1).await
                    });
                    // Some give up on their way.
                    if call % 5 == 4 {
                        let patience = Duration::from_micros(random.u64(0..3_000));
                        let _ = tokio::time::timeout(patience, transfer).await;
                    } else if let Err(error) = transfer.await {
                        // A balance may not fall below zero.
                        assert_eq!(error.kind(), FaultKind::Check, "{error}");
                    }
                }
            });
        }
        while let Some(done) = without_hanging(tasks.join_next()).await {
            done?;
        }
    }
    assert_eq!(bank.total().await, 100 * i64::from(ACCOUNTS));
    // What was dropped is rolled back in the background.
    let settled = || async {
        let now = gate(db, "hot transfer");
        Ok(now.in_flight == 0 && now.waiting == 0)
    };
    support::wait_until("no place is taken", 10 * SECOND, settled).await?;
    db.transact(options, || add(db, 1, 0)).await?;
    Ok(())
}

#[tokio::test]
async fn unnamed_closures_have_nothing_in_common_on_sqlite() -> TestResult {
    let bank = Bank::open(Engine::Sqlite, 1).await;
    bank.db.transact(PLAIN, || add(&bank.db, 1, 1)).await?;
    assert_eq!(bank.db.admission(), []);
    let named = PLAIN.name("named").admission(Admission::Adaptive);
    bank.db.transact(named, || add(&bank.db, 1, 1)).await?;
    assert_eq!(bank.db.admission().len(), 1);
    Ok(())
}

engine_tests! { on_postgres on_mariadb:
    a_lock_that_is_waited_for_becomes_a_retry,
    a_limit_for_locks_is_set_in_the_transaction_alone,
    the_last_attempt_waits_for_as_long_as_it_has,
    a_derived_limit_inside_a_nested_call_repeats_the_root,
    under_contention_calls_take_turns_and_no_place_is_lost,
}
