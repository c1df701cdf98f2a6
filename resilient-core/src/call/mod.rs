//! The attempt loop: one call of a resilient method, from its first attempt to its result.
//!
//! The loop itself is three steps, written out by the macro and by [`run`]: [`Site::enter`], the
//! body inside [`Call::run`], [`Done::settle`]. Everything that is decided is decided here, once.
//!
//! A call starts as hardly more than its body. What only a transaction, a nested call, a failure
//! or a time limit needs is made when one of these comes up.

mod attempt;
mod locks;
mod mode;
mod running;
mod site;
mod state;

use std::{fmt, future::Future, mem, sync::Arc, time::Instant};

pub use running::{Done, End, Running};
pub use site::Site;
use state::{Settling, State};

use crate::{
    CallOptions, driver::Database, metrics::MethodMetrics, scope::task::Slot, turns::TurnKeys,
};

/// What follows an attempt.
#[derive(Debug)]
pub enum Step<D: Database, R> {
    /// The call has ended.
    Done(R),
    /// Run the body again.
    Again(Retry<D>),
}

/// A call that is to run its body again.
pub struct Retry<D: Database>(Box<State<D>>);

impl<D: Database> Retry<D> {
    /// The call, before its next attempt.
    pub fn call(self) -> Call<D> {
        Call::full(self.0)
    }
}

impl<D: Database> fmt::Debug for Retry<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Retry").field(&self.0).finish()
    }
}

/// One call in progress, before or between its attempts.
pub struct Call<D: Database> {
    /// Its place on the task. `None` before an attempt of a call that is looked after, and once
    /// nothing is left to do.
    slot: Option<Slot>,
    care: Care<D>,
}

/// How far a call is looked after.
enum Care<D: Database> {
    /// It has no limits and is in no other: all it needs is found through its slot. When it
    /// started, if that is measured.
    Plain(Option<Instant>),
    /// From its start, or from its second attempt on.
    Full(Box<State<D>>),
}

impl<D: Database> Call<D> {
    /// Starts a call.
    pub fn new(db: &Arc<D>, method: &'static MethodMetrics, options: CallOptions) -> Self {
        Self::full(Box::new(State::new(db, method, options)))
    }

    /// Starts a call that takes turns with the other calls in this process that name one of these
    /// keys; see [`turns`](crate::turns).
    pub fn in_turn(
        db: &Arc<D>,
        method: &'static MethodMetrics,
        options: CallOptions,
        keys: TurnKeys,
    ) -> Self {
        Self::full(Box::new(
            State::new(db, method, options).serialized_by(keys),
        ))
    }

    #[inline]
    fn plain(slot: Slot, started: Option<Instant>) -> Self {
        Self {
            slot: Some(slot),
            care: Care::Plain(started),
        }
    }

    fn full(state: Box<State<D>>) -> Self {
        Self {
            slot: None,
            care: Care::Full(state),
        }
    }

    /// Whether no further attempt can follow the next one, whatever it fails with.
    pub fn is_last_attempt(&self) -> bool {
        match (&self.care, &self.slot) {
            (Care::Full(state), _) => state.is_last_attempt(),
            (Care::Plain(_), Some(slot)) => slot.site().is_none_or(|site| {
                let policy = site.options().resolve(&slot.context.policy);
                policy.most_retries() == 0
            }),
            (Care::Plain(_), None) => true,
        }
    }

    /// Runs an attempt: the body in a scope of its own and within its time.
    ///
    /// The future resolves to the body's result, or to an error that says that the time was up
    /// or that the call cannot be made here; either is to be [settled](Done::settle).
    #[inline]
    pub fn run<T, E, F>(mut self, body: F) -> Running<D, F>
    where
        F: Future<Output = Result<T, E>>,
        E: From<D::Error>,
    {
        if let Care::Full(state) = &mut self.care {
            self.slot = state.begin();
        }
        Running::new(self, body)
    }

    #[inline]
    fn state(&mut self) -> Option<&mut State<D>> {
        match &mut self.care {
            Care::Full(state) => Some(state),
            Care::Plain(_) => None,
        }
    }

    /// Ends the call if its body did well without having needed anything; then nothing is left
    /// to do.
    #[inline]
    fn ends_untouched(&self) -> bool {
        match (&self.care, &self.slot) {
            (Care::Plain(started), Some(slot)) => slot.ends_untouched(*started),
            _ => false,
        }
    }

    /// Its future was dropped while the body ran.
    #[cold]
    fn dropped(&self) {
        if let (Care::Plain(_), Some(slot)) = (&self.care, &self.slot)
            && let Some(site) = slot.site()
        {
            site.metrics().attempted();
            site.metrics().cancelled();
            if let Some(scope) = slot.seen().and_then(|frame| frame.any_scope()) {
                scope.give_up();
            }
        }
    }

    /// What is to be done after the body, which did well or not.
    #[cold]
    fn wind_up(&mut self, ok: bool) -> Settling<D> {
        let care = mem::replace(&mut self.care, Care::Plain(None));
        let state = match (care, self.slot.take()) {
            (Care::Full(state), _) => Some(state),
            (Care::Plain(started), Some(slot)) => {
                let started = started.unwrap_or_else(|| slot.context.clock.now());
                State::after(&slot, started).map(Box::new)
            }
            (Care::Plain(_), None) => None,
        };
        State::settle(state, ok)
    }
}

impl<D: Database> fmt::Debug for Call<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("Call");
        if let Care::Full(state) = &self.care {
            f.field("state", state);
        }
        f.finish_non_exhaustive()
    }
}

/// Runs a closure as a resilient call: the programmatic form, with the same loop.
///
/// # Errors
/// The body's last error, or the framework's own.
pub async fn run<D, T, E, F, B>(mut call: Call<D>, mut body: B) -> Result<T, E>
where
    D: Database,
    E: From<D::Error>,
    B: FnMut() -> F,
    F: Future<Output = Result<T, E>>,
{
    loop {
        // The closure itself runs inside the scope too.
        let done = call.run(async { body().await }).await;
        match done.settle().await {
            Step::Done(result) => return result,
            Step::Again(next) => call = next.call(),
        }
    }
}
