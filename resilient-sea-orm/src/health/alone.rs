//! Work that neither its caller's transaction nor its own panic can touch.

use std::{future::Future, time::Duration};

use tokio::{task::JoinSet, time::Instant};

/// Why work has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// The time was up.
    TimedOut,
    /// It panicked.
    Panicked,
}

impl Cut {
    pub(super) fn text(self, limit: Duration) -> String {
        match self {
            Self::TimedOut => format!("it was not done within {limit:.1?}"),
            Self::Panicked => "it panicked".to_owned(),
        }
    }
}

/// Runs it as a task, which is outside of every transaction, until `end`. Dropped, it ends at
/// its next await point.
pub(super) async fn alone<T: Send + 'static>(
    end: Instant,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, Cut> {
    // Dropping the set ends the task in it.
    let mut set = JoinSet::new();
    set.spawn(work);
    match tokio::time::timeout_at(end, set.join_next()).await {
        Ok(Some(Ok(done))) => Ok(done),
        Ok(Some(Err(_)) | None) => Err(Cut::Panicked),
        Err(_) => Err(Cut::TimedOut),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_or_a_hang_is_not_its_callers() {
        let soon = || Instant::now() + Duration::from_mins(1);
        assert_eq!(alone(soon(), async { 7 }).await, Ok(7));
        let past = soon() < Instant::now();
        let panics = async move { assert!(past, "on purpose") };
        assert_eq!(alone(soon(), panics).await, Err(Cut::Panicked));
        let hangs = std::future::pending::<()>();
        assert_eq!(alone(Instant::now(), hangs).await, Err(Cut::TimedOut));
    }
}
