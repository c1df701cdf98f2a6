//! The shortest way to cut a connection around one COMMIT.

use std::sync::Arc;

use crate::error::Error;
use crate::proxy::{Ending, Fault, Plan, Proxy};
use crate::test_db::TestDb;

/// What happens to the next COMMIT that passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The connection ends, and the server never sees the COMMIT.
    BeforeCommit,
    /// The server has answered, and the connection ends before its answer is forwarded.
    ReplyLost,
    /// The server has answered, and nothing is forwarded any more; the connection stays open.
    ReplyHeld,
    /// The answer is forwarded, and nothing after it; the connection stays open.
    SilentAfterReply,
}

/// A [`Proxy`] that knows the faults of [`Cut`] only, and ends with the runtime it was started in
/// rather than with this value.
#[derive(Debug)]
pub struct CutProxy(Arc<Proxy>);

impl CutProxy {
    /// Starts a proxy before the server of `test`.
    ///
    /// # Errors
    /// If no port is free, or for `SQLite`, which has no server.
    pub async fn before(test: &TestDb) -> Result<Self, Error> {
        let proxy = Arc::new(Proxy::before(test).await?);
        let kept = Arc::clone(&proxy);
        tokio::spawn(async move {
            std::future::pending::<()>().await;
            drop(kept);
        });
        Ok(Self(proxy))
    }

    /// The way to the database through the proxy.
    pub fn url(&self) -> &str {
        self.0.url()
    }

    /// Does this to the next COMMIT, once.
    pub fn cut_next(&self, cut: Cut) {
        self.0.calm();
        self.0.add(Plan::new(match cut {
            Cut::BeforeCommit => Fault::NotApplied(Ending::Fin),
            Cut::ReplyLost => Fault::Applied(Ending::Fin),
            Cut::ReplyHeld => Fault::Applied(Ending::Silence),
            Cut::SilentAfterReply => Fault::SilentAfter,
        }));
    }
}
