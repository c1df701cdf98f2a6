//! Transactions of one method that wait for each other.

use std::{sync::Arc, time::Duration};

use resilient_core::{
    CallOptions, Effect, FaultKind, Propagation, Reason, admission::Admission, call::run,
    driver::Database as _,
};

use crate::fake::{Error, FakeDb};

const ONCE: CallOptions = CallOptions::new().retries(0);

/// A database whose calls have just taken each other's rows: one at a time is left.
async fn contended() -> Arc<FakeDb> {
    let db = FakeDb::new();
    let deadlock = (FaultKind::Deadlock, Effect::Transaction);
    let call = || Box::pin(run(db.call(ONCE), || slow(&db)));
    // One alone could be chance.
    for _ in 0..2 {
        db.fail((0..8).map(|_| None));
        db.fail((0..8).map(|_| Some(deadlock)));
        // Their rollbacks do well.
        db.fail((0..8).map(|_| None));
        let _ = tokio::join!(
            call(),
            call(),
            call(),
            call(),
            call(),
            call(),
            call(),
            call()
        );
    }
    assert_eq!(state(&db), (Some(1), 0, 0), "{:?}", db.log());
    db
}

async fn slow(db: &Arc<FakeDb>) -> Result<(), Error> {
    let result = db.work().await;
    db.clock.advance(Duration::from_millis(500));
    result
}

/// Limit, in flight and waiting.
fn state(db: &Arc<FakeDb>) -> (Option<u64>, u64, u64) {
    let found = db.context().admission();
    let now = found.first().expect("it was called");
    (now.limit, now.in_flight, now.waiting)
}

#[tokio::test]
async fn contention_lets_one_after_the_other_in() {
    let db = contended().await;
    let before = db.log().len();
    let call = || run(db.call(ONCE), || db.work());
    let (a, b, c) = tokio::join!(call(), call(), call());
    a.and(b).and(c).unwrap();
    let one = ["begin", "work", "commit", "clean"];
    assert_eq!(db.log()[before..], [one, one, one].concat());
}

#[tokio::test]
async fn without_admission_nobody_waits() {
    let db = contended().await;
    let before = db.log().len();
    let call = || {
        run(db.call(ONCE.admission(Admission::Off)), || async {
            db.work().await
        })
    };
    let (a, b) = tokio::join!(call(), call());
    a.and(b).unwrap();
    assert_eq!(db.log()[before..before + 2], ["begin", "begin"]);
}

#[tokio::test]
async fn a_transaction_inside_another_does_not_wait_for_it() {
    let db = contended().await;
    let waited = || db.context().admission()[0].waited;
    let before = waited();
    run(db.call(ONCE), || async {
        db.work().await?;
        let own = ONCE.propagation(Propagation::RequiresNew);
        run(db.call(own), || db.work()).await?;
        db.work().await
    })
    .await
    .unwrap();
    assert_eq!(waited(), before);
}

#[tokio::test]
async fn a_call_without_statements_passes_no_gate() {
    let db = contended().await;
    let inside = run(db.call(ONCE), || async {
        db.work().await?;
        let own = ONCE.propagation(Propagation::RequiresNew);
        run(db.call(own), || async { Ok::<_, Error>(()) }).await?;
        Ok::<_, Error>(state(&db))
    });
    assert_eq!(inside.await.unwrap(), (Some(1), 1, 0));
    assert_eq!(state(&db).1, 0);
}

#[tokio::test]
async fn the_wait_ends_with_the_deadline() {
    let db = contended().await;
    let deadline = Duration::from_secs(1);
    let holder = run(db.call(ONCE), || async {
        db.work().await?;
        // On a task of its own it waits.
        let late = tokio::spawn(unframed(db.clone(), deadline));
        while state(&db).2 == 0 {
            tokio::task::yield_now().await;
        }
        db.clock.advance(deadline);
        let stopped = late.await.unwrap();
        Ok::<_, Error>(stopped)
    });
    assert_eq!(holder.await.unwrap(), Reason::Deadline);
    assert_eq!(state(&db), (Some(1), 0, 0));
}

async fn unframed(db: Arc<FakeDb>, deadline: Duration) -> Reason {
    let call = run(db.call(ONCE.deadline(deadline)), || db.work());
    call.await.unwrap_err().0.reason().clone()
}
