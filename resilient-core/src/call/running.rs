//! The future of an attempt: the body in its place, then its end.

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
    /// An attempt; see [`Call::run`]. Written out, as an `async fn` would keep the body several
    /// times over.
    #[must_use = "futures do nothing unless polled"]
    pub struct Running<D: Database, F: Future> {
        call: Call<D>,
        #[pin]
        stage: Stage<D, F>,
    }

    impl<D: Database, F: Future> PinnedDrop for Running<D, F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Stage::Body { .. } = *this.stage {
                {
                    let _place = this.call.slot.is_some().then(|| Entered::new(&mut this.call.slot));
                    this.stage.set(Stage::Over);
                }
                this.call.dropped();
            }
        }
    }
}

pin_project_lite::pin_project! {
    #[project = At]
    enum Stage<D: Database, F: Future> {
        /// The body runs.
        Body {
            #[pin]
            body: Held<F>,
        },
        /// It has ended, and its work is being committed or undone.
        Ending {
            end: Settling<D>,
            result: Option<F::Output>,
        },
        Over,
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

impl<D: Database, F: Future> Running<D, F> {
    #[inline]
    pub(super) fn new(call: Call<D>, body: F) -> Self {
        Self {
            call,
            stage: Stage::Body { body: hold(body) },
        }
    }
}

impl<D, T, E, F> Future for Running<D, F>
where
    D: Database,
    F: Future<Output = Result<T, E>>,
    E: From<D::Error>,
{
    type Output = Step<D, Result<T, E>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let call = this.call;
        if let At::Body { body } = this.stage.as_mut().project() {
            let result = match call.state().and_then(State::refusal) {
                Some(error) => Err(E::from(error)),
                None => {
                    let polled = {
                        let _span = match &call.care {
                            Care::Full(state) => state.span().map(tracing::Span::enter),
                            Care::Plain(_) => None,
                        };
                        let _place = Entered::new(&mut call.slot);
                        let polled = body.poll(cx);
                        if polled.is_ready() {
                            this.stage.set(Stage::Over);
                        }
                        polled
                    };
                    match polled {
                        Poll::Ready(result) if result.is_ok() && call.ends_untouched() => {
                            return Poll::Ready(Step::Done(result));
                        }
                        Poll::Ready(result) => result,
                        Poll::Pending => {
                            let Some(state) = call.state() else {
                                return Poll::Pending;
                            };
                            let failure = ready!(state.poll_time(cx));
                            // Made in the call's place, so that the error belongs to it and
                            // learns how it ends; and so is the body dropped.
                            let _place = Entered::new(&mut call.slot);
                            let error = E::from(D::Error::from(failure));
                            this.stage.set(Stage::Over);
                            Err(error)
                        }
                    }
                }
            };
            let end = call.wind_up(result.is_ok());
            let result = Some(result);
            this.stage.set(Stage::Ending { end, result });
        }
        let At::Ending { end, result } = this.stage.as_mut().project() else {
            // As every future may: polled again after its end.
            return Poll::Pending;
        };
        let settled = ready!(end.as_mut().poll(cx));
        let step = match (settled, result.take()) {
            (Settled::Kept, Some(result)) => Step::Done(result),
            (Settled::Replaced(error), _) => Step::Done(Err(E::from(error))),
            (Settled::Again(state), _) => Step::Again(Retry(state)),
            (Settled::Kept, None) => return Poll::Pending,
        };
        this.stage.set(Stage::Over);
        Poll::Ready(step)
    }
}

impl<D: Database, F: Future> fmt::Debug for Running<D, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").finish_non_exhaustive()
    }
}
