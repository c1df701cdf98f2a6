//! Transactions that somebody else ends while their owner waits.

use std::{
    cell::Cell,
    future::{Future, pending, poll_fn},
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::Poll,
};

use resilient_core::{
    CallOptions, Outcome,
    call::run,
    scope::{HookKind, Place, Scope, current},
};

use crate::fake::{Error, FakeDb};

type Kept = Mutex<Option<Scope<FakeDb>>>;

fn scope(db: &Arc<FakeDb>) -> Scope<FakeDb> {
    match current(db) {
        Place::Scope(scope) => scope,
        place => panic!("{place:?}"),
    }
}

/// Polls until the condition holds.
async fn poll_until<F: Future>(mut future: Pin<&mut F>, reached: impl Fn() -> bool) {
    for _ in 0..100 {
        if reached() {
            return;
        }
        let ended = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_ready())).await;
        assert!(!ended, "it has ended before");
    }
    panic!("it never comes to that");
}

#[tokio::test]
async fn between_the_last_look_and_commit_it_is_not_committed() {
    let (db, kept) = (FakeDb::new(), Kept::default());
    let heard = Arc::new(Mutex::new(Vec::new()));
    let mut call = pin!(run(db.call(CallOptions::new().retries(0)), || async {
        db.work().await?;
        // Its rollback is due, and goes out before COMMIT.
        let answered = Cell::new(false);
        let dropped = run(db.call(CallOptions::new()), || async {
            db.work().await?;
            answered.set(true);
            pending::<Result<(), Error>>().await
        });
        poll_until(pin!(dropped), || answered.get()).await;
        for kind in [HookKind::AfterCommit, HookKind::AfterRollback] {
            let heard = Arc::clone(&heard);
            let hook = move || async move { heard.lock().unwrap().push(kind) };
            scope(&db).hook(kind, hook).unwrap();
        }
        *kept.lock().unwrap() = Some(scope(&db));
        Ok::<_, Error>(())
    }));
    poll_until(call.as_mut(), || {
        db.log().last().is_some_and(|last| last == "rollback to 1")
    })
    .await;
    let outside = kept.lock().unwrap().take().unwrap();
    outside.recover().await;
    let error = call.await.unwrap_err().0;
    assert_eq!(error.outcome(), Outcome::RolledBack, "{error}");
    assert!(!db.log().contains(&"commit".to_owned()), "{:?}", db.log());
    // On a task of its own.
    while heard.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(*heard.lock().unwrap(), [HookKind::AfterRollback]);
    assert_eq!(db.server.lock().unwrap().busy, 0);
}

#[tokio::test]
async fn while_it_waits_for_a_connection_it_does_not_begin() {
    let (db, kept) = (FakeDb::new(), Kept::default());
    let mut call = pin!(run(db.call(CallOptions::new().retries(0)), || async {
        *kept.lock().unwrap() = Some(scope(&db));
        db.work().await
    }));
    poll_until(call.as_mut(), || kept.lock().unwrap().is_some()).await;
    let outside = kept.lock().unwrap().take().unwrap();
    outside.recover().await;
    assert!(call.await.is_err());
    assert_eq!(db.log(), ["clean"], "the connection came, and went back");
    assert_eq!(db.server.lock().unwrap().busy, 0);
}
