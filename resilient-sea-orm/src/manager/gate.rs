//! One recovery at a time for each database: those who ask together share it.

use std::{
    future::Future,
    sync::atomic::{AtomicU64, Ordering},
};

use resilient_core::health::recovery::Recovery;
use tokio::sync::Mutex as AsyncMutex;

use crate::Result;

/// Keeps many sessions from asking a server that has just come back all at once.
#[derive(Debug, Default)]
pub(super) struct Gate {
    begun: AtomicU64,
    /// The number of the last recovery that ended, and what it came to.
    last: AsyncMutex<Option<(u64, Result<Recovery>)>>,
}

impl Gate {
    /// What a recovery comes to that began after this was asked for: somebody else's, or `make`'s.
    /// Nobody waits for more than two.
    ///
    /// # Cancel safety
    /// If the one who makes it is dropped, the next in line makes it.
    pub(super) async fn pass<F: Future<Output = Result<Recovery>>>(
        &self,
        make: impl FnOnce() -> F,
    ) -> Result<Recovery> {
        let asked = self.begun.load(Ordering::SeqCst);
        let mut last = self.last.lock().await;
        if let Some((number, result)) = &*last
            && *number > asked
        {
            return result.clone();
        }
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let result = make().await;
        *last = Some((number, result.clone()));
        result
    }
}
