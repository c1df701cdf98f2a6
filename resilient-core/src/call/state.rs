//! A call that has come to need more than its body: its attempts, decisions and end.

mod verdict;

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{self, Poll},
    time::{Duration, Instant},
};

use super::{
    attempt::{Attempt, Work, timeout},
    locks::Patience,
    mode::{Mode, mode},
};
use crate::{
    CallOptions, CommitMode, CommitToken, FaultKind, Outcome,
    driver::{BeginOptions, Context, ContextRef, Database},
    failure::{Failure, Reason},
    metrics::MethodMetrics,
    policy::{Allowance, DelaySequence, RetryPolicy, StopReason},
    scope::{CallStatus, Frame, FramePlace, Holder, Scope, task::Slot},
    turns::TurnKeys,
};

/// What a call's end means to what its body returned.
pub(super) enum Settled<D: Database> {
    /// It stands.
    Kept,
    /// It does not; this is returned in its place.
    Replaced(D::Error),
    /// The body is to run again.
    Again(Box<State<D>>),
}

/// The end of an attempt, apart from what the body returned.
pub(super) type Settling<D> = Pin<Box<dyn Future<Output = Settled<D>> + Send>>;

/// One call in progress.
pub(super) struct State<D: Database> {
    context: ContextRef,
    method: &'static MethodMetrics,
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
    /// The turns that its transaction takes.
    turns: Option<Box<TurnKeys>>,
    /// The attempt that runs.
    running: Option<Attempt<D>>,
    /// Why the next attempt cannot begin.
    refused: Option<D::Error>,
    ended: bool,
}

impl<D: Database> State<D> {
    /// A call whose first attempt has not begun.
    pub(super) fn new(db: &Arc<D>, method: &'static MethodMetrics, options: CallOptions) -> Self {
        let context = db.context().hold();
        let started = context.clock.now();
        let policy = options.resolve(&context.policy);
        let current = Frame::current();
        let outer = Frame::of(context.id);
        let mode = mode(&options, outer.as_deref(), db);
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
            turns: None,
            running: None,
            refused: None,
            ended: false,
            context,
            method,
            options,
            policy,
            mode,
            started,
            deadline,
            allowance,
        }
    }

    /// A call without limits whose first attempt has just run in `slot`.
    pub(super) fn after(slot: &Slot, started: Instant) -> Option<Self> {
        let (frame, site) = (slot.frame()?, slot.site()?);
        let (context, options) = (slot.context.clone(), *site.options());
        let policy = options.resolve(&context.policy);
        let scope = frame.scope::<D>().cloned();
        let (mode, work) = match (&frame.place, scope) {
            (FramePlace::Detached(detached), _) => {
                (Mode::Detached, Work::Detached(Arc::clone(detached)))
            }
            (_, Some(scope)) => (Mode::Root(Arc::clone(scope.database())), Work::Own(scope)),
            // Nothing was asked of the database, so there is nothing to do again.
            (_, None) => (Mode::Detached, Work::Unopened),
        };
        let method = site.metrics();
        method.attempted();
        Some(Self {
            token: frame.token(),
            status: Arc::clone(&frame.status),
            delays: DelaySequence::new(policy.delay),
            outer: None,
            attempt: 1,
            turns: None,
            running: Some(Attempt::new(
                context.clone(),
                Arc::clone(frame),
                work,
                None,
                1,
            )),
            refused: None,
            ended: false,
            mode: Ok(mode),
            deadline: None,
            allowance: Arc::clone(&frame.allowance),
            context,
            method,
            options,
            policy,
            started,
        })
    }

    pub(super) fn serialized_by(mut self, keys: TurnKeys) -> Self {
        self.turns = (!keys.is_empty()).then(|| Box::new(keys));
        self
    }

    /// Whether no further attempt can follow the next one, whatever it fails with.
    pub(super) fn is_last_attempt(&self) -> bool {
        let own = self.policy.most_retries().saturating_sub(self.attempt);
        let left = own.min(self.allowance.most_left());
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

    /// Opens the scope of the next attempt, in which it is to run. Nothing is sent to the server
    /// yet. Where the propagation forbids the call here, or no time is left, that is noted.
    pub(super) fn begin(&mut self) -> Option<Slot> {
        self.attempt += 1;
        self.status.attempt(self.attempt);
        self.method.attempted();
        let now = self.context.clock.now();
        let work = match self.open(now) {
            Ok(work) => work,
            Err(failure) => {
                let stop = match failure.inner.reason {
                    Reason::Deadline => StopReason::DeadlineExceeded,
                    _ => StopReason::NotRetryable,
                };
                self.refused = Some(self.give_up(failure.with_outcome(Outcome::NotSent), stop));
                return None;
            }
        };
        let place = match &work {
            Work::Own(scope) | Work::Joined(scope) => FramePlace::Scope(Arc::new(scope.clone())),
            Work::Detached(detached) => FramePlace::Detached(Arc::clone(detached)),
            Work::Unopened => FramePlace::Detached(Arc::default()),
        };
        let frame = Arc::new(Frame {
            database: self.context.id,
            place,
            status: Arc::clone(&self.status),
            deadline: self.deadline,
            allowance: Arc::clone(&self.allowance),
            settled_outside: self.settles_outside(),
            parent: self.outer.clone(),
        });
        let slot = Slot::of(self.context.clone(), Arc::clone(&frame));
        let limit = self.limit(now);
        let attempt = Attempt::new(self.context.clone(), frame, work, limit, self.attempt);
        self.running = Some(attempt);
        Some(slot)
    }

    /// Whether this call, or one around it, settles the retries made in it with the budget.
    fn settles_outside(&self) -> bool {
        matches!(self.mode, Ok(Mode::Root(_) | Mode::Detached))
            || self.outer.as_ref().is_some_and(|f| f.settled_outside)
    }

    fn open(&self, now: Instant) -> Result<Work<D>, Failure> {
        if self.deadline.is_some_and(|deadline| now >= deadline) {
            return Err(timeout(Reason::Deadline));
        }
        let work = match self.mode.as_ref().map_err(Clone::clone)? {
            Mode::Root(db) => {
                let left = self.limit(now).map(|(limit, _)| limit);
                let patience = self.patience();
                let locks = patience.lock_timeout(left, now);
                let begin = begin_options(&self.options, &self.context, left, locks);
                let owner = patience.owner(self.method.name());
                Work::Own(Scope::root_of(db, begin, owner))
            }
            Mode::Nested(outer) => Work::Own(outer.nested(Holder::Call)?),
            Mode::Joined(scope) => Work::Joined(scope.clone()),
            Mode::Detached => Work::Detached(Arc::default()),
        };
        if let Some(keys) = &self.turns {
            work.name_turns(keys)?;
        }
        if let (Some(token), Work::Own(scope) | Work::Joined(scope)) = (self.token, &work) {
            scope.transaction().verify_by(token.attempt(self.attempt));
        }
        Ok(work)
    }

    fn patience(&self) -> Patience<'_> {
        Patience {
            options: &self.options,
            policy: &self.policy,
            context: &self.context,
            retries: self.left_after(FaultKind::LockTimeout),
            deadline: self.deadline,
        }
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

    /// Why its attempt cannot be made.
    #[inline]
    pub(super) fn refusal(&mut self) -> Option<D::Error> {
        self.refused.take()
    }

    /// The span of the attempt that runs.
    #[inline]
    pub(super) fn span(&self) -> Option<&tracing::Span> {
        self.running.as_ref().map(Attempt::span)
    }

    /// See [`Attempt::poll_time`].
    pub(super) fn poll_time(&mut self, waking: &mut task::Context<'_>) -> Poll<Failure> {
        match &mut self.running {
            Some(running) => running.poll_time(waking),
            None => Poll::Pending,
        }
    }

    /// Ends an attempt: commits its work if the body did well, else undoes it; then decides
    /// whether to run again and waits for the time of that.
    ///
    /// # Cancel safety
    /// Dropping the future rolls the work back, except that COMMIT may already have been sent;
    /// then nobody knows.
    pub(super) fn settle(state: Option<Box<Self>>, ok: bool) -> Settling<D> {
        Box::pin(async move {
            let Some(mut this) = state else {
                return Settled::Kept;
            };
            let Some(mut attempt) = this.running.take() else {
                // It was refused, and says so in place of the body.
                return Settled::Kept;
            };
            if ok {
                let touched = attempt.touched();
                let Err((failure, level)) = attempt.conclude().await else {
                    this.succeed(touched);
                    return Settled::Kept;
                };
                if let Some(error) = this.after_lost_success(failure, level).await {
                    return Settled::Replaced(error);
                }
            } else {
                let wreck = attempt.undo().await;
                if !this.after_error(wreck).await {
                    return Settled::Kept;
                }
            }
            drop(attempt);
            Settled::Again(this)
        })
    }

    fn succeed(&mut self, touched: bool) {
        self.ended = true;
        let context = &self.context;
        if matches!(self.mode, Ok(Mode::Root(_) | Mode::Detached)) {
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
        if touched {
            let performance = context.vitals.performance();
            performance.method(self.method.name(), self.started, now, false);
        }
    }
}

impl<D: Database> Drop for State<D> {
    fn drop(&mut self) {
        if !self.ended && self.attempt > 0 {
            self.method.cancelled();
        }
    }
}

impl<D: Database> fmt::Debug for State<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("method", &self.method.name())
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}

/// How a call's transaction begins.
pub(super) fn begin_options(
    options: &CallOptions,
    context: &Context,
    time_left: Option<Duration>,
    lock_timeout: Option<Duration>,
) -> BeginOptions {
    BeginOptions {
        isolation: options.isolation,
        read_only: options.read_only,
        locking: context.locking,
        time_left,
        lock_timeout,
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
        Ok(Mode::Root(_)) => options.commit.unwrap_or(default),
        Ok(Mode::Nested(_) | Mode::Joined(_)) => options.commit.unwrap_or_default(),
        Ok(Mode::Detached) | Err(_) => CommitMode::Reported,
    };
    commit_token(asked)
}

/// What a call's attempts to commit are known by, if they are to be verified.
pub(super) fn commit_token(mode: CommitMode) -> Option<CommitToken> {
    (mode == CommitMode::Verified).then(CommitToken::new)
}
