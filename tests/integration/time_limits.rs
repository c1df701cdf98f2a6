//! `timeout` and `deadline`: in the client, in the server, and over all attempts.

use std::{
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use resilient_sea_orm::{
    FaultSet,
    policy::{Delay, StopReason},
    prelude::*,
    time::{Clock, Sleep},
};
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use support::{Engine, TestDb, TestResult, engine_tests};

use crate::bank::{Bank, add, always, number};

const SECOND: Duration = Duration::from_secs(1);
const OPTIONS: TransactOptions = TransactOptions::new()
    .retries(50)
    .backoff(Delay::fixed(Duration::from_secs(3)));

/// Delays of three seconds pass at once; every other sleep is a guard, which never goes off.
#[derive(Clone, Debug)]
struct Delays(Arc<Mutex<(Instant, u32)>>);

impl Clock for Delays {
    fn now(&self) -> Instant {
        self.0.lock().expect("lock").0
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        if duration != 3 * SECOND {
            return Box::pin(pending());
        }
        let mut time = self.0.lock().expect("lock");
        *time = (time.0 + duration, time.1 + 1);
        Box::pin(std::future::ready(()))
    }
}

async fn a_deadline_covers_all_attempts_and_no_delay_overruns_it(engine: Engine) -> TestResult {
    let start = Instant::now();
    let clock = Delays(Arc::new(Mutex::new((start, 0))));
    let builder = resilient_sea_orm::Builder::default().clock(clock.clone());
    let bank = match engine {
        Engine::Sqlite => Bank::impatient_sqlite(builder, 1).await,
        _ => Bank::built(builder, TestDb::new(engine).await?, 1, 2).await,
    };
    let _held: Option<DatabaseTransaction> = match engine {
        Engine::Sqlite => Some(bank.holds("UPDATE account SET balance = balance").await),
        _ => None,
    };
    let failing = always(engine, FaultKind::LockTimeout).expect("on every engine");
    let runs = AtomicU32::new(0);
    let error = bank
        .db
        .transact(OPTIONS.deadline(10 * SECOND), || async {
            runs.fetch_add(1, Ordering::SeqCst);
            bank.db.execute_unprepared(failing).await?;
            Ok::<_, Error>(())
        })
        .await
        .unwrap_err();
    // At 0, 3, 6 and 9 seconds; the next one would be at 12.
    assert_eq!(runs.into_inner(), 4);
    assert_eq!(error.kind(), FaultKind::LockTimeout, "the cause: {error}");
    assert_eq!(error.stop_reason(), Some(StopReason::DeadlineExceeded));
    assert_eq!(*clock.0.lock().expect("lock"), (start + 9 * SECOND, 3));
    Ok(())
}

async fn an_attempt_that_runs_into_its_timeout_is_undone_and_run_again(
    engine: Engine,
) -> TestResult {
    let bank = Bank::open(engine, 1).await;
    let db = &bank.db;
    // In the body, and in a statement, where the server's own limit may be first; neither is
    // asked for by `on`.
    let sleep = match engine {
        Engine::Sqlite => None,
        Engine::Postgres => Some("SELECT pg_sleep(600)"),
        Engine::MariaDb | Engine::MySql => Some("SELECT SLEEP(600)"),
    };
    for waiting in [None, sleep] {
        let runs = AtomicU32::new(0);
        let options = TransactOptions::new()
            .retries(1)
            .on(FaultSet::of(&[FaultKind::Deadlock]))
            .timeout(Duration::from_secs(2));
        db.transact(options, || async {
            let first = runs.fetch_add(1, Ordering::SeqCst) == 0;
            add(db, 1, 1).await?;
            match waiting {
                Some(sql) if first => {
                    db.execute_unprepared(sql).await?;
                }
                None if first => pending().await,
                _ => {}
            }
            Ok::<_, Error>(())
        })
        .await?;
        assert_eq!(runs.into_inner(), 2);
    }
    assert_eq!(bank.balance(1).await, 102);

    let error = db
        .transact(
            TransactOptions::new().deadline(Duration::from_millis(50)),
            pending::<Result<()>>,
        )
        .await
        .unwrap_err();
    assert_eq!(error.stop_reason(), Some(StopReason::DeadlineExceeded));
    assert_eq!(error.attempts(), 1, "{error}");
    Ok(())
}

/// The server's limit for a statement of this session, in milliseconds.
async fn server_limit(bank: &Bank) -> i64 {
    let sql = match bank.test.engine() {
        Engine::Postgres => {
            "SELECT CAST(setting AS CHAR(9)) AS n FROM pg_settings WHERE name = 'statement_timeout'"
        }
        _ => "SELECT CAST(CAST(@@session.max_statement_time * 1000 AS SIGNED) AS CHAR) AS n",
    };
    number(&bank.db, sql).await
}

async fn the_servers_own_limit_follows_the_deadline_and_is_restored(engine: Engine) -> TestResult {
    let bank = Bank::with_pool(engine, 1, 1).await;
    let db = &bank.db;
    let set = |ms: i64| match engine {
        Engine::Postgres => format!("SET statement_timeout = {ms}"),
        _ => format!("SET SESSION max_statement_time = {ms} / 1000"),
    };
    let limited = TransactOptions::new().deadline(20 * SECOND);
    for (own, most) in [(0, 20_000), (60_000, 20_000), (5_000, 5_000)] {
        db.execute_unprepared(&set(own)).await?;
        assert_eq!(server_limit(&bank).await, own);
        for ok in [true, false] {
            let result = db
                .transact(limited, || async {
                    let limit = server_limit(&bank).await;
                    assert!((1..=most).contains(&limit), "{limit} of {most}");
                    // The more time has passed, the less a call inside is given.
                    let inner = limited.deadline(10 * SECOND);
                    let inner = inner.propagation(resilient_sea_orm::Propagation::Nested);
                    db.transact(inner, || add(db, 1, 1)).await?;
                    if ok {
                        Ok(())
                    } else {
                        Err(Error::custom("on purpose"))
                    }
                })
                .await;
            assert_eq!(result.is_ok(), ok);
            assert_eq!(
                server_limit(&bank).await,
                own,
                "as the pool's user had set it"
            );
        }
        // A method whose future is dropped in mid-air.
        let written = tokio::sync::Notify::new();
        tokio::select! {
            _ = db.transact(limited, || async {
                add(db, 1, 1).await?;
                written.notify_one();
                pending::<Result<()>>().await
            }) => unreachable!("it waits for ever"),
            () = written.notified() => {}
        }
        assert_eq!(
            server_limit(&bank).await,
            own,
            "after the rollback in the background"
        );
    }
    assert_eq!(
        bank.metrics().discarded,
        0,
        "on one and the same connection"
    );
    Ok(())
}

engine_tests! {
    a_deadline_covers_all_attempts_and_no_delay_overruns_it,
    an_attempt_that_runs_into_its_timeout_is_undone_and_run_again,
}
engine_tests! { on_postgres on_mariadb: the_servers_own_limit_follows_the_deadline_and_is_restored }
