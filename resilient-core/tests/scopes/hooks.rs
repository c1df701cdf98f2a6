//! Hooks: which run, when, and in which order.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use resilient_core::{
    CallOptions, CommitMode, Effect, Failure, FaultKind, Propagation,
    call::run,
    policy::Delay,
    scope::{HookKind, Place, current},
};

use crate::fake::{Error, FakeDb};

const LOST: Option<(FaultKind, Effect)> = Some((FaultKind::ConnectionLost, Effect::Connection));

#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<&'static str>>>);

impl Heard {
    fn on(&self, db: &Arc<FakeDb>, kind: HookKind, what: &'static str) {
        let Place::Scope(scope) = current(db) else {
            panic!("no scope");
        };
        let heard = self.clone();
        scope
            .hook(kind, move || async move {
                tokio::task::yield_now().await;
                heard.0.lock().unwrap().push(what);
            })
            .unwrap();
    }

    fn commit(&self, db: &Arc<FakeDb>, what: &'static str) {
        self.on(db, HookKind::AfterCommit, what);
    }

    fn rollback(&self, db: &Arc<FakeDb>, what: &'static str) {
        self.on(db, HookKind::AfterRollback, what);
    }

    fn all(&self) -> Vec<&'static str> {
        self.0.lock().unwrap().clone()
    }

    /// Waits for those that run in the background.
    async fn settled(&self, count: usize) -> Vec<&'static str> {
        for _ in 0..1000 {
            if self.all().len() >= count {
                break;
            }
            tokio::task::yield_now().await;
        }
        self.all()
    }
}

fn no() -> Error {
    Error(Failure::misuse("no"))
}

#[tokio::test]
async fn hooks_of_an_attempt_that_failed_are_dropped_and_its_rollbacks_run() {
    let (db, heard) = (FakeDb::new(), Heard::default());
    let deadlock = Some((FaultKind::Deadlock, Effect::Transaction));
    db.fail([None, deadlock]);
    run(db.call(CallOptions::new()), || async {
        heard.commit(&db, "commit");
        heard.rollback(&db, "rollback");
        db.work().await
    })
    .await
    .unwrap();
    assert_eq!(heard.all(), ["rollback", "commit"]);
}

#[tokio::test]
async fn nested_scopes_hand_up_and_keep_the_order_of_registration() {
    let (db, heard) = (FakeDb::new(), Heard::default());
    run(db.call(CallOptions::new()), || async {
        heard.commit(&db, "a");
        run(db.call(CallOptions::new()), || async {
            db.work().await?;
            heard.commit(&db, "b");
            let joined = CallOptions::new().propagation(Propagation::Required);
            run(db.call(joined), || async {
                heard.commit(&db, "c");
                Ok::<_, Error>(())
            })
            .await
        })
        .await?;
        let undone = run(db.call(CallOptions::new()), || async {
            heard.commit(&db, "never");
            heard.rollback(&db, "d");
            db.work().await?;
            Err::<(), _>(no())
        })
        .await;
        assert!(undone.is_err() && heard.all().is_empty());
        heard.commit(&db, "e");
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
    assert_eq!(heard.all(), ["a", "b", "c", "d", "e"]);
}

#[tokio::test]
async fn requires_new_has_its_own() {
    let (db, heard) = (FakeDb::new(), Heard::default());
    let result = run(db.call(CallOptions::new()), || async {
        heard.commit(&db, "outer");
        heard.rollback(&db, "outer undone");
        let new = CallOptions::new().propagation(Propagation::RequiresNew);
        run(db.call(new), || async {
            heard.commit(&db, "inner");
            db.work().await
        })
        .await?;
        assert_eq!(heard.all(), ["inner"]);
        Err::<(), _>(no())
    })
    .await;
    assert!(result.is_err());
    assert_eq!(heard.all(), ["inner", "outer undone"]);
}

#[tokio::test]
async fn an_unknown_commit_runs_neither() {
    let (db, heard) = (FakeDb::new(), Heard::default());
    db.fail([None, None, LOST]);
    let result = run(db.call(CallOptions::new()), || async {
        heard.commit(&db, "commit");
        heard.rollback(&db, "rollback");
        db.work().await
    })
    .await;
    assert!(result.is_err() && heard.settled(1).await.is_empty());
}

#[tokio::test]
async fn a_hook_that_fails_or_panics_changes_nothing() {
    let (db, heard) = (FakeDb::new(), Heard::default());
    let before = db.metrics();
    run(db.call(CallOptions::new()), || async {
        let Place::Scope(scope) = current(&db) else {
            panic!("no scope");
        };
        let hook = || async { Err::<(), _>("no such queue") };
        scope.hook(HookKind::AfterCommit, hook).unwrap();
        let hook = || async { panic!("a hook") };
        scope.hook::<_, ()>(HookKind::AfterCommit, hook).unwrap();
        heard.commit(&db, "after them");
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
    assert_eq!(heard.all(), ["after them"]);
    let after = db.metrics();
    assert_eq!(after.0 - before.0, 3);
    assert_eq!(after.1 - before.1, 2);
}

/// Polls a call so many times, then drops it; answers what was heard, and whether it is stored.
async fn cut_after(polls: usize, options: CallOptions, applied: bool) -> (Vec<&'static str>, bool) {
    let (db, heard) = (FakeDb::new(), Heard::default());
    if applied {
        db.server.lock().unwrap().applied.push_back(true);
    }
    db.fail([None, None, LOST]);
    {
        let call = run(db.call(options), || async {
            heard.commit(&db, "commit");
            heard.rollback(&db, "rollback");
            db.work().await
        });
        let mut call = std::pin::pin!(call);
        for _ in 0..polls {
            let polled = std::future::poll_fn(|cx| {
                std::task::Poll::Ready(call.as_mut().poll(cx).is_ready())
            });
            if polled.await {
                break;
            }
        }
    }
    let heard = heard.settled(2).await;
    let stored = db
        .server
        .lock()
        .unwrap()
        .markers
        .values()
        .any(|fence| !fence);
    (heard, stored)
}

#[tokio::test]
async fn a_verified_call_that_is_dropped_at_any_await_still_hears_what_became_of_it() {
    let verified = CallOptions::new()
        .commit(CommitMode::Verified)
        .delay(Delay::fixed(Duration::from_millis(1)));
    for applied in [true, false] {
        for polls in 1..12 {
            let (heard, stored) = cut_after(polls, verified, applied).await;
            let commits = heard.iter().filter(|h| **h == "commit").count();
            assert_eq!(commits, usize::from(stored), "{applied} {polls}: {heard:?}");
            let undone = !stored || !applied && heard.len() > 1;
            let rollbacks = heard.iter().filter(|h| **h == "rollback").count();
            assert_eq!(
                rollbacks,
                usize::from(undone),
                "{applied} {polls}: {heard:?}"
            );
        }
    }
}
