//! Turns by key around transactions: before BEGIN, until the session is given back, in every way
//! that a transaction can end.

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use resilient_core::{
    CallOptions, Effect, Failure, FaultKind, Outcome, Propagation, Reason,
    call::{Call, run},
    driver::{BeginOptions, Database},
    metrics,
    policy::Delay,
    scope::Scope,
    turns::{TurnKeys, each},
};

use crate::fake::{Error, FakeDb};

/// A call that names these keys.
fn call(db: &Arc<FakeDb>, options: CallOptions, keys: &[u32]) -> Call<FakeDb> {
    let method = metrics::global().method("fake");
    Call::in_turn(db, method, options, TurnKeys::new().and(&each(keys)))
}

async fn work(db: &Arc<FakeDb>, keys: &[u32]) -> Result<(), Error> {
    run(call(db, CallOptions::new(), keys), || db.work()).await
}

fn poll(future: Pin<&mut impl Future>) -> bool {
    matches!(
        future.poll(&mut Context::from_waker(Waker::noop())),
        Poll::Ready(_)
    )
}

/// Polls it, at most so many times; answers whether it ended.
fn polls(mut future: Pin<&mut impl Future>, times: usize) -> bool {
    (0..times).any(|_| poll(future.as_mut()))
}

fn refused(result: Result<(), Error>) -> Failure {
    match result {
        Err(Error(failure)) => failure,
        Ok(()) => panic!("it was let through"),
    }
}

#[tokio::test]
async fn callers_of_one_key_go_one_after_another() {
    let db = FakeDb::new();
    let (a, b, c) = tokio::join!(work(&db, &[1, 2]), work(&db, &[2, 3]), work(&db, &[3, 1]));
    a.and(b).and(c).unwrap();
    let one = ["begin", "work", "commit", "clean"];
    assert_eq!(db.log(), [one, one, one].concat());
    assert_eq!(db.waits(), 2);

    // Others do not wait for each other.
    let db = FakeDb::new();
    let (a, b) = tokio::join!(work(&db, &[1]), work(&db, &[2]));
    a.and(b).unwrap();
    assert_eq!(db.log()[..2], ["begin", "begin"]);
    assert_eq!(db.waits(), 0);
    // Nor on another database.
    let (a, b) = (FakeDb::new(), FakeDb::new());
    let mut holder = pin!(work(&a, &[1]));
    assert!(!polls(holder.as_mut(), 3));
    work(&b, &[1]).await.unwrap();
    holder.await.unwrap();
}

#[tokio::test]
async fn who_waits_has_no_session_and_who_sends_nothing_does_not_wait() {
    let db = FakeDb::new();
    let mut holder = pin!(work(&db, &[1]));
    assert!(!polls(holder.as_mut(), 3));
    let mut waits = pin!(work(&db, &[1]));
    assert!(!polls(waits.as_mut(), 20));
    assert_eq!(db.server.lock().unwrap().busy, 1);
    run(call(&db, CallOptions::new(), &[1]), || async {
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
    holder.await.unwrap();
    waits.await.unwrap();
}

/// Whatever becomes of the one who has the turn, and of one who waits for it, the next one gets it.
#[tokio::test]
async fn a_turn_is_passed_on_however_a_call_ends() {
    let deadlock = Some((FaultKind::Deadlock, Effect::Transaction));
    let lost = Some((FaultKind::ConnectionLost, Effect::Connection));
    let refused = Some((FaultKind::Syntax, Effect::Statement));
    for fault in [None, deadlock, lost, refused] {
        for place in 0..4 {
            for dropped_after in 0..16 {
                for waiter_dropped_after in [0, 1, 2, 9] {
                    // Tokio lets a task that never yields wait for nothing.
                    tokio::task::yield_now().await;
                    let db = FakeDb::new();
                    db.fail((0..place).map(|_| None).chain([fault]));
                    {
                        let mut first = pin!(work(&db, &[1, 2]));
                        let mut second = pin!(work(&db, &[2]));
                        let ended = polls(first.as_mut(), 4);
                        polls(second.as_mut(), waiter_dropped_after);
                        if !ended {
                            polls(first.as_mut(), dropped_after);
                        }
                    }
                    db.server.lock().unwrap().faults.clear();
                    let mut next = pin!(work(&db, &[1, 2]));
                    assert!(
                        polls(next.as_mut(), 40),
                        "{fault:?} {place} {dropped_after}"
                    );
                    assert_eq!(db.server.lock().unwrap().busy, 0);
                }
            }
        }
    }
}

#[tokio::test]
async fn each_attempt_takes_its_turn_anew() {
    let db = FakeDb::new();
    // Its BEGIN does well, its statement does not.
    db.fail([None, Some((FaultKind::Deadlock, Effect::Transaction))]);
    let (first, second) = tokio::join!(work(&db, &[1]), work(&db, &[1]));
    first.and(second).unwrap();
    let one = ["begin", "work", "commit", "clean"];
    let failed = ["begin", "work", "rollback", "clean"];
    assert_eq!(db.log(), [failed, one, one].concat());
    assert_eq!(db.waits(), 2, "the second, then the first again");
}

#[tokio::test]
async fn a_deadline_ends_the_wait() {
    let db = FakeDb::new();
    let mut holder = pin!(work(&db, &[1]));
    assert!(!polls(holder.as_mut(), 3));
    for limited in [
        CallOptions::new().deadline(Duration::from_secs(1)),
        CallOptions::new()
            .timeout(Duration::from_secs(1))
            .retries(0),
    ] {
        let mut waits = pin!(run(call(&db, limited, &[1]), || db.work()));
        assert!(!polls(waits.as_mut(), 10));
        db.clock.advance(Duration::from_secs(1));
        let failure = refused(waits.await);
        assert!(
            matches!(failure.reason(), Reason::Deadline | Reason::AttemptTimeout),
            "{failure}"
        );
    }
    assert_eq!(db.log(), ["begin", "work"], "of the holder alone");
    holder.await.unwrap();
}

#[tokio::test]
async fn patience_ends_the_wait_and_names_what_it_was_for() {
    let db = FakeDb::new();
    let mut holder = pin!(work(&db, &[1]));
    assert!(!polls(holder.as_mut(), 3));
    let once = CallOptions::new().retries(0);
    let mut waits = pin!(run(call(&db, once, &[1]), || db.work()));
    assert!(!polls(waits.as_mut(), 10));
    db.clock.advance(Duration::from_mins(5));
    let failure = refused(waits.await);
    assert_eq!(failure.kind(), FaultKind::LockTimeout);
    assert_eq!(failure.outcome(), Outcome::NotSent);
    let text = failure.to_string();
    assert!(text.contains("key of serialize_by"), "{text}");
    assert!(
        text.contains("300.0s") && text.contains("fake has it"),
        "{text}"
    );
    holder.await.unwrap();
}

#[tokio::test]
async fn calls_inside_pass_with_the_keys_of_the_outermost_one() {
    for inner in [
        Propagation::Nested,
        Propagation::Required,
        Propagation::Mandatory,
        Propagation::RequiresNew,
    ] {
        let db = FakeDb::new();
        let inside = CallOptions::new().propagation(inner);
        run(call(&db, CallOptions::new(), &[1, 2]), || async {
            db.work().await?;
            run(call(&db, inside, &[2]), || db.work()).await?;
            // Those of one transaction cannot be told apart; those of their own take turns among
            // themselves.
            let again = || run(call(&db, inside, &[1]), || db.work());
            let (a, b) = tokio::join!(again(), again());
            a.and(b)
        })
        .await
        .unwrap();
        let log = db.log();
        if inner == Propagation::RequiresNew {
            let one = ["begin", "work", "commit", "clean"];
            assert_eq!(log[2..14], [one, one, one].concat(), "{log:?}");
        } else {
            assert_eq!(log.iter().filter(|line| *line == "begin").count(), 1);
        }
    }
}

#[tokio::test]
async fn a_call_inside_names_the_keys_of_a_transaction_that_has_not_begun() {
    let db = FakeDb::new();
    let outer = || {
        run(db.call(CallOptions::new()), || async {
            work(&db, &[1]).await?;
            db.work().await
        })
    };
    let (a, b) = tokio::join!(outer(), outer());
    a.and(b).unwrap();
    let begins: Vec<usize> = (0..)
        .zip(db.log())
        .filter(|(_, line)| line == "begin")
        .map(|(at, _)| at)
        .collect();
    let ends: Vec<usize> = (0..)
        .zip(db.log())
        .filter(|(_, line)| line == "clean")
        .map(|(at, _)| at)
        .collect();
    assert!(begins[1] > ends[0], "{:?}", db.log());
}

#[tokio::test]
async fn turns_that_cannot_be_had_inside_are_refused_not_forgotten() {
    let db = FakeDb::new();
    for (outer, inner, text) in [
        (&[][..], Propagation::Nested, "before a transaction begins"),
        (&[1][..], Propagation::Nested, "before a transaction begins"),
        (
            &[1][..],
            Propagation::Required,
            "before a transaction begins",
        ),
        (&[1][..], Propagation::RequiresNew, "wait for itself"),
        (
            &[1][..],
            Propagation::NotSupported,
            "calls with a transaction",
        ),
    ] {
        let inside = CallOptions::new().propagation(inner);
        run(call(&db, CallOptions::new(), outer), || async {
            db.work().await?;
            let failure = refused(run(call(&db, inside, &[2]), || db.work()).await);
            assert!(failure.to_string().contains(text), "{inner}: {failure}");
            assert_eq!(failure.attempts(), 1);
            db.work().await
        })
        .await
        .map_err(|Error(failure)| failure.to_string())
        .unwrap();
    }
    // One that has no turns may wait.
    run(db.call(CallOptions::new()), || async {
        db.work().await?;
        let own = CallOptions::new().propagation(Propagation::RequiresNew);
        run(call(&db, own, &[2]), || db.work()).await
    })
    .await
    .unwrap();
}

/// The transaction around the call waits for its turn in a branch, behind somebody else; the call
/// would come behind it, and it ends after the call.
#[tokio::test]
async fn a_wait_for_a_branch_of_the_same_task_is_refused() {
    let db = FakeDb::new();
    let mut holder = pin!(work(&db, &[1]));
    assert!(!polls(holder.as_mut(), 3));
    let own = CallOptions::new().propagation(Propagation::RequiresNew);
    let mut outer = pin!(run(call(&db, CallOptions::new(), &[1]), || async {
        let inner = async {
            let failure = refused(run(call(&db, own, &[1]), || db.work()).await);
            assert!(failure.to_string().contains("another branch"), "{failure}");
        };
        let (worked, ()) = tokio::join!(db.work(), inner);
        worked
    }));
    assert!(!polls(outer.as_mut(), 20));
    holder.await.unwrap();
    outer.await.unwrap();
}

#[tokio::test]
async fn the_only_writer_is_one_at_a_time_and_readers_do_not_mind() {
    let db = FakeDb::with_one_writer();
    let write = || run(db.call(CallOptions::new()), || db.work());
    let read = || run(db.call(CallOptions::new().read_only()), || db.work());
    let (a, b) = tokio::join!(write(), write());
    a.and(b).unwrap();
    let one = ["begin", "work", "commit", "clean"];
    assert_eq!(db.log(), [one, one].concat());
    let mut holder = pin!(write());
    assert!(!polls(holder.as_mut(), 3));
    read().await.unwrap();
    // A reader may have a writer inside.
    let mut inside = pin!(run(db.call(CallOptions::new().read_only()), || async {
        db.work().await?;
        let own = CallOptions::new().propagation(Propagation::RequiresNew);
        run(db.call(own), || db.work()).await
    }));
    assert!(!polls(inside.as_mut(), 20));
    holder.await.unwrap();
    inside.await.unwrap();
    // A handle's too.
    let handle = Scope::root(&db, BeginOptions::default());
    let turn = handle.turn(false).await.unwrap();
    turn.succeeded(db.context().clock().now());
    let mut waits = pin!(write());
    assert!(!polls(waits.as_mut(), 20));
    handle.abandon();
    waits.await.unwrap();
}

#[tokio::test]
async fn turns_are_over_while_a_retry_is_waited_for() {
    let db = FakeDb::new();
    db.fail([Some((FaultKind::ServerUnavailable, Effect::Connection))]);
    let patient = CallOptions::new().delay(Delay::fixed(Duration::from_secs(1)));
    run(call(&db, patient, &[1]), || db.work()).await.unwrap();
    assert_eq!(db.waits(), 0, "not for itself");
}
