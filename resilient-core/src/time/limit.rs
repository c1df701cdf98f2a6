//! Time limits for what is expected to end well before them.

use std::{
    borrow::BorrowMut,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    runtime::{Handle, Id},
    time::{Instant, Sleep, sleep, sleep_until},
};

pin_project_lite::pin_project! {
    /// A future with a time limit; see [`in_time`]. Written out, as an `async fn` would keep the
    /// future twice.
    #[must_use = "futures do nothing unless polled"]
    pub struct InTime<F, S = Spare> {
        limit: Limit,
        #[pin]
        future: F,
        spare: S,
    }
}

#[derive(Clone, Copy, Debug)]
enum Limit {
    /// From when the future is first pending.
    For(Duration),
    Until(Instant),
}

/// A timer that one wait leaves to the next.
///
/// To arm a timer and to take it back costs more than all else that a limit needs. This one stays
/// armed in between, and is set anew only where it would come too late, or has come too early.
/// Where the next wait is in another runtime, that one's own takes its place: the runtime that a
/// timer was armed in may have ended, or be driven by nobody.
///
/// Boxed, as every statement's future would be as large and as deep.
#[derive(Debug, Default)]
pub struct Spare(Option<(Id, Pin<Box<Sleep>>)>);

/// Waits for `future`, for at most so long by real time from when it is first pending; `None` if
/// it did not come. What comes at once costs no timer, unlike with [`tokio::time::timeout`].
///
/// # Panics
/// When it is pending outside of a tokio runtime with time enabled.
///
/// # Cancel safety
/// That of `future`.
pub fn in_time<F: Future>(limit: Duration, future: F) -> InTime<F> {
    InTime {
        limit: Limit::For(limit),
        future,
        spare: Spare::default(),
    }
}

/// The same with a timer that waits before this one have used, and that waits after it will use.
///
/// # Panics
/// As [`in_time`].
///
/// # Cancel safety
/// That of `future`.
pub fn in_time_with<F: Future>(
    spare: &mut Spare,
    limit: Duration,
    future: F,
) -> InTime<F, &mut Spare> {
    InTime {
        limit: Limit::For(limit),
        future,
        spare,
    }
}

impl<F, S> fmt::Debug for InTime<F, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InTime")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl<F: Future, S: BorrowMut<Spare>> Future for InTime<F, S> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(output) = this.future.poll(cx) {
            return Poll::Ready(Some(output));
        }
        this.spare.borrow_mut().poll(this.limit, cx).map(|()| None)
    }
}

impl Spare {
    fn poll(&mut self, limit: &mut Limit, cx: &mut Context<'_>) -> Poll<()> {
        let runtime = Handle::current().id();
        self.0.take_if(|(armed_in, _)| *armed_in != runtime);
        let end = match (*limit, &self.0) {
            (Limit::Until(end), _) => end,
            (Limit::For(time), Some(_)) => end_of(time),
            // A new timer knows its own end.
            (Limit::For(time), None) => {
                let (_, timer) = self.0.insert((runtime, Box::pin(sleep(time))));
                timer.deadline()
            }
        };
        *limit = Limit::Until(end);
        let (_, timer) = self
            .0
            .get_or_insert_with(|| (runtime, Box::pin(sleep_until(end))));
        if timer.deadline() > end {
            timer.as_mut().reset(end);
        }
        loop {
            ready!(poll_alarm(timer.as_mut(), cx));
            if timer.deadline() >= end {
                return Poll::Ready(());
            }
            timer.as_mut().reset(end);
        }
    }
}

/// A limit that no clock reaches is one of a century.
fn end_of(time: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_hours(100 * 365 * 24);
    let now = Instant::now();
    now.checked_add(time).unwrap_or(now + CENTURY)
}

/// Polls a time limit, beside something that may have used up the task's budget: a timer would wait
/// for more of it then, and what always has something to do would never run into its limit.
pub(crate) fn poll_alarm<S>(alarm: Pin<&mut S>, cx: &mut Context<'_>) -> Poll<()>
where
    S: Future<Output = ()> + ?Sized,
{
    Pin::new(&mut tokio::task::unconstrained(alarm)).poll(cx)
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::{
        sync::mpsc,
        task::yield_now,
        time::{advance, sleep},
    };

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_at_its_own_limit_whatever_the_timer_was_armed_for() {
        let mut spare = Spare::default();
        let begun = Instant::now();
        // Armed late, needed soon; then armed soon, needed late; then past.
        for (limit, at) in [(30, 30), (5, 35), (20, 55), (1, 56)] {
            let waited = in_time_with(&mut spare, SECOND * limit, pending::<()>()).await;
            assert_eq!(waited, None);
            assert_eq!(begun.elapsed().as_secs(), at);
        }
        assert_eq!(
            in_time_with(&mut spare, SECOND, sleep(SECOND / 2)).await,
            Some(())
        );
        advance(SECOND * 60).await;
        // What fired meanwhile says nothing about this one.
        let answer = in_time_with(&mut spare, SECOND * 10, sleep(SECOND * 9));
        assert_eq!(answer.await, Some(()));
    }

    #[tokio::test(start_paused = true)]
    async fn waits_that_are_answered_arm_one_timer() {
        let mut spare = Spare::default();
        assert_eq!(in_time_with(&mut spare, SECOND, ready(1)).await, Some(1));
        assert!(spare.0.is_none(), "what comes at once needs none");
        in_time_with(&mut spare, SECOND * 30, yield_now()).await;
        let armed = armed_for(&spare);
        for _ in 0..5 {
            advance(SECOND).await;
            in_time_with(&mut spare, SECOND * 30, yield_now()).await;
        }
        assert_eq!(armed_for(&spare), armed);
    }

    #[tokio::test(start_paused = true)]
    async fn no_limit_is_too_long() {
        let mut spare = Spare::default();
        for _ in 0..2 {
            let answer = in_time_with(&mut spare, Duration::MAX, sleep(SECOND)).await;
            assert_eq!(answer, Some(()));
        }
    }

    fn armed_for(spare: &Spare) -> Option<Instant> {
        spare.0.as_ref().map(|(_, timer)| timer.deadline())
    }

    fn runtime() -> tokio::runtime::Runtime {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_time().build().unwrap()
    }

    /// What hangs is to fail the test.
    fn not_for_ever<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
        let (told, ended) = std::sync::mpsc::channel();
        std::thread::spawn(move || told.send(work()));
        ended.recv_timeout(SECOND * 30).expect("it ends")
    }

    #[test]
    fn a_timer_of_another_runtime_is_not_waited_for() {
        for ended in [false, true] {
            let waited = not_for_ever(move || {
                let mut spare = Spare::default();
                let (first, second) = (runtime(), runtime());
                first.block_on(in_time_with(&mut spare, SECOND * 60, yield_now()));
                assert!(armed_for(&spare).is_some());
                // One that has ended would panic, and one that nobody drives never tell the time.
                let first = Some(first).filter(|_| !ended);
                let waited = in_time_with(&mut spare, SECOND / 50, pending::<()>());
                let waited = second.block_on(waited);
                drop(first);
                waited
            });
            assert_eq!(waited, None);
        }
    }

    /// tokio lets a task take so many messages at a time; a timer that is polled after them would
    /// be put off again and again.
    #[test]
    fn what_uses_up_the_budget_of_its_task_runs_into_its_limit_all_the_same() {
        let answer = not_for_ever(|| {
            runtime().block_on(async {
                let (sender, mut receiver) = mpsc::unbounded_channel();
                sender.send(()).unwrap();
                let busy = async {
                    while let Some(()) = receiver.recv().await {
                        sender.send(()).unwrap();
                    }
                };
                in_time(SECOND / 50, busy).await
            })
        });
        assert_eq!(answer, None);
    }
}
