//! An answer that is good for a while, and made once for all who ask at the same time.

use std::{
    future::Future,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::Mutex as AsyncMutex;

use crate::time::Clock;

/// The latest answer to one question.
#[derive(Debug)]
pub struct Shared<T> {
    /// Whoever holds the lock makes the answer; the others wait for it.
    answer: AsyncMutex<Option<Answer<T>>>,
    /// The latest one, for those who do not wait.
    latest: Mutex<Option<T>>,
    /// Orders what is asked and answered, as clocks may stand still.
    order: AtomicU64,
}

#[derive(Debug)]
struct Answer<T> {
    ended: u64,
    at: Instant,
    value: T,
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self {
            answer: AsyncMutex::new(None),
            latest: Mutex::new(None),
            order: AtomicU64::new(0),
        }
    }
}

impl<T: Clone> Shared<T> {
    fn next(&self) -> u64 {
        self.order.fetch_add(1, Ordering::Relaxed)
    }

    /// An answer that is less than `good_for` old, or else a new one by `make`; and whether
    /// somebody else had made it.
    ///
    /// One that is being made is waited for and taken, also if `good_for` is zero: nobody waits
    /// for more than one.
    ///
    /// # Cancel safety
    /// If the one who makes the answer is dropped, the next in line makes it.
    pub async fn get<F: Future<Output = T>>(
        &self,
        clock: &dyn Clock,
        good_for: Duration,
        make: impl FnOnce() -> F,
    ) -> (T, bool) {
        self.get_after(clock, good_for, make, |_, _| {}).await
    }

    /// The same; `adjust` sees a new answer and the one before.
    pub(super) async fn get_after<F: Future<Output = T>>(
        &self,
        clock: &dyn Clock,
        good_for: Duration,
        make: impl FnOnce() -> F,
        adjust: impl FnOnce(&mut T, Option<&T>),
    ) -> (T, bool) {
        let asked = self.next();
        let mut answer = self.answer.lock().await;
        if let Some(known) = &*answer {
            let young = clock.now().saturating_duration_since(known.at) < good_for;
            if known.ended > asked || young {
                return (known.value.clone(), true);
            }
        }
        let mut value = make().await;
        adjust(&mut value, answer.as_ref().map(|known| &known.value));
        *self.known() = Some(value.clone());
        *answer = Some(Answer {
            ended: self.next(),
            at: clock.now(),
            value: value.clone(),
        });
        (value, false)
    }

    /// The latest answer, without waiting for one that is being made.
    pub fn latest(&self) -> Option<T> {
        self.known().clone()
    }

    fn known(&self) -> MutexGuard<'_, Option<T>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
