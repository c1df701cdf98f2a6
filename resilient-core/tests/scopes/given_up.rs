//! Statements that are given up while a session is waited for, and who goes on after them.

use std::time::Duration;

use resilient_core::{
    CallOptions, Propagation, Reason,
    call::{Call, run},
    metrics,
    turns::TurnKeys,
};

use crate::fake::{Error, FakeDb};

/// Gives up what does not end by itself.
async fn briefly<T>(future: impl Future<Output = T>) -> Option<T> {
    let limit = Duration::from_millis(50);
    tokio::time::timeout(limit, future).await.ok()
}

fn free(db: &FakeDb) {
    db.server.lock().unwrap().stuck = false;
}

const ALONE: CallOptions = CallOptions::new().propagation(Propagation::RequiresNew);

#[tokio::test]
async fn the_next_one_waits_for_a_session_anew() {
    let db = FakeDb::new();
    db.server.lock().unwrap().stuck = true;
    run(db.call(CallOptions::new()), || async {
        assert!(briefly(db.work()).await.is_none());
        free(&db);
        db.work().await
    })
    .await
    .unwrap();
    assert_eq!(db.log(), ["begin", "work", "commit", "clean"]);
}

/// BEGIN was lost on a session of which nobody knew whether it still lives, and another one is
/// waited for.
#[tokio::test]
async fn the_next_one_begins_after_a_begin_that_was_lost() {
    let db = FakeDb::new();
    {
        let mut server = db.server.lock().unwrap();
        (server.stale, server.lose) = (true, 1);
    }
    run(db.call(CallOptions::new()), || async {
        assert!(briefly(db.work()).await.is_none());
        free(&db);
        db.work().await
    })
    .await
    .unwrap();
    let after = ["begin", "work", "commit", "clean"];
    assert_eq!(
        db.log(),
        [&["begin lost", "discard"][..], &after[..]].concat()
    );
}

#[tokio::test]
async fn the_writers_turn_is_not_waited_for_any_more() {
    let db = FakeDb::with_one_writer();
    db.server.lock().unwrap().stuck = true;
    run(db.call(CallOptions::new()), || async {
        assert!(briefly(db.work()).await.is_none());
        free(&db);
        run(db.call(ALONE), || db.work()).await
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn keys_can_still_be_named() {
    let db = FakeDb::new();
    db.server.lock().unwrap().stuck = true;
    run(db.call(CallOptions::new()), || async {
        assert!(briefly(db.work()).await.is_none());
        free(&db);
        let method = metrics::global().method("fake");
        let keys = TurnKeys::new().and(&1);
        let call = Call::in_turn(&db, method, CallOptions::new(), keys);
        run(call, || db.work()).await
    })
    .await
    .unwrap();
}

/// The one writer of a file is the same whichever pool it came by: waiting for it would be waiting
/// for the caller.
#[tokio::test]
async fn the_writer_of_another_pool_of_the_same_file_is_not_waited_for() {
    let (one, other) = FakeDb::one_file();
    let all = run(one.call(CallOptions::new()), || async {
        one.work().await?;
        let inner = run(other.call(CallOptions::new()), || other.work()).await;
        let Err(Error(refused)) = inner else {
            panic!("two writers of one file");
        };
        assert!(matches!(refused.reason(), Reason::Misuse(_)), "{refused}");
        Ok::<_, Error>(())
    });
    briefly(all).await.expect("it waits for itself").unwrap();
    assert!(other.log().is_empty(), "{:?}", other.log());
}
