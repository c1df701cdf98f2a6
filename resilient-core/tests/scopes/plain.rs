//! Calls that start as hardly more than their body, and what makes them more.

use std::{
    cell::Cell,
    pin::pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, Waker},
};

use resilient_core::{
    CallOptions, CommitMode, Effect, Failure, Fault, FaultKind, Propagation,
    call::{Site, Step, run},
    metrics,
    scope::{CallStatus, Place, current},
};

use crate::fake::{Error, FakeDb};

/// A body that waits once, for the compiler to have something to keep.
async fn waits() -> Result<u32, Error> {
    tokio::task::yield_now().await;
    Ok(7)
}

/// As the macro writes it.
async fn method(db: &Arc<FakeDb>, site: &'static Site) -> Result<u32, Error> {
    let mut call = site.enter(db, None);
    loop {
        let done = call.run(async move { waits().await }).await;
        match done.settle().await {
            Step::Done(result) => return result,
            Step::Again(next) => call = next.call(),
        }
    }
}

#[tokio::test]
async fn one_that_needs_nothing_is_counted_and_asks_nothing_of_the_database() {
    static SITE: Site = Site::new("plain::needs_nothing", CallOptions::new());
    let db = FakeDb::new();
    for _ in 0..5 {
        assert_eq!(method(&db, &SITE).await.unwrap(), 7);
    }
    let counted = metrics::global().snapshot().method("plain::needs_nothing");
    assert_eq!(
        (counted.calls, counted.succeeded, counted.attempts),
        (5, 5, 5)
    );
    assert_eq!(counted.latency.count, 5);
    assert!(db.log().is_empty());
}

#[tokio::test]
async fn it_is_hardly_larger_than_its_body() {
    static SITE: Site = Site::new("plain::size", CallOptions::new());
    let db = FakeDb::new();
    let (body, ours) = (size_of_val(&waits()), size_of_val(&method(&db, &SITE)));
    // What the method itself is called with: the two references.
    let arguments = 2 * size_of::<usize>();
    assert!(ours <= body + arguments + 64, "{body} bytes, {ours} bytes");
}

#[tokio::test]
async fn a_transaction_begins_where_something_asks_for_one() {
    let db = FakeDb::new();
    run(db.call(CallOptions::new()), || async {
        tokio::task::yield_now().await;
        assert!(db.log().is_empty());
        let Place::Scope(scope) = current(&db) else {
            panic!("a call has a scope");
        };
        assert!(db.log().is_empty(), "asked for, not used");
        drop(scope);
        db.work().await
    })
    .await
    .unwrap();
    assert_eq!(db.log(), ["begin", "work", "commit", "clean"]);
}

/// The place is found again by everything in the call, and by nothing after it.
#[tokio::test]
async fn a_call_in_it_and_one_beside_it_know_where_they_are() {
    let db = FakeDb::new();
    let alone = || CallOptions::new().propagation(Propagation::RequiresNew);
    run(db.call(CallOptions::new()), || async {
        run(db.call(alone()), || db.work()).await?;
        run(db.call(CallOptions::new()), || db.work()).await?;
        assert!(CallStatus::current().is_some());
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
    assert!(CallStatus::current().is_none());
    let of_its_own = ["begin", "work", "commit", "clean"];
    let nested = ["begin", "savepoint 1", "work", "commit", "clean"];
    assert_eq!(db.log(), [&of_its_own[..], &nested[..]].concat());
}

#[tokio::test]
async fn calls_in_turns_on_one_task_do_not_find_each_others_place() {
    let db = FakeDb::new();
    let one = run(db.call(CallOptions::new()), || db.work());
    let other = run(db.call(CallOptions::new()), || db.work());
    let (one, other) = tokio::join!(one, other);
    one.and(other).unwrap();
    let begun = db.log().iter().filter(|line| *line == "begin").count();
    assert_eq!(begun, 2, "{:?}", db.log());
}

#[tokio::test]
async fn mandatory_is_refused_and_never_is_not() {
    let db = FakeDb::new();
    let mandatory = CallOptions::new().propagation(Propagation::Mandatory);
    run(db.call(mandatory), || db.work()).await.unwrap_err();
    for without in [
        Propagation::Never,
        Propagation::Supports,
        Propagation::NotSupported,
    ] {
        run(db.call(CallOptions::new().propagation(without)), || async {
            assert!(matches!(current(&db), Place::Detached(_)));
            Ok::<_, Error>(())
        })
        .await
        .unwrap();
    }
    assert!(db.log().is_empty());
}

#[tokio::test]
async fn one_that_is_dropped_in_its_body_is_counted_and_undone() {
    static SITE: Site = Site::new("plain::dropped", CallOptions::new());
    let db = FakeDb::new();
    let ran = Cell::new(false);
    {
        let call = run(SITE.enter(&db, None), || async {
            db.work().await?;
            ran.set(true);
            std::future::pending::<Result<(), Error>>().await
        });
        let mut call = pin!(tokio::task::unconstrained(call));
        let mut context = Context::from_waker(Waker::noop());
        while !ran.get() {
            assert!(call.as_mut().poll(&mut context).is_pending());
        }
        assert!(matches!(call.as_mut().poll(&mut context), Poll::Pending));
    }
    let counted = metrics::global().snapshot().method("plain::dropped");
    assert_eq!((counted.cancelled, counted.attempts), (1, 1));
    assert_eq!(db.server.lock().unwrap().busy, 0);
    assert!(!db.log().contains(&"commit".to_owned()), "{:?}", db.log());
}

/// Nothing was asked of the database, so its account is of a failure alone.
#[tokio::test]
async fn one_that_fails_by_itself_is_counted_and_not_repeated() {
    static SITE: Site = Site::new("plain::fails", CallOptions::new());
    let db = FakeDb::new();
    let runs = Cell::new(0);
    run(SITE.enter(&db, None), || async {
        runs.set(runs.get() + 1);
        let fault = Fault::new(FaultKind::Other, Effect::Statement);
        Err::<(), _>(Error(Failure::database(fault.into())))
    })
    .await
    .unwrap_err();
    let counted = metrics::global().snapshot().method("plain::fails");
    assert_eq!((runs.get(), counted.failed, counted.attempts), (1, 1, 1));
    assert_eq!(counted.outcomes.values().sum::<u64>(), 1);
    assert!(db.log().is_empty());
}

#[tokio::test]
async fn its_retries_and_its_token_are_those_of_one_call() {
    static SITE: Site = Site::new("plain::retried", CallOptions::new());
    let db = FakeDb::new();
    let lost = Some((FaultKind::Deadlock, Effect::Transaction));
    db.fail([None, lost, None, None, None]);
    let options = CallOptions::new().commit(CommitMode::Verified);
    let runs = Cell::new(0);
    run(db.call(options), || async {
        runs.set(runs.get() + 1);
        db.work().await
    })
    .await
    .unwrap();
    assert_eq!(runs.get(), 2);
    assert_eq!(db.server.lock().unwrap().markers.len(), 1);
    db.fail([None, lost]);
    run(SITE.enter(&db, None), || db.work()).await.unwrap();
    let counted = metrics::global().snapshot().method("plain::retried");
    assert_eq!((counted.calls, counted.attempts), (1, 2));
    assert_eq!(counted.retries[&FaultKind::Deadlock], 1);
}

/// Statements can come through another connection to the same pool; the transaction is the
/// call's own all the same, and is counted so.
#[tokio::test]
async fn the_transaction_is_on_the_calls_own_connection() {
    let (own, other) = FakeDb::pair();
    run(own.call(CallOptions::new()), || other.work())
        .await
        .unwrap();
    assert_eq!(own.log(), ["begin", "work", "commit", "clean"]);
    assert!(other.log().is_empty(), "{:?}", other.log());
}

/// The call's own connection was made for it and is gone before its first statement: that must
/// not run outside of the transaction.
#[tokio::test]
async fn a_connection_that_is_gone_is_stood_in_for() {
    let (own, other) = FakeDb::pair();
    let call = own.call(CallOptions::new());
    drop(own);
    run(call, || other.work()).await.unwrap();
    assert_eq!(other.log(), ["begin", "work", "commit", "clean"]);
}

/// What is looked after from its start does the same.
#[tokio::test]
async fn both_kinds_send_the_same() {
    let mut logs = Vec::new();
    for watched in [false, true] {
        let db = FakeDb::new();
        db.watched.store(watched, Ordering::Relaxed);
        db.fail([
            None,
            None,
            Some((FaultKind::SerializationFailure, Effect::Aborted)),
        ]);
        let _ = run(db.call(CallOptions::new()), || async {
            db.work().await?;
            run(db.call(CallOptions::new()), || db.work()).await?;
            db.work().await
        })
        .await;
        logs.push(db.log());
    }
    assert_eq!(logs[0], logs[1]);
}
