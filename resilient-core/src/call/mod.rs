//! The attempt loop: one call of a resilient method, from its first attempt to its result.
//!
//! The loop itself is three steps, written out by the macro and by
//! [`run`]: [`Call::begin`], the body inside [`Attempt::run`], [`Call::settle`].
//! Everything that is decided is decided here, once.

mod attempt;
mod locks;
mod mode;
mod site;

use std::{
    fmt,
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

pub use attempt::{Attempt, Running};
use attempt::{Work, Wreck, timeout};
use mode::{Mode, mode};
pub use site::Site;

use crate::{
    CallOptions, CommitMode, CommitToken, Fault, FaultKind, Outcome,
    driver::{BeginOptions, Database},
    failure::{DriverError, Failure, Reason},
    metrics::MethodMetrics,
    policy::{
        Allowance, DelaySequence, Level, RetryPolicy, Situation, StopReason, Verdict, decide,
    },
    scope::{CallStatus, Frame, FramePlace, Holder, Scope},
};

/// What follows an attempt.
#[derive(Debug)]
pub enum Step<R> {
    /// The call has ended.
    Done(R),
    /// Run the body again.
    Again,
}

/// One call in progress.
pub struct Call<D: Database> {
    db: Arc<D>,
    method: Arc<MethodMetrics>,
    options: CallOptions,
    policy: RetryPolicy,
    mode: Result<Mode<D>, Failure>,
    status: Arc<CallStatus>,
    outer: Option<Arc<Frame>>,
    attempt: u32,
    started: Instant,
    deadline: Option<Instant>,
    delays: DelaySequence,
    allowance: Arc<Allowance>,
    /// What its attempts to commit are known by, if they are to be verified.
    token: Option<CommitToken>,
    ended: bool,
}

impl<D: Database> Call<D> {
    /// Starts a call.
    pub fn new(db: Arc<D>, method: Arc<MethodMetrics>, options: CallOptions) -> Self {
        let context = db.context();
        let started = context.clock.now();
        let policy = options.resolve(&context.policy);
        let current = Frame::current();
        let outer = Frame::of(context.id);
        let mode = mode(&options, outer.as_deref());
        // A deadline beyond all time is none.
        let own = policy.deadline.and_then(|d| started.checked_add(d));
        let deadline = [own, current.as_ref().and_then(|f| f.deadline)]
            .into_iter()
            .flatten()
            .min();
        let parent = current.as_ref().map(|f| Arc::clone(&f.status));
        let allowance =
            if let (Ok(Mode::Nested(_) | Mode::Joined(_)), Some(outer)) = (&mode, &outer) {
                Arc::clone(&outer.allowance)
            } else {
                context.budget.deposit();
                Arc::new(Allowance::of(policy))
            };
        Self {
            token: token(&options, &mode, context.verify.mode),
            status: Arc::new(CallStatus::new(method.name(), parent)),
            delays: DelaySequence::new(policy.delay),
            outer: current,
            attempt: 0,
            ended: false,
            method,
            options,
            policy,
            mode,
            started,
            deadline,
            allowance,
            db,
        }
    }

    /// Whether no further attempt can follow the current one, whatever it fails with.
    pub fn is_last_attempt(&self) -> bool {
        let left = self
            .own(self.policy.most_retries())
            .min(self.allowance.most_left());
        left == 0 || matches!(self.mode, Ok(Mode::Joined(_)) | Err(_))
    }

    /// Retries that may still be made after a fault of this kind.
    fn left_after(&self, kind: FaultKind) -> u32 {
        self.own(self.policy.retries_after(kind))
            .min(self.allowance.left_after(kind))
    }

    fn own(&self, retries: u32) -> u32 {
        retries.saturating_add(1).saturating_sub(self.attempt)
    }

    /// Opens the scope of the next attempt. Nothing is sent to the server yet.
    ///
    /// # Errors
    /// When the propagation forbids the call here, or no time is left.
    #[allow(clippy::unused_async)]
    pub async fn begin(&mut self) -> Result<Attempt<D>, D::Error> {
        self.attempt += 1;
        self.status.attempt(self.attempt);
        self.method.attempts.add(1);
        let now = self.db.context().clock.now();
        let work = match self.open(now) {
            Ok(work) => work,
            Err(failure) => {
                let stop = match failure.inner.reason {
                    Reason::Deadline => StopReason::DeadlineExceeded,
                    _ => StopReason::NotRetryable,
                };
                return Err(self.give_up(failure.with_outcome(Outcome::NotSent), stop));
            }
        };
        let place = match &work {
            Work::Own(scope) | Work::Joined(scope) => FramePlace::Scope(Arc::new(scope.clone())),
            Work::Detached(detached) => FramePlace::Detached(Arc::clone(detached)),
        };
        let frame = Arc::new(Frame {
            database: self.db.context().id,
            place,
            status: Arc::clone(&self.status),
            deadline: self.deadline,
            allowance: Arc::clone(&self.allowance),
            settled_outside: self.settles_outside(),
            parent: self.outer.clone(),
        });
        let limit = self.limit(now);
        Ok(Attempt::new(&self.db, frame, work, limit, self.attempt))
    }

    /// Whether this call, or one around it, settles the retries made in it with the budget.
    fn settles_outside(&self) -> bool {
        matches!(self.mode, Ok(Mode::Root | Mode::Detached))
            || self.outer.as_ref().is_some_and(|f| f.settled_outside)
    }

    fn open(&self, now: Instant) -> Result<Work<D>, Failure> {
        if self.deadline.is_some_and(|deadline| now >= deadline) {
            return Err(timeout(Reason::Deadline));
        }
        let work = match self.mode.as_ref().map_err(Clone::clone)? {
            Mode::Root => {
                let left = self.limit(now).map(|(limit, _)| limit);
                let options = BeginOptions {
                    isolation: self.options.isolation,
                    read_only: self.options.read_only,
                    locking: self.db.context().locking,
                    time_left: left,
                    lock_timeout: self.lock_timeout(left, now),
                };
                Work::Own(Scope::root_of(&self.db, options, self.owner()))
            }
            Mode::Nested(outer) => Work::Own(outer.nested(Holder::Call)?),
            Mode::Joined(scope) => Work::Joined(scope.clone()),
            Mode::Detached => Work::Detached(Arc::default()),
        };
        if let (Some(token), Work::Own(scope) | Work::Joined(scope)) = (self.token, &work) {
            scope.transaction().verify_by(token.attempt(self.attempt));
        }
        Ok(work)
    }

    /// The time the next attempt has, and what it means to run into it.
    fn limit(&self, now: Instant) -> Option<(Duration, Reason)> {
        let attempt = self.policy.timeout.map(|t| (t, Reason::AttemptTimeout));
        let call = self
            .deadline
            .map(|d| (d.saturating_duration_since(now), Reason::Deadline));
        [attempt, call]
            .into_iter()
            .flatten()
            .min_by_key(|(t, _)| *t)
    }

    /// Ends an attempt: commits or undoes its work, then decides whether to run again and waits
    /// for the time of that.
    ///
    /// # Cancel safety
    /// Dropping the future rolls the work back, except that COMMIT may already have been sent;
    /// then nobody knows.
    pub async fn settle<T, E: From<D::Error>>(
        &mut self,
        mut attempt: Attempt<D>,
        result: Result<T, E>,
    ) -> Step<Result<T, E>> {
        match result {
            Ok(value) => match attempt.conclude().await {
                Ok(()) => {
                    self.succeed();
                    Step::Done(Ok(value))
                }
                Err((failure, level)) => match self.after_lost_success(failure, level).await {
                    None => Step::Again,
                    Some(error) => Step::Done(Err(E::from(error))),
                },
            },
            Err(error) => {
                let wreck = attempt.undo().await;
                if self.after_error(wreck).await {
                    Step::Again
                } else {
                    Step::Done(Err(error))
                }
            }
        }
    }

    fn succeed(&mut self) {
        self.ended = true;
        let context = self.db.context();
        if matches!(self.mode, Ok(Mode::Root | Mode::Detached)) {
            // The nested calls' retries too: they came out of the same allowance.
            context.budget.refund(self.allowance.made());
        } else if self.outer.as_ref().is_some_and(|f| !f.settled_outside) {
            // Inside a transaction that no call runs, nobody else gives them back.
            context.budget.refund(self.attempt.saturating_sub(1));
        }
        self.status.succeed();
        let now = context.clock.now();
        self.method
            .succeeded(now.saturating_duration_since(self.started));
        let performance = context.vitals.performance();
        performance.method(self.method.name(), self.started, now, false);
    }

    /// The body said `Ok`, the transaction did not. Answers the error, or `None` to run again.
    #[cold]
    async fn after_lost_success(&mut self, failure: Failure, level: Level) -> Option<D::Error> {
        if failure.inner.reason == Reason::Swallowed {
            self.db.context().metrics.doomed.add(1);
        }
        let verdict = self.judge(Some(&failure), level, false);
        match verdict {
            Verdict::Retry(delay) => {
                self.wait(&failure.inner.fault, delay).await;
                None
            }
            Verdict::Stop(stop) => Some(self.give_up(failure, stop)),
        }
    }

    /// The body returned an error. Answers whether to run again.
    #[cold]
    async fn after_error(&mut self, wreck: Wreck) -> bool {
        let verdict = self.judge(wreck.cause.as_ref(), wreck.level, wreck.timed_out);
        match (verdict, wreck.cause) {
            (Verdict::Retry(delay), Some(cause)) => {
                self.wait(&cause.inner.fault, delay).await;
                true
            }
            (verdict, cause) => {
                let stop = match (verdict, &cause) {
                    (_, Some(cause)) if cause.inner.reason == Reason::Deadline => {
                        StopReason::DeadlineExceeded
                    }
                    (Verdict::Stop(stop), _) => stop,
                    (Verdict::Retry(_), _) => StopReason::NotRetryable,
                };
                self.close(wreck.outcome, stop, cause.as_ref(), wreck.rollback);
                false
            }
        }
    }

    fn judge(&mut self, cause: Option<&Failure>, level: Level, timed_out: bool) -> Verdict {
        let context = self.db.context();
        if let Some(cause) = cause {
            self.method.faults.add(cause.kind());
        }
        let situation = Situation {
            // A refusal is repeated as often as the call is.
            fault: cause.filter(|c| !c.is_misuse()).map(Failure::fault),
            timed_out,
            level,
            read_only: self.options.read_only,
            on: self.policy.on,
            left: cause.map_or(0, |cause| self.left_after(cause.kind())),
            rejected: cause.is_some_and(|c| *c.reason() == Reason::CircuitOpen),
            now: context.clock.now(),
            deadline: self.deadline,
        };
        let verdict = decide(
            &situation,
            &mut self.delays,
            context.random.as_ref(),
            &context.budget,
        );
        // A fault that a savepoint leaves to the calls around it is counted once, by the last of
        // them: one deadlock of the server is one here.
        let passed_on = matches!(level, Level::Savepoint | Level::Joined)
            && !matches!(verdict, Verdict::Retry(_));
        if let (Some(cause), false) = (cause, passed_on) {
            context.metrics.faults.add(cause.kind());
        }
        if verdict == Verdict::Stop(StopReason::BudgetExhausted) {
            context.metrics.budget_exhausted.add(1);
            context.vitals.budget_exhausted();
        }
        verdict
    }

    async fn wait(&mut self, fault: &Fault, delay: Duration) {
        let context = self.db.context();
        self.method.retries.add(fault.kind());
        self.allowance.draw();
        tracing::info!(
            target: "resilient",
            method = self.method.name(),
            attempt = self.attempt,
            fault = fault.kind().as_str(),
            db.response.status_code = fault.code(),
            db.namespace = context.name(),
            delay_ms = delay.as_secs_f64() * 1e3,
            "retrying",
        );
        // A timer of zero length still costs a millisecond.
        if !delay.is_zero() {
            context.clock.sleep(delay).await;
            self.method
                .backoff_nanos
                .add(u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX));
        }
    }

    fn give_up(&mut self, mut failure: Failure, stop: StopReason) -> D::Error {
        failure.inner.attempts = self.attempt;
        failure.inner.method = Some(self.method.name());
        failure.inner.stop = Some(stop);
        self.close(failure.inner.outcome, stop, Some(&failure), None);
        D::Error::from(failure)
    }

    fn close(
        &mut self,
        outcome: Outcome,
        stop: StopReason,
        cause: Option<&Failure>,
        rollback: Option<DriverError>,
    ) {
        self.ended = true;
        let context = self.db.context();
        let now = context.clock.now();
        self.method
            .failed(outcome, stop, now.saturating_duration_since(self.started));
        // What the caller's own code made up is no failure of the database.
        let error = cause.is_some_and(|cause| crate::health::is_error(cause.fault()));
        let performance = context.vitals.performance();
        performance.method(self.method.name(), self.started, now, error);
        if let Some(cause) = cause
            && stop != StopReason::LeftToRoot
        {
            tracing::warn!(
                target: "resilient",
                method = self.method.name(),
                attempt = self.attempt,
                fault = cause.kind().as_str(),
                db.response.status_code = cause.inner.fault.code(),
                db.namespace = self.db.context().name(),
                outcome = %outcome,
                stop = %stop,
                rollback_failed = rollback.is_some(),
                "call failed",
            );
        }
        self.status.fail(outcome, stop, rollback);
    }
}

impl<D: Database> Drop for Call<D> {
    fn drop(&mut self) {
        if !self.ended && self.attempt > 0 {
            self.method.cancelled.add(1);
        }
    }
}

impl<D: Database> fmt::Debug for Call<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("method", &self.method.name())
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}

/// What the call's commits are known by. Inside another call's transaction, only one that asks
/// for it itself makes that one verified.
fn token<D: Database>(
    options: &CallOptions,
    mode: &Result<Mode<D>, Failure>,
    default: CommitMode,
) -> Option<CommitToken> {
    let asked = match mode {
        Ok(Mode::Root) => options.commit.unwrap_or(default),
        Ok(Mode::Nested(_) | Mode::Joined(_)) => options.commit.unwrap_or_default(),
        Ok(Mode::Detached) | Err(_) => CommitMode::Reported,
    };
    (asked == CommitMode::Verified).then(CommitToken::new)
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
        let attempt = call.begin().await.map_err(E::from)?;
        // The closure itself runs inside the scope too.
        let result = attempt.run(async { body().await }).await;
        if let Step::Done(result) = call.settle(attempt, result).await {
            return result;
        }
    }
}
