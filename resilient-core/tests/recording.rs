//! Metrics that are switched off. A process of its own, as that is for all of one.
#![allow(missing_docs, clippy::unwrap_used)]

use std::{sync::Arc, time::Duration};

use resilient_core::{
    DriverError, Effect, Failure, Fault, FaultKind, IsolationLevel,
    call::{Call, Site, run},
    driver::{Context, Control, Database, Disposal, Session, SharedContext},
    metrics,
};

#[derive(Debug)]
struct Nothing(SharedContext);

#[derive(Debug)]
struct NoSession;

impl Session for NoSession {
    async fn control(&mut self, _: &[Control]) -> Result<(), DriverError> {
        Ok(())
    }

    fn dispose(self, _: Disposal) {}
}

impl Database for Nothing {
    type Session = NoSession;
    type Error = Failure;

    async fn acquire(&self) -> Result<NoSession, DriverError> {
        Ok(NoSession)
    }

    fn context(&self) -> &SharedContext {
        &self.0
    }
}

async fn calls(db: &Arc<Nothing>, site: &'static Site) {
    run(site.enter(db, None), || async { Ok::<_, Failure>(()) })
        .await
        .unwrap();
    let fault = || Fault::new(FaultKind::Other, Effect::Statement);
    let method = metrics::global().method("recording");
    let options = resilient_core::CallOptions::new().deadline(Duration::from_secs(9));
    run(Call::new(db, method, options), || async {
        Err::<(), _>(Failure::database(fault().into()))
    })
    .await
    .unwrap_err();
    drop(run(site.enter(db, None), || async { Ok::<_, Failure>(()) }));
}

#[tokio::test]
async fn nothing_is_counted_while_it_is_off_and_everything_again_afterwards() {
    static SITE: Site = Site::new("recording", resilient_core::CallOptions::new());
    let context = Context::new("recording", IsolationLevel::ReadCommitted);
    let db = Arc::new(Nothing(context.into()));
    metrics::global().set_recording(false);
    assert!(!metrics::is_recording());
    calls(&db, &SITE).await;
    let counted = metrics::global().snapshot().method("recording");
    assert_eq!(
        (counted.calls, counted.attempts, counted.latency.count),
        (0, 0, 0)
    );
    metrics::global().set_recording(true);
    calls(&db, &SITE).await;
    let counted = metrics::global().snapshot().method("recording");
    assert_eq!(
        (counted.calls, counted.attempts, counted.latency.count),
        (2, 2, 2)
    );
}
