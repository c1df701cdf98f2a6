//! Promise 6, in parts: statements, nested calls and handles that are dropped while their
//! transaction goes on, and runtimes that end under their calls.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering},
    },
    time::Duration,
};

use resilient_sea_orm::prelude::*;
use sea_orm::{ConnectionTrait, TransactionTrait};
use support::{Engine, TestResult, engine_tests, wait_until};
use tokio::runtime::{Builder, Runtime};

use crate::{
    bank::add,
    cancellation::{FORMS, Form, Repo, Told},
    rig::{PATIENCE, Rig, nothing_leaks, nothing_open, polled},
};

async fn a_statement_dropped_inside_the_body_is_never_committed_past(engine: Engine) -> TestResult {
    let bank = Rig::new(2).bank(engine, 2).await;
    let mut dropped = 0;
    for answered in [false, true] {
        for polls in 1..=6 {
            for _ in 0..10 {
                let was_cut = AtomicBool::new(false);
                let result: Result<()> = bank
                    .db
                    .transact(TransactOptions::new(), || async {
                        add(&bank.db, 1, -1).await?;
                        let answer = polled(add(&bank.db, 2, 1), polls, answered).await;
                        was_cut.store(answer.is_none(), Ordering::SeqCst);
                        // The body goes on as if nothing had happened.
                        Ok(())
                    })
                    .await;
                if was_cut.into_inner() {
                    dropped += 1;
                    let error = result.expect_err("half a transfer was committed");
                    assert_eq!(error.outcome(), Outcome::RolledBack, "{error}");
                    assert_eq!(error.attempts(), 1, "a cancel is somebody's wish: {error}");
                } else {
                    result?;
                }
            }
            assert_eq!(bank.total().await, 200_000);
        }
    }
    assert!(dropped > 0);
    nothing_leaks(&bank, 2).await;
    Ok(())
}

async fn a_nested_call_dropped_inside_the_body_is_there_in_full_or_the_call_fails(
    engine: Engine,
) -> TestResult {
    let bank = Rig::new(2).bank(engine, 2).await;
    let repo = Repo {
        db: bank.db.clone(),
    };
    let (mut id, mut lost) = (0, 0);
    for form in [Form::Nested, Form::FailingNested, Form::Refused] {
        for polls in 1..16 {
            for answered in [false, true] {
                id += 1;
                let before = bank.balance(2).await;
                let result: Result<bool> = bank
                    .db
                    .transact(TransactOptions::new(), || async {
                        add(&bank.db, 1, -7).await?;
                        let answer = polled(repo.call(form, id), polls, answered).await;
                        let done = matches!(answer, Some(Ok(())));
                        add(&bank.db, 2, 7).await.ok();
                        Ok(done)
                    })
                    .await;
                let expected = match result {
                    Ok(done) => before + 7 + i64::from(done),
                    Err(error) => {
                        lost += 1;
                        assert_eq!(error.outcome(), Outcome::RolledBack, "{error}");
                        before
                    }
                };
                assert_eq!(bank.balance(2).await, expected, "{form:?} at {polls}");
                assert_eq!(bank.total().await, 200_000, "{form:?} at {polls}");
            }
        }
    }
    assert!(lost > 0, "no drop was in the middle of an exchange");
    nothing_leaks(&bank, 2).await;
    Ok(())
}

async fn handles_of_begin_may_be_dropped_at_every_await_point(engine: Engine) -> TestResult {
    let bank = Rig::new(2).bank(engine, 2).await;
    for round in 0..600 {
        let (polls, answered) = (1 + round / 2 % 15, round % 2 == 0);
        let id = i64::from(round) + 1;
        let work = async {
            let outer = bank.db.begin().await?;
            outer
                .execute_unprepared("UPDATE account SET balance = balance - 1 WHERE id = 1")
                .await?;
            {
                let dropped = outer.begin().await?;
                dropped
                    .execute_unprepared("UPDATE account SET balance = 0 WHERE id = 2")
                    .await?;
            }
            let inner = outer.begin().await?;
            inner
                .execute_unprepared("UPDATE account SET balance = balance + 1 WHERE id = 2")
                .await?;
            inner
                .execute_unprepared(&format!("INSERT INTO entry VALUES ({id}, '{id}')"))
                .await?;
            inner.commit().await?;
            if round % 3 == 0 {
                drop(outer);
                return Ok(());
            }
            outer.commit().await
        };
        if let Some(result) = polled(work, polls, answered).await {
            result?;
        }
    }
    nothing_leaks(&bank, 2).await;
    Told::default().agrees_with(&bank).await;
    Ok(())
}

/// Panics in threads of that name, in the whole process.
fn panics_of(name: &'static str) -> Arc<AtomicU32> {
    let count = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&count);
    let others = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().name() == Some(name) {
            counter.fetch_add(1, Ordering::SeqCst);
        }
        others(panic);
    }));
    count
}

async fn a_runtime_may_end_under_running_calls(engine: Engine) -> TestResult {
    let name = match engine {
        Engine::Sqlite => "doomed-sqlite",
        Engine::Postgres => "doomed-postgres",
        Engine::MariaDb | Engine::MySql => "doomed-mariadb",
    };
    let panics = panics_of(name);
    let bank = Rig::new(2).bank(engine, 2).await;
    let told = Told::default();
    let id = Arc::new(AtomicI64::new(0));
    for round in 0..24 {
        let url = bank.test.url().to_owned();
        let id = Arc::clone(&id);
        let doomed = std::thread::Builder::new().name(name.to_owned());
        // Dropping a runtime blocks, so not on a thread of this one.
        let thread = doomed.spawn(move || {
            let runtime: Runtime = if round % 2 == 0 {
                Builder::new_multi_thread()
                    .worker_threads(2)
                    .thread_name(name)
                    .enable_all()
                    .build()
            } else {
                Builder::new_current_thread().enable_all().build()
            }
            .expect("a runtime");
            runtime.block_on(async {
                let repo = Repo {
                    db: Rig::new(4).connect(&url).await,
                };
                let done = Arc::new(AtomicU32::new(0));
                for lane in 0..8 {
                    let (repo, id, done) = (repo.clone(), Arc::clone(&id), Arc::clone(&done));
                    tokio::spawn(async move {
                        loop {
                            let form = FORMS[lane % FORMS.len()];
                            let _ = repo.call(form, 1 + id.fetch_add(1, Ordering::SeqCst)).await;
                            done.fetch_add(1, Ordering::SeqCst);
                        }
                    });
                }
                let handle = repo
                    .db
                    .begin_with_config(None, Some(sea_orm::AccessMode::ReadOnly))
                    .await;
                while done.load(Ordering::SeqCst) < 3 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                handle
            })
            // The runtime ends here, with calls at every stage.
        })?;
        let ended = async || Ok(thread.is_finished());
        wait_until("the end of the runtime", PATIENCE, ended).await?;
        // The handle of `begin()` outlives its runtime.
        drop(thread.join().map_err(|_| "the runtime's thread panicked")?);
        nothing_open(&bank).await;
    }
    assert_eq!(
        panics.load(Ordering::SeqCst),
        0,
        "the end of a runtime panicked"
    );
    nothing_leaks(&bank, 2).await;
    told.agrees_with(&bank).await;
    Ok(())
}

/// Its connection's worker is a thread of its own; the timers that it was used with are gone.
#[test]
fn a_handle_goes_on_in_another_runtime_on_sqlite() -> TestResult {
    let runtime = || Builder::new_current_thread().enable_all().build();
    let first = runtime()?;
    let (bank, handle) = first.block_on(async {
        let bank = Rig::new(2).bank(Engine::Sqlite, 2).await;
        let handle = bank.db.begin().await?;
        add(&handle, 1, -1).await?;
        Ok::<_, Error>((bank, handle))
    })?;
    drop(first);
    runtime()?.block_on(async {
        add(&handle, 2, 1).await?;
        handle.commit().await?;
        nothing_open(&bank).await;
        Ok(())
    })
}

engine_tests! {
    a_statement_dropped_inside_the_body_is_never_committed_past,
    a_nested_call_dropped_inside_the_body_is_there_in_full_or_the_call_fails,
    handles_of_begin_may_be_dropped_at_every_await_point,
    a_runtime_may_end_under_running_calls,
}
