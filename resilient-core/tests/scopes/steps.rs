//! The steps back from a failure, each counted.

use resilient_core::{
    CallOptions, Effect, FaultKind, call::run, driver::Database,
    health::recovery::RecoveryStep as Step,
};

use crate::fake::{Error, FakeDb};

const OK: Option<(FaultKind, Effect)> = None;

/// How often savepoint, root and close were tried, and worked.
fn steps(db: &FakeDb) -> [(u64, u64); 3] {
    let report = db.context().vitals().recovery().report();
    [Step::Savepoint, Step::Root, Step::Close].map(|step| {
        let counted = report.steps.iter().find(|s| s.step == step).unwrap();
        (counted.tried, counted.succeeded)
    })
}

fn once() -> CallOptions {
    CallOptions::new().retries(0)
}

/// A call in a call, both of which refuse.
async fn refuses_within(db: &std::sync::Arc<FakeDb>) -> Result<(), Error> {
    run(db.call(once()), || async {
        db.work().await?;
        run(db.call(once()), || async {
            db.work().await?;
            Err::<(), _>(refusal())
        })
        .await
    })
    .await
}

fn refusal() -> Error {
    resilient_core::Failure::application("no", None).into()
}

#[tokio::test]
async fn nothing_is_counted_while_all_goes_well() {
    let db = FakeDb::new();
    run(db.call(once()), || async {
        db.work().await?;
        run(db.call(once()), || db.work()).await
    })
    .await
    .unwrap();
    assert_eq!(steps(&db), [(0, 0); 3]);
}

#[tokio::test]
async fn each_step_that_works_is_counted() {
    let db = FakeDb::new();
    refuses_within(&db).await.unwrap_err();
    assert_eq!(steps(&db), [(1, 1), (1, 1), (0, 0)]);
}

#[tokio::test]
async fn a_savepoint_that_cannot_be_rolled_back_leads_to_closing() {
    for effect in [Effect::Statement, Effect::Connection] {
        let db = FakeDb::new();
        // begin, work, savepoint, work, rollback to
        db.fail([OK, OK, OK, OK, Some((FaultKind::Other, effect))]);
        refuses_within(&db).await.unwrap_err();
        // Nothing more is sent on a session that is not trusted.
        assert_eq!(steps(&db), [(1, 0), (1, 0), (1, 1)], "{effect:?}");
        assert_eq!(db.log().last().unwrap(), "discard");
    }
}

#[tokio::test]
async fn a_root_that_cannot_be_rolled_back_leads_to_closing() {
    let db = FakeDb::new();
    db.fail([
        OK,
        OK,
        Some((FaultKind::ConnectionLost, Effect::Connection)),
    ]);
    let result = run(db.call(once()), || async {
        db.work().await?;
        Err::<(), _>(refusal())
    });
    result.await.unwrap_err();
    assert_eq!(steps(&db), [(0, 0), (1, 0), (1, 1)]);
}
