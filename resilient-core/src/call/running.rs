//! The futures of an attempt: the body in its place, and its end.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use super::{
    Call, Care, Retry, Step,
    state::{Settled, Settling, State},
};
use crate::{driver::Database, scope::task::Entered};

pin_project_lite::pin_project! {
    /// A body in its scope and time; see [`Call::run`]. Written out, as an `async fn` would keep
    /// the body several times over.
    #[must_use = "futures do nothing unless polled"]
    pub struct Running<D: Database, F> {
        call: Call<D>,
        #[pin]
        body: Option<Held<F>>,
    }

    impl<D: Database, F> PinnedDrop for Running<D, F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.body.is_some() {
                {
                    let _place = this.call.slot.is_some().then(|| Entered::new(&mut this.call.slot));
                    this.body.set(None);
                }
                this.call.dropped();
            }
        }
    }
}

/// Without optimisation, each function that runs a future has copies of it on its stack: of methods
/// in methods each holds all the inner ones, and a few dozen would fill a thread's stack.
#[cfg(debug_assertions)]
type Held<F> = Pin<Box<F>>;
#[cfg(not(debug_assertions))]
type Held<F> = F;

#[cfg(debug_assertions)]
fn hold<F>(body: F) -> Held<F> {
    Box::pin(body)
}

#[cfg(not(debug_assertions))]
fn hold<F>(body: F) -> Held<F> {
    body
}

impl<D: Database, F> Running<D, F> {
    pub(super) fn new(call: Call<D>, body: F) -> Self {
        Self {
            call,
            body: Some(hold(body)),
        }
    }
}

impl<D, T, E, F> Future for Running<D, F>
where
    D: Database,
    F: Future<Output = Result<T, E>>,
    E: From<D::Error>,
{
    type Output = Done<D, T, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let call = this.call;
        if let Some(error) = call.state().and_then(State::refusal) {
            this.body.set(None);
            return Poll::Ready(Done::open(call, Err(E::from(error))));
        }
        let Some(body) = this.body.as_mut().as_pin_mut() else {
            // As every future may: polled again after its end.
            return Poll::Pending;
        };
        let result = {
            let _span = match &call.care {
                Care::Full(state) => state.span().map(tracing::Span::enter),
                Care::Plain(_) => None,
            };
            let _place = Entered::new(&mut call.slot);
            let result = body.poll(cx);
            if result.is_ready() {
                this.body.set(None);
            }
            result
        };
        if let Poll::Ready(result) = result {
            if result.is_ok() && call.ends_untouched() {
                return Poll::Ready(Done { work: None, result });
            }
            return Poll::Ready(Done::open(call, result));
        }
        let Some(state) = call.state() else {
            return Poll::Pending;
        };
        let failure = ready!(state.poll_time(cx));
        // Made in the call's place, so that the error belongs to it and learns how it ends.
        let place = Entered::new(&mut call.slot);
        let error = E::from(D::Error::from(failure));
        this.body.set(None);
        drop(place);
        Poll::Ready(Done::open(call, Err(error)))
    }
}

impl<D: Database, F> fmt::Debug for Running<D, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").finish_non_exhaustive()
    }
}

/// An attempt whose body has ended. Dropping it undoes the body's work.
#[must_use = "the attempt's work is undone unless it is settled"]
pub struct Done<D: Database, T, E> {
    /// `None` where nothing is left to do.
    work: Option<Settling<D>>,
    result: Result<T, E>,
}

impl<D: Database, T, E> Done<D, T, E> {
    fn open(call: &mut Call<D>, result: Result<T, E>) -> Self {
        Self {
            work: Some(call.wind_up(result.is_ok())),
            result,
        }
    }

    /// Ends the attempt: commits or undoes its work, then decides whether to run again and waits
    /// for the time of that.
    ///
    /// # Cancel safety
    /// Dropping the future rolls the work back, except that COMMIT may already have been sent;
    /// then nobody knows.
    #[inline]
    pub fn settle(self) -> End<D, T, E> {
        End {
            work: self.work,
            result: Some(self.result),
        }
    }
}

impl<D: Database, T, E> fmt::Debug for Done<D, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Done").finish_non_exhaustive()
    }
}

/// An attempt's end under way; see [`Done::settle`].
#[must_use = "futures do nothing unless polled"]
pub struct End<D: Database, T, E> {
    work: Option<Settling<D>>,
    result: Option<Result<T, E>>,
}

// Nothing in it is pinned but what is boxed.
impl<D: Database, T, E> Unpin for End<D, T, E> {}

impl<D: Database, T, E: From<D::Error>> Future for End<D, T, E> {
    type Output = Step<D, Result<T, E>>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let settled = match &mut self.work {
            None => Settled::Kept,
            Some(work) => ready!(work.as_mut().poll(cx)),
        };
        match (settled, self.result.take()) {
            (Settled::Kept, Some(result)) => Poll::Ready(Step::Done(result)),
            (Settled::Replaced(error), _) => Poll::Ready(Step::Done(Err(E::from(error)))),
            (Settled::Again(state), _) => Poll::Ready(Step::Again(Retry(state))),
            // As every future may: polled again after its end.
            (Settled::Kept, None) => Poll::Pending,
        }
    }
}

impl<D: Database, T, E> fmt::Debug for End<D, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("End").finish_non_exhaustive()
    }
}
