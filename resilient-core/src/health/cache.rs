//! Answers of checks from before.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{
    check::{CheckReport, CheckStatus, CheckStrategy},
    shared::Shared,
};
use crate::time::Clock;

/// So many different checks are remembered; a user's queries could be made up without end.
const MAX_CHECKS: usize = 256;

/// The latest report of each check.
#[derive(Debug, Default)]
pub struct CheckCache {
    slots: Mutex<HashMap<CheckStrategy, Arc<Slot>>>,
}

type Slot = Shared<CheckReport>;

impl CheckCache {
    fn slot(&self, strategy: &CheckStrategy) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(strategy) {
            return Arc::clone(slot);
        }
        if slots.len() >= MAX_CHECKS {
            slots.clear();
        }
        let slot = Arc::new(Slot::default());
        slots.insert(strategy.clone(), Arc::clone(&slot));
        slot
    }

    /// An answer that is at most `good_for` old, or else a new one by `check`.
    ///
    /// With `force` no answer is taken that was there before this call. One that is being made
    /// is waited for: nobody waits for more than one check.
    ///
    /// # Cancel safety
    /// If the one who makes the check is dropped, the next in line makes it.
    pub async fn get<F: Future<Output = CheckReport>>(
        &self,
        clock: &dyn Clock,
        strategy: &CheckStrategy,
        good_for: Duration,
        force: bool,
        check: impl FnOnce() -> F,
    ) -> CheckReport {
        let slot = self.slot(strategy);
        let count = |report: &mut CheckReport, before: Option<&CheckReport>| {
            let before = before.map_or(0, |report| report.consecutive_failures);
            report.consecutive_failures = match report.status {
                CheckStatus::Unhealthy => before.saturating_add(1),
                _ => 0,
            };
        };
        let good_for = if force { Duration::ZERO } else { good_for };
        let (mut report, known) = slot.get_after(clock, good_for, check, count).await;
        report.from_cache = known;
        report
    }

    /// The latest reports, without waiting for a check that is being made.
    pub fn latest(&self) -> Vec<CheckReport> {
        let slots: Vec<Arc<Slot>> = {
            let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            slots.values().cloned().collect()
        };
        slots.iter().filter_map(|slot| slot.latest()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::{health::check::Finding, time::FakeClock};

    const GOOD_FOR: Duration = Duration::from_secs(5);

    fn report(good: bool) -> CheckReport {
        let finding = if good {
            Finding::good()
        } else {
            Finding::bad("down", None)
        };
        finding.grade(CheckStrategy::Quick, Duration::ZERO, GOOD_FOR)
    }

    #[tokio::test]
    async fn an_answer_is_good_for_a_while_unless_forced() {
        let (cache, clock, made) = (CheckCache::default(), FakeClock::new(), AtomicU32::new(0));
        let ask = async |force| {
            let check = || async {
                made.fetch_add(1, Ordering::SeqCst);
                report(false)
            };
            cache
                .get(&clock, &CheckStrategy::Quick, GOOD_FOR, force, check)
                .await
        };
        assert!(!ask(false).await.from_cache);
        clock.advance(Duration::from_secs(4));
        let second = ask(false).await;
        assert!(second.from_cache);
        assert_eq!(second.consecutive_failures, 1);
        clock.advance(Duration::from_secs(1));
        assert_eq!(ask(false).await.consecutive_failures, 2);
        clock.advance(Duration::from_millis(1));
        assert_eq!(ask(true).await.consecutive_failures, 3);
        assert_eq!(made.into_inner(), 3);
        assert_eq!(cache.latest().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_ask_together_share_one_check() {
        let cache = CheckCache::default();
        let made = AtomicU32::new(0);
        let clock = crate::time::TokioClock;
        let ask = |force| {
            let check = || async {
                made.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_secs(1)).await;
                report(true)
            };
            cache.get(&clock, &CheckStrategy::Quick, Duration::ZERO, force, check)
        };
        let all = futures(20, || ask(true)).await;
        assert_eq!(made.swap(0, Ordering::SeqCst), 1);
        assert_eq!(all.iter().filter(|r| r.from_cache).count(), 19);
        futures(20, || ask(false)).await;
        assert_eq!(made.swap(0, Ordering::SeqCst), 1);
        // Whoever makes it goes away: the next in line makes it.
        let gone = tokio::time::timeout(Duration::from_millis(500), ask(true));
        let (gone, next) = tokio::join!(gone, ask(true));
        assert!(gone.is_err() && !next.from_cache);
        assert_eq!(made.load(Ordering::SeqCst), 2);
    }

    /// Runs so many at the same time.
    async fn futures<F: Future>(n: usize, make: impl Fn() -> F) -> Vec<F::Output> {
        let mut all: Vec<_> = (0..n).map(|_| Box::pin(make())).collect();
        let mut out = Vec::new();
        std::future::poll_fn(|cx| {
            all.retain_mut(|f| match f.as_mut().poll(cx) {
                std::task::Poll::Ready(value) => {
                    out.push(value);
                    false
                }
                std::task::Poll::Pending => true,
            });
            if all.is_empty() {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
        out
    }
}
