//! One attempt: the body in its scope and time, and what it left behind.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use crate::{
    Effect, Fault, FaultKind, Outcome,
    driver::Database,
    failure::{DriverError, Failure, Reason},
    policy::Level,
    scope::{Detached, Frame, InFrame, Scope, swallowed},
    time::Sleep,
};

/// One attempt of a call. Dropping it unsettled undoes its work.
pub struct Attempt<D: Database> {
    db: Arc<D>,
    frame: Arc<Frame>,
    work: Work<D>,
    limit: Option<(Duration, Reason)>,
    span: tracing::Span,
    timed_out: AtomicBool,
    started: Instant,
    settled: bool,
}

pub(super) enum Work<D: Database> {
    Own(Scope<D>),
    Joined(Scope<D>),
    Detached(Arc<Detached>),
}

/// What a failed attempt left, as far as the decision needs it.
pub(super) struct Wreck {
    pub(super) cause: Option<Failure>,
    pub(super) outcome: Outcome,
    pub(super) rollback: Option<DriverError>,
    pub(super) level: Level,
    pub(super) timed_out: bool,
}

/// The end of a transaction that a statement may have committed, and that nobody waited for.
fn unchecked_end() -> DriverError {
    Fault::new(FaultKind::CommitUnknown, Effect::Connection).into()
}

pub(super) fn timeout(reason: Reason) -> Failure {
    Failure::local(reason, FaultKind::StatementTimeout, Effect::Statement)
}

impl<D: Database> Attempt<D> {
    pub(super) fn new(
        db: &Arc<D>,
        frame: Arc<Frame>,
        work: Work<D>,
        limit: Option<(Duration, Reason)>,
        number: u32,
    ) -> Self {
        let span = tracing::debug_span!(
            target: "resilient",
            "attempt",
            method = frame.status.method(),
            attempt = number,
            db.namespace = db.context().name(),
        );
        Self {
            span,
            started: db.context().clock.now(),
            db: Arc::clone(db),
            frame,
            work,
            limit,
            timed_out: AtomicBool::new(false),
            settled: false,
        }
    }

    /// Runs the body in the attempt's scope and within its time.
    ///
    /// The future resolves to the body's result, or to an error that says that the time was up.
    pub fn run<T, E, F>(&self, body: F) -> Running<'_, D, F>
    where
        F: Future<Output = Result<T, E>>,
        E: From<D::Error>,
    {
        let clock = &self.db.context().clock;
        Running {
            attempt: self,
            body: Arc::clone(&self.frame).enter(body),
            alarm: self.limit.as_ref().map(|(limit, _)| clock.alarm(*limit)),
        }
    }

    /// Books that the time was up, and answers the failure that says so.
    fn time_is_up(&self) -> Failure {
        let reason = self
            .limit
            .as_ref()
            .map_or(Reason::Deadline, |(_, reason)| reason.clone());
        self.timed_out
            .store(reason == Reason::AttemptTimeout, Ordering::Relaxed);
        let mut failure = timeout(reason);
        match &self.work {
            Work::Own(scope) | Work::Joined(scope) => scope.doom(failure.clone()),
            Work::Detached(detached) => detached.failed_of(failure.clone()),
        }
        failure.inner.method = Some(self.frame.status.method());
        failure.inner.attempts = self.frame.status.attempts();
        failure
    }

    fn level(&self) -> Level {
        match &self.work {
            Work::Own(scope) if scope.is_root() => Level::Root,
            // What is lost around it is not healed by its own retries, which would use up those
            // of the call that can.
            Work::Own(scope) if scope.transaction().ledger().lost_around(scope.id()) => {
                Level::Joined
            }
            // A limit that was derived stands for a deadlock that nobody waits for; what that is
            // about may be held outside of the savepoint.
            Work::Own(scope) if scope.transaction().lock_timeout_is_derived(scope.id()) => {
                Level::Joined
            }
            Work::Own(_) => Level::Savepoint,
            Work::Joined(_) => Level::Joined,
            Work::Detached(detached) => Level::Detached {
                repeatable: !detached.wrote(),
            },
        }
    }

    /// The body returned `Ok`: makes its work last, if it still can.
    pub(super) async fn conclude(&mut self) -> Result<(), (Failure, Level)> {
        let level = self.level();
        let result = match &self.work {
            Work::Own(scope) => scope.commit_until(self.frame.deadline).await,
            Work::Joined(scope) => {
                let ledger = scope.transaction().ledger();
                ledger
                    .doom(scope.id())
                    .map_or(Ok(()), |doom| Err(swallowed(doom)))
            }
            Work::Detached(_) => Ok(()),
        };
        self.settled = true;
        result.map_err(|failure| (failure, level))
    }

    /// The body returned an error: undoes its work.
    pub(super) async fn undo(&mut self) -> Wreck {
        let level = self.level();
        let timed_out = self.timed_out.load(Ordering::Relaxed);
        let (cause, outcome, rollback) = match &self.work {
            Work::Own(scope) => {
                let (cause, sent) = {
                    let ledger = scope.transaction().ledger();
                    (ledger.cause(scope.id()).cloned(), ledger.sent(scope.id()))
                };
                let mut cause = cause;
                let late = cause
                    .as_ref()
                    .is_some_and(|c| *c.reason() == Reason::Deadline);
                let rollback = if late && scope.is_root() {
                    // No time is left to wait for it.
                    scope.abandon();
                    let blurred = scope.transaction().ledger().blurred;
                    blurred.then(unchecked_end)
                } else {
                    scope.roll_back().await.err()
                };
                if let (Some(_), Some(cause), false) = (&rollback, &mut cause, scope.is_root()) {
                    // Nothing below the root is left to run again in.
                    cause.inner.fault.set_effect(Effect::Transaction);
                }
                let stored = |e: &&DriverError| e.fault.kind() == FaultKind::CommitUnknown;
                let outcome = match rollback.as_ref().filter(stored) {
                    // The transaction had ended before, and nobody knows how.
                    Some(error) => {
                        cause = Some(Failure::database(error.clone()));
                        Outcome::Unknown
                    }
                    None if sent => Outcome::RolledBack,
                    None => Outcome::NotSent,
                };
                (cause, outcome, rollback)
            }
            Work::Joined(scope) => {
                let mut ledger = scope.transaction().ledger();
                let cause = ledger.cause(scope.id()).cloned();
                ledger.doom_scope(scope.id(), Failure::joined_call_failed(cause.clone()));
                (cause, Outcome::RolledBack, None)
            }
            Work::Detached(detached) => {
                let outcome = if detached.wrote() {
                    Outcome::Unknown
                } else {
                    Outcome::NotSent
                };
                (detached.cause(), outcome, None)
            }
        };
        self.settled = true;
        let mut wreck = Wreck {
            cause,
            outcome,
            rollback,
            level,
            timed_out,
        };
        self.attribute_server_limit(&mut wreck);
        wreck
    }

    /// The server's own limit was set from the attempt's and may be quicker to say so: that is
    /// the attempt's timeout or the call's deadline all the same.
    fn attribute_server_limit(&self, wreck: &mut Wreck) {
        /// The server counts in whole milliseconds.
        const ROUNDING: Duration = Duration::from_millis(2);
        let (Some((limit, reason)), Some(cause)) = (&self.limit, &mut wreck.cause) else {
            return;
        };
        let now = self.db.context().clock.now();
        let elapsed = now.saturating_duration_since(self.started);
        let by_server =
            cause.kind() == FaultKind::StatementTimeout && *cause.reason() == Reason::Database;
        if by_server && elapsed + ROUNDING >= *limit {
            wreck.timed_out |= *reason == Reason::AttemptTimeout;
            cause.inner.reason = reason.clone();
        }
    }
}

pin_project_lite::pin_project! {
    /// A body in its scope; see [`Attempt::run`]. Written out, as an `async fn` would keep the
    /// body several times over.
    #[must_use = "futures do nothing unless polled"]
    pub struct Running<'a, D: Database, F> {
        attempt: &'a Attempt<D>,
        #[pin]
        body: InFrame<F>,
        alarm: Option<Sleep>,
    }
}

impl<D: Database, F> fmt::Debug for Running<'_, D, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").finish_non_exhaustive()
    }
}

impl<D, T, E, F> Future for Running<'_, D, F>
where
    D: Database,
    F: Future<Output = Result<T, E>>,
    E: From<D::Error>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let _entered = this.attempt.span.enter();
        if let Poll::Ready(result) = this.body.poll(cx) {
            return Poll::Ready(result);
        }
        let Some(alarm) = this.alarm else {
            return Poll::Pending;
        };
        alarm.as_mut().poll(cx).map(|()| {
            // While the body is still there: so this is the first cause, not its being dropped.
            let failure = this.attempt.time_is_up();
            // Made in the frame, so that the error belongs to this call and learns how it ends.
            let frame = Arc::clone(&this.attempt.frame);
            frame.enter_now(|| Err(E::from(D::Error::from(failure))))
        })
    }
}

impl<D: Database> Drop for Attempt<D> {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        match &self.work {
            Work::Own(scope) => scope.abandon(),
            // Half of its writes may be there: nothing of the scope may be committed.
            Work::Joined(scope) => scope.doom(Failure::joined_call_failed(None)),
            Work::Detached(_) => {}
        }
    }
}

impl<D: Database> fmt::Debug for Attempt<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
