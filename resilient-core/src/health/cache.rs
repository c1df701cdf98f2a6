//! Answers of checks from before, and one check for all who ask at the same time.

use std::{
    collections::HashMap,
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::Mutex as AsyncMutex;

use super::check::{CheckReport, CheckStatus, CheckStrategy};
use crate::time::Clock;

/// So many different checks are remembered; a user's queries could be made up without end.
const MAX_CHECKS: usize = 256;

/// The latest report of each check.
#[derive(Debug, Default)]
pub struct CheckCache {
    slots: Mutex<HashMap<CheckStrategy, Arc<Slot>>>,
    /// Orders what is asked and answered, as clocks may stand still.
    order: AtomicU64,
}

#[derive(Debug, Default)]
struct Slot {
    /// Whoever holds the lock makes the check; the others wait for its answer.
    answer: AsyncMutex<Option<Answer>>,
    /// The latest report, for those who do not wait.
    latest: Mutex<Option<CheckReport>>,
}

impl Slot {
    fn latest(&self) -> MutexGuard<'_, Option<CheckReport>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Answer {
    ended: u64,
    at: Instant,
    report: CheckReport,
}

impl CheckCache {
    fn next(&self) -> u64 {
        self.order.fetch_add(1, Ordering::Relaxed)
    }

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
        let asked = self.next();
        let slot = self.slot(strategy);
        let mut answer = slot.answer.lock().await;
        if let Some(known) = &*answer {
            let young = || clock.now().saturating_duration_since(known.at) < good_for;
            let fresh = known.ended > asked || (!force && young());
            if fresh {
                let mut report = known.report.clone();
                report.from_cache = true;
                return report;
            }
        }
        let mut report = check().await;
        let before = answer.as_ref().map_or(0, |a| a.report.consecutive_failures);
        report.consecutive_failures = match report.status {
            CheckStatus::Unhealthy => before.saturating_add(1),
            _ => 0,
        };
        *slot.latest() = Some(report.clone());
        *answer = Some(Answer {
            ended: self.next(),
            at: clock.now(),
            report: report.clone(),
        });
        report
    }

    /// The latest reports, without waiting for a check that is being made.
    pub fn latest(&self) -> Vec<CheckReport> {
        let slots: Vec<Arc<Slot>> = {
            let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            slots.values().cloned().collect()
        };
        slots
            .iter()
            .filter_map(|slot| slot.latest().clone())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

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
        let made_now = ask(true);
        let reads = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            assert_eq!(cache.latest().len(), 1, "the one before");
        };
        tokio::join!(made_now, reads);
        made.fetch_sub(1, Ordering::SeqCst);
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
