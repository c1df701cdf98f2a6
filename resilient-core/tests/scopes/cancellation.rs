//! Dropping a call after any number of polls leaves no transaction open and no session out.

use std::{
    future::Future,
    pin::pin,
    sync::atomic::Ordering,
    task::{Context, Poll, Waker},
};

use resilient_core::{
    CallOptions, CommitMode, Effect, FaultKind, call::run, driver::Database as _, policy::Delay,
};

use crate::fake::{Error, FakeDb};

/// Polls a future so many times, then drops it. Answers whether it had ended.
fn poll_times(future: impl Future, times: usize) -> bool {
    // All of it is one task's: its budget for tokio's locks would run out.
    let mut future = pin!(tokio::task::unconstrained(future));
    let mut context = Context::from_waker(Waker::noop());
    (0..times).any(|_| matches!(future.as_mut().poll(&mut context), Poll::Ready(_)))
}

/// Runs `body` anew on a fresh database for every number of polls, until it ends by itself.
fn at_every_await<F: Future>(
    prepare: impl Fn(&FakeDb),
    body: impl Fn(std::sync::Arc<FakeDb>) -> F,
) {
    for watched in [false, true] {
        at_every_await_of(watched, &prepare, &body);
    }
}

fn at_every_await_of<F: Future>(
    watched: bool,
    prepare: impl Fn(&FakeDb),
    body: impl Fn(std::sync::Arc<FakeDb>) -> F,
) {
    let mut polls = 0;
    loop {
        let db = FakeDb::new();
        db.watched.store(watched, Ordering::Relaxed);
        prepare(&db);
        let ended = poll_times(body(db.clone()), polls);
        let log = db.log();
        assert_eq!(
            db.server.lock().unwrap().busy,
            0,
            "after {polls} polls: {log:?}"
        );
        for gate in db.context().admission() {
            assert_eq!(
                (gate.in_flight, gate.waiting),
                (0, 0),
                "after {polls} polls"
            );
        }
        if ended {
            assert!(polls > 3, "the table covers something");
            return;
        }
        polls += 1;
        assert!(polls < 200, "never ends: {log:?}");
    }
}

async fn transfer(db: std::sync::Arc<FakeDb>) -> Result<(), Error> {
    run(db.call(CallOptions::new()), || async {
        db.work().await?;
        let _ = run(db.call(CallOptions::new()), || async {
            db.work().await?;
            run(db.call(CallOptions::new()), || db.work()).await
        })
        .await;
        db.work().await
    })
    .await
}

#[tokio::test]
async fn in_a_call_with_nested_ones() {
    at_every_await(|_| {}, transfer);
}

#[tokio::test]
async fn while_a_savepoint_is_rolled_back() {
    let violation = Some((FaultKind::Unique, Effect::Aborted));
    at_every_await(
        |db| db.fail([None, None, None, None, None, violation]),
        transfer,
    );
}

#[tokio::test]
async fn while_a_deadlock_is_retried() {
    let deadlock = Some((FaultKind::Deadlock, Effect::Transaction));
    at_every_await(|db| db.fail([None, None, None, deadlock]), transfer);
}

#[tokio::test]
async fn while_a_failed_body_is_rolled_back() {
    at_every_await(
        |_| {},
        |db| async move {
            run(db.call(CallOptions::new()), || async {
                db.work().await?;
                Err::<(), _>(Error(resilient_core::Failure::misuse("no")))
            })
            .await
        },
    );
}

#[tokio::test]
async fn between_branches_of_one_scope() {
    at_every_await(
        |_| {},
        |db| async move {
            run(db.call(CallOptions::new()), || async {
                let branch = || run(db.call(CallOptions::new()), || db.work());
                let (a, b, c) = tokio::join!(branch(), branch(), db.work());
                a.and(b).and(c)
            })
            .await
        },
    );
}

#[tokio::test]
async fn while_it_is_asked_what_became_of_a_commit() {
    let lost = Some((FaultKind::ConnectionLost, Effect::Connection));
    for applied in [true, false] {
        at_every_await(
            |db| {
                db.fail([None, None, lost, lost, lost]);
                db.server.lock().unwrap().applied.push_back(applied);
            },
            |db| async move {
                let verified = CallOptions::new().commit(CommitMode::Verified);
                run(db.call(verified.delay(Delay::none())), || db.work()).await
            },
        );
    }
}
