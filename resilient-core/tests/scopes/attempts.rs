//! The loop: what is sent, what is retried, and what is said about it.

use std::{cell::Cell, time::Duration};

use resilient_core::{
    CallOptions, Effect, FaultKind, FaultSet, IsolationLevel, Outcome, Propagation, Reason,
    call::run,
    policy::{Delay, RetryPolicy, StopReason},
};

use crate::fake::{Error, FakeDb};

const DEADLOCK: Option<(FaultKind, Effect)> = Some((FaultKind::Deadlock, Effect::Transaction));
const OK: Option<(FaultKind, Effect)> = None;

fn nested() -> CallOptions {
    CallOptions::new()
}

#[tokio::test]
async fn a_call_without_statements_sends_nothing() {
    let db = FakeDb::new();
    run(db.call(nested()), || async { Ok::<_, Error>(()) })
        .await
        .unwrap();
    assert!(db.log().is_empty());
}

#[tokio::test]
async fn a_transaction_costs_two_exchanges_and_a_nested_call_one() {
    let db = FakeDb::new();
    run(db.call(nested()), || async {
        db.work().await?;
        run(db.call(nested()), || db.work()).await?;
        db.work().await
    })
    .await
    .unwrap();
    assert_eq!(
        db.log(),
        [
            "begin",
            "work",
            "savepoint 1",
            "work",
            "work",
            "commit",
            "clean"
        ]
    );
}

#[tokio::test]
async fn a_deadlock_is_retried_at_the_root_and_sends_nothing_to_dead_savepoints() {
    let db = FakeDb::new();
    db.fail([OK, OK, OK, DEADLOCK]);
    let inner = Cell::new(0);
    run(db.call(nested()), || async {
        db.work().await?;
        run(db.call(nested()), || {
            inner.set(inner.get() + 1);
            db.work()
        })
        .await
    })
    .await
    .unwrap();
    assert_eq!(inner.get(), 2, "once per attempt of the root");
    assert!(!db.log().iter().any(|s| s.starts_with("rollback to")));
    assert_eq!(db.clock.slept(), [Duration::from_millis(10)]);
}

#[tokio::test]
async fn a_lock_timeout_is_retried_at_its_savepoint() {
    let db = FakeDb::new();
    let lock = Some((FaultKind::LockTimeout, Effect::Statement));
    db.fail([OK, OK, OK, lock]);
    run(db.call(nested()), || async {
        db.work().await?;
        run(db.call(nested()), || db.work()).await
    })
    .await
    .unwrap();
    let begun = db.log().iter().filter(|s| *s == "begin").count();
    assert_eq!(begun, 1, "{:?}", db.log());
    assert!(db.log().contains(&"rollback to 1".to_owned()));
}

#[tokio::test]
async fn layered_retries_do_not_multiply() {
    let db = FakeDb::with(RetryPolicy::new().retries(3).delay(Delay::none()));
    let lock = Some((FaultKind::LockTimeout, Effect::Statement));
    // BEGIN with SAVEPOINT, then the work and ROLLBACK TO: every piece of work fails.
    db.fail([OK]);
    db.fail((0..200).map(|i| if i % 3 == 1 { lock } else { OK }));
    let executions = Cell::new(0);
    let result: Result<(), Error> = run(db.call(nested()), || async {
        run(db.call(nested()), || async {
            executions.set(executions.get() + 1);
            db.work().await
        })
        .await
    })
    .await;
    assert!(result.is_err());
    assert_eq!(executions.get(), 4, "one and three retries in all");
}

#[tokio::test]
async fn a_swallowed_fault_is_retried_and_then_reported() {
    let db = FakeDb::with(RetryPolicy::new().retries(1).delay(Delay::none()));
    // BEGIN, the work, ROLLBACK; twice.
    db.fail([OK, DEADLOCK, OK, OK, DEADLOCK]);
    let error = run(db.call(nested()), || async {
        let _ = db.work().await;
        assert!(db.work().await.is_err(), "nothing runs in a lost scope");
        Ok::<_, Error>(())
    })
    .await
    .unwrap_err()
    .0;
    assert_eq!(error.reason(), &Reason::Swallowed);
    assert_eq!(error.kind(), FaultKind::Deadlock);
    assert_eq!(error.outcome(), Outcome::RolledBack);
    assert_eq!(error.attempts(), 2);
    assert_eq!(error.stop_reason(), Some(StopReason::AttemptsExhausted));
    assert!(!db.log().contains(&"commit".to_owned()));
}

#[tokio::test]
async fn an_unanswered_commit_is_unknown_and_never_retried() {
    let db = FakeDb::new();
    db.fail([
        OK,
        OK,
        Some((FaultKind::ConnectionLost, Effect::Connection)),
    ]);
    let runs = Cell::new(0);
    let options = nested().on(FaultSet::of(FaultKind::ALL));
    let error = run(db.call(options), || {
        runs.set(runs.get() + 1);
        db.work()
    })
    .await
    .unwrap_err()
    .0;
    assert_eq!(error.kind(), FaultKind::CommitUnknown);
    assert_eq!(error.outcome(), Outcome::Unknown);
    assert_eq!(runs.get(), 1);
    assert_eq!(db.log().last().unwrap(), "discard");
}

#[tokio::test]
async fn a_refused_commit_is_rolled_back_and_retried() {
    let db = FakeDb::new();
    let refused = Some((FaultKind::SerializationFailure, Effect::Transaction));
    db.fail([OK, OK, refused]);
    run(db.call(nested()), || db.work()).await.unwrap();
    assert_eq!(
        db.log(),
        [
            "begin", "work", "commit", "rollback", "clean", "begin", "work", "commit", "clean"
        ]
    );
}

#[tokio::test]
async fn the_deadline_spans_attempts_and_no_delay_overruns_it() {
    let delay = Delay::fixed(Duration::from_millis(400));
    let db = FakeDb::with(
        RetryPolicy::new()
            .retries(100)
            .delay(delay)
            .deadline(Duration::from_secs(1)),
    );
    // BEGIN, the work, ROLLBACK; again and again.
    db.fail((0..60).map(|i| if i % 3 == 1 { DEADLOCK } else { OK }));
    let error = run(db.call(nested()), || db.work()).await.unwrap_err().0;
    assert_eq!(error.kind(), FaultKind::Deadlock);
    assert_eq!(
        error.stop_reason(),
        None,
        "the body's error, made before the call ended"
    );
    assert_eq!(db.clock.slept(), [Duration::from_millis(400); 2]);
}

#[tokio::test]
async fn an_attempt_that_takes_too_long_is_given_up_and_made_again() {
    let db = FakeDb::new();
    let runs = Cell::new(0);
    let options = nested().timeout(Duration::from_secs(1));
    run(db.call(options), || async {
        db.work().await?;
        runs.set(runs.get() + 1);
        if runs.get() == 1 {
            db.clock.advance(Duration::from_secs(2));
            tokio::task::yield_now().await;
        }
        db.work().await
    })
    .await
    .unwrap();
    assert_eq!(runs.get(), 2);
    assert_eq!(db.log()[..4], ["begin", "work", "rollback", "clean"]);
}

#[tokio::test]
async fn propagation_decides_about_the_transaction() {
    let db = FakeDb::new();
    let with = |p| nested().propagation(p);
    let alone = |p| run(db.call(with(p)), || db.work());
    assert_eq!(
        alone(Propagation::Mandatory).await.unwrap_err().0.outcome(),
        Outcome::NotSent
    );
    for p in [
        Propagation::Supports,
        Propagation::NotSupported,
        Propagation::Never,
    ] {
        alone(p).await.unwrap();
    }
    assert!(db.log().is_empty(), "none of these opens a transaction");
    run(db.call(nested()), || async {
        db.work().await?;
        assert!(alone(Propagation::Never).await.is_err());
        alone(Propagation::NotSupported).await?;
        alone(Propagation::Required).await?;
        alone(Propagation::Mandatory).await?;
        alone(Propagation::Supports).await?;
        alone(Propagation::RequiresNew).await
    })
    .await
    .unwrap();
    assert_eq!(
        db.log(),
        [
            "begin", "work", "work", "work", "work", "begin", "work", "commit", "clean", "commit",
            "clean"
        ]
    );
}

#[tokio::test]
async fn a_joined_call_that_fails_takes_its_scope_with_it() {
    let db = FakeDb::new();
    db.fail([OK, OK, Some((FaultKind::Unique, Effect::Statement))]);
    let error = run(db.call(nested()), || async {
        db.work().await?;
        let joined = nested().propagation(Propagation::Required);
        let _ = run(db.call(joined), || db.work()).await;
        Ok::<_, Error>(())
    })
    .await
    .unwrap_err()
    .0;
    assert_eq!(error.reason(), &Reason::JoinedCallFailed);
    assert_eq!(error.kind(), FaultKind::Unique);
}

#[tokio::test]
async fn a_stricter_isolation_inside_is_refused() {
    let db = FakeDb::new();
    let error = run(db.call(nested()), || {
        let strict = nested().isolation(IsolationLevel::Serializable);
        run(db.call(strict), || db.work())
    })
    .await
    .unwrap_err()
    .0;
    assert!(error.to_string().contains("outermost method"), "{error}");
}

#[tokio::test]
async fn deadlocks_may_be_retried_more_often_than_other_faults_on_one_count() {
    const LOST: Option<(FaultKind, Effect)> =
        Some((FaultKind::SerializationFailure, Effect::Transaction));
    let policy = RetryPolicy::new()
        .retries(1)
        .deadlock_retries(3)
        .delay(Delay::none());
    for (faults, attempts, ends_with) in [
        ([DEADLOCK; 4], 4, FaultKind::Deadlock),
        ([LOST; 4], 2, FaultKind::SerializationFailure),
        // The retries after deadlocks count for the others too.
        (
            [DEADLOCK, DEADLOCK, LOST, LOST],
            3,
            FaultKind::SerializationFailure,
        ),
    ] {
        let db = FakeDb::new();
        // A BEGIN before each statement.
        db.fail(faults.iter().flat_map(|fault| [OK, *fault]));
        let runs = Cell::new(0);
        let error = run(db.call(nested().policy(policy)), || {
            runs.set(runs.get() + 1);
            db.work()
        })
        .await
        .unwrap_err();
        assert_eq!(runs.get(), attempts, "{faults:?}");
        assert_eq!(error.0.kind(), ends_with, "{faults:?}");
    }
}

#[tokio::test]
async fn what_is_lost_around_a_nested_call_is_left_to_who_lost_it() {
    const LOCKED: Option<(FaultKind, Effect)> = Some((FaultKind::LockTimeout, Effect::Statement));
    let db = FakeDb::new();
    // The first time, the root's second statement; then, its first savepoint.
    for faults in [&[OK, OK, LOCKED][..], &[OK, OK, OK, LOCKED]] {
        db.fail(faults.iter().copied());
        let (roots, inner) = (Cell::new(0), Cell::new(0));
        run(db.call(nested()), || async {
            roots.set(roots.get() + 1);
            db.work().await?;
            let _ = db.work().await;
            run(db.call(nested()), || {
                inner.set(inner.get() + 1);
                db.work()
            })
            .await
        })
        .await
        .unwrap();
        assert_eq!((roots.get(), inner.get()), (2, 2));
    }
}
