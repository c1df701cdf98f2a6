//! Verified commits: what is asked when the answer to COMMIT is lost, and what follows.

use std::{cell::Cell, time::Duration};

use resilient_core::{
    CallOptions, CommitMode, CommitStatus, CommitToken, Effect, FaultKind, FaultSet, Outcome,
    call::run,
    commit::resolve,
    policy::Delay,
    time::{Clock, unix_ms},
};

use crate::fake::{Error, FakeDb};

const LOST: Option<(FaultKind, Effect)> = Some((FaultKind::ConnectionLost, Effect::Connection));
const DOWN: Option<(FaultKind, Effect)> = Some((FaultKind::ServerUnavailable, Effect::Connection));
const OK: Option<(FaultKind, Effect)> = None;

fn verified() -> CallOptions {
    CallOptions::new()
        .commit(CommitMode::Verified)
        .delay(Delay::none())
}

#[tokio::test]
async fn a_lost_answer_to_what_was_stored_gives_the_bodys_value() {
    let db = FakeDb::new();
    db.fail([OK, OK, LOST]);
    db.server.lock().unwrap().applied.push_back(true);
    let runs = Cell::new(0);
    let value = run(db.call(verified()), || async {
        runs.set(runs.get() + 1);
        db.work().await?;
        Ok::<_, Error>(runs.get())
    })
    .await
    .unwrap();
    assert_eq!((value, runs.get()), (1, 1));
    assert_eq!(
        db.log(),
        [
            "begin",
            "work",
            "marker, commit",
            "discard",
            "fence",
            "clean"
        ]
    );
}

#[tokio::test]
async fn a_lost_answer_to_what_was_not_stored_is_retried_under_another_token() {
    let db = FakeDb::new();
    db.fail([OK, OK, LOST]);
    let runs = Cell::new(0);
    run(db.call(verified()), || {
        runs.set(runs.get() + 1);
        db.work()
    })
    .await
    .unwrap();
    assert_eq!(runs.get(), 2);
    let markers = db.server.lock().unwrap().markers.clone();
    let fences: Vec<bool> = markers.into_values().collect();
    assert_eq!(fences, [true, false], "a fence, then the commit");
}

#[tokio::test]
async fn not_stored_is_certain_even_where_it_is_not_retried() {
    let db = FakeDb::new();
    db.fail([OK, OK, LOST]);
    let error = run(db.call(verified().on(FaultSet::NONE)), || db.work())
        .await
        .unwrap_err()
        .0;
    assert_eq!(error.kind(), FaultKind::ConnectionLost);
    assert_eq!(error.outcome(), Outcome::RolledBack);
    assert_eq!(error.commit_token(), None);
}

#[tokio::test]
async fn a_fence_whose_own_answer_is_lost_is_not_taken_for_the_commit() {
    let db = FakeDb::new();
    db.fail([OK, OK, LOST, DOWN, LOST, LOST]);
    let runs = Cell::new(0);
    run(db.call(verified()), || {
        runs.set(runs.get() + 1);
        db.work()
    })
    .await
    .unwrap();
    assert_eq!(runs.get(), 2);
    assert_eq!(db.log().iter().filter(|s| *s == "fence").count(), 4);
}

#[tokio::test]
async fn a_database_that_does_not_come_back_leaves_it_unknown_with_a_token_to_ask_by() {
    let db = FakeDb::new();
    db.fail([OK, OK, LOST]);
    db.fail([DOWN; 1000]);
    let options = verified().deadline(Duration::from_secs(10));
    let runs = Cell::new(0);
    let error = run(db.call(options), || {
        runs.set(runs.get() + 1);
        db.work()
    })
    .await
    .unwrap_err()
    .0;
    assert_eq!(error.kind(), FaultKind::CommitUnknown);
    assert_eq!(error.outcome(), Outcome::Unknown);
    assert_eq!(runs.get(), 1, "never retried blindly");
    let token = error.commit_token().expect("a token");
    let unanswered = error.unanswered().expect("why nobody could tell");
    assert_eq!(unanswered.fault.kind(), FaultKind::ServerUnavailable);
    let text = error.to_string();
    assert!(text.contains(&token.to_string()), "{text}");
    let waited: Duration = db.clock.slept().iter().sum();
    assert!(waited <= Duration::from_secs(10), "{waited:?}");
    assert!(waited >= Duration::from_secs(9), "{waited:?}");
}

#[tokio::test]
async fn a_failure_that_asking_again_does_not_heal_ends_the_asking() {
    let db = FakeDb::new();
    db.fail([
        OK,
        OK,
        LOST,
        Some((FaultKind::Permission, Effect::Statement)),
    ]);
    let error = run(db.call(verified()), || db.work()).await.unwrap_err().0;
    assert_eq!(error.outcome(), Outcome::Unknown);
    assert!(db.clock.slept().is_empty());
}

#[tokio::test]
async fn what_was_not_seen_to_write_is_unknown_unless_it_is_declared_read_only() {
    let db = FakeDb::new();
    db.fail([OK, OK, LOST]);
    let error = run(db.call(verified()), || db.read()).await.unwrap_err().0;
    assert_eq!(error.outcome(), Outcome::Unknown);
    assert_eq!(error.commit_token(), None);
    assert!(error.to_string().contains("read_only"), "{error}");

    let db = FakeDb::new();
    db.fail([OK, OK, LOST]);
    run(db.call(verified().read_only()), || db.read())
        .await
        .unwrap();
    assert_eq!(
        db.log(),
        [
            "begin", "read", "commit", "discard", "begin", "read", "commit", "clean"
        ]
    );
}

#[tokio::test]
async fn a_refused_marker_or_commit_is_rolled_back_and_retried() {
    let db = FakeDb::new();
    let refused = Some((FaultKind::SerializationFailure, Effect::Transaction));
    db.fail([OK, OK, refused]);
    run(db.call(verified()), || db.work()).await.unwrap();
    assert_eq!(
        db.log(),
        [
            "begin",
            "work",
            "marker, commit",
            "rollback",
            "clean",
            "begin",
            "work",
            "marker, commit",
            "clean"
        ]
    );
}

#[tokio::test]
async fn a_nested_method_that_asks_for_it_makes_the_whole_transaction_verified() {
    let db = FakeDb::new();
    run(db.call(CallOptions::new()), || async {
        db.work().await?;
        run(db.call(verified()), || db.read()).await
    })
    .await
    .unwrap();
    assert!(
        db.log().contains(&"marker, commit".to_owned()),
        "{:?}",
        db.log()
    );
    // What was sent before it asked may have written; nobody looked.
    assert_eq!(db.server.lock().unwrap().markers.len(), 1);
}

/// As one whose clock is so many minutes ahead made it.
fn token_ahead(minutes: u64) -> CommitToken {
    let made = unix_ms() + minutes * 60_000;
    format!("{made:012x}{:020x}", 1).parse().unwrap()
}

#[tokio::test]
async fn a_token_of_the_future_is_refused_before_it_leaves_a_fence() {
    let db = FakeDb::new();
    let until = db.clock.now() + Duration::from_secs(10);
    // Nothing that is tidied would ever be as young as the fence's row.
    let error = resolve(&db, token_ahead(6), until).await.unwrap_err();
    let advice = error.advice.unwrap_or_default();
    assert!(advice.contains("made in the future"), "{advice}");
    assert!(db.log().is_empty(), "{:?}", db.log());
    // Clocks may be that far apart.
    let status = resolve(&db, token_ahead(4), until).await.unwrap();
    assert_eq!(status, CommitStatus::NotCommitted);
}
