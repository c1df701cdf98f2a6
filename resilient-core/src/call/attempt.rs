//! One attempt: the body in its scope and time, and what it left behind.

use std::{
    fmt, mem,
    sync::Arc,
    task::{self, Poll},
    time::{Duration, Instant},
};

use tracing::{Span, field};

use crate::{
    Effect, Fault, FaultKind, Outcome,
    driver::{ContextRef, Database},
    failure::{DriverError, Failure, Reason},
    policy::Level,
    scope::{Detached, Frame, Scope, swallowed},
    time::{Sleep, poll_alarm},
    turns::TurnKeys,
};

/// One attempt of a call. Dropping it unsettled undoes its work.
pub(super) struct Attempt<D: Database> {
    context: ContextRef,
    frame: Arc<Frame>,
    work: Work<D>,
    limit: Option<(Duration, Reason)>,
    span: Span,
    alarm: Option<Sleep>,
    timed_out: bool,
    started: Instant,
    settled: bool,
}

pub(super) enum Work<D: Database> {
    Own(Scope<D>),
    Joined(Scope<D>),
    Detached(Arc<Detached>),
    /// A transaction that nothing was asked of.
    Unopened,
}

impl<D: Database> Work<D> {
    /// Names the turns that its transaction takes.
    pub(super) fn name_turns(&self, keys: &TurnKeys) -> Result<(), Failure> {
        match self {
            Self::Own(scope) => {
                let named = scope.transaction().name_turns(keys);
                if named.is_err() {
                    scope.abandon();
                }
                named
            }
            Self::Joined(scope) => scope.transaction().name_turns(keys),
            Self::Detached(_) | Self::Unopened => Err(Failure::misuse(
                "serialize_by is for calls with a transaction, which have their turn until it \
                 ends: remove it, or choose another propagation",
            )),
        }
    }
}

impl<D: Database> Work<D> {
    /// What its span calls it.
    fn operation(&self) -> Option<&'static str> {
        match self {
            Self::Own(scope) if scope.is_root() => Some("transaction"),
            Self::Own(_) => Some("savepoint"),
            Self::Joined(_) | Self::Detached(_) | Self::Unopened => None,
        }
    }
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
        context: ContextRef,
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
            db.namespace = context.name(),
            db.system.name = Some(context.system()).filter(|name| !name.is_empty()),
            db.operation.name = work.operation(),
            otel.kind = "client",
            otel.name = frame.status.method(),
            otel.status_code = field::Empty,
            error.type = field::Empty,
            db.response.status_code = field::Empty,
        );
        Self {
            span,
            started: context.clock.now(),
            alarm: limit.as_ref().map(|(limit, _)| context.clock.alarm(*limit)),
            context,
            frame,
            work,
            limit,
            timed_out: false,
            settled: false,
        }
    }

    pub(super) fn span(&self) -> &Span {
        &self.span
    }

    /// The failure that says that the time was up, once it is. The body must still be there: so
    /// this is the first cause, not its being dropped.
    pub(super) fn poll_time(&mut self, waking: &mut task::Context<'_>) -> Poll<Failure> {
        match &mut self.alarm {
            Some(alarm) => poll_alarm(alarm.as_mut(), waking).map(|()| self.time_is_up()),
            None => Poll::Pending,
        }
    }

    /// Whether the database has heard of it.
    pub(super) fn touched(&self) -> bool {
        match &self.work {
            Work::Own(scope) | Work::Joined(scope) => scope.transaction().ledger().sent(scope.id()),
            Work::Detached(_) => true,
            Work::Unopened => false,
        }
    }

    /// Books that the time was up, and answers the failure that says so.
    fn time_is_up(&mut self) -> Failure {
        let reason = self
            .limit
            .as_ref()
            .map_or(Reason::Deadline, |(_, reason)| reason.clone());
        self.timed_out = reason == Reason::AttemptTimeout;
        let mut failure = timeout(reason);
        match &self.work {
            Work::Own(scope) | Work::Joined(scope) => scope.doom(failure.clone()),
            Work::Detached(detached) => detached.failed_of(failure.clone()),
            Work::Unopened => {}
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
            Work::Unopened => Level::Root,
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
            Work::Detached(_) | Work::Unopened => Ok(()),
        };
        self.settled = true;
        match &result {
            Ok(()) => self.span = Span::none(),
            Err(failure) => self.end_span(Some(failure)),
        }
        result.map_err(|failure| (failure, level))
    }

    /// The body returned an error: undoes its work.
    pub(super) async fn undo(&mut self) -> Wreck {
        let level = self.level();
        let timed_out = self.timed_out;
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
            Work::Unopened => (None, Outcome::NotSent, None),
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
        self.end_span(wreck.cause.as_ref());
        wreck
    }

    /// Ends its span as failed; a back-off is no part of it. What the caller's own code made up
    /// has no cause here.
    fn end_span(&mut self, cause: Option<&Failure>) {
        let span = mem::replace(&mut self.span, Span::none());
        if span.is_disabled() {
            return;
        }
        span.record("otel.status_code", "ERROR");
        let kind = cause.map_or("_OTHER", |cause| cause.kind().as_str());
        span.record("error.type", kind);
        if let Some(code) = cause.map(|c| c.fault().code()).filter(|c| !c.is_empty()) {
            span.record("db.response.status_code", code);
        }
    }

    /// The server's own limit was set from the attempt's and may be quicker to say so: that is
    /// the attempt's timeout or the call's deadline all the same.
    fn attribute_server_limit(&self, wreck: &mut Wreck) {
        /// The server counts in whole milliseconds.
        const ROUNDING: Duration = Duration::from_millis(2);
        let (Some((limit, reason)), Some(cause)) = (&self.limit, &mut wreck.cause) else {
            return;
        };
        let now = self.context.clock.now();
        let elapsed = now.saturating_duration_since(self.started);
        let by_server =
            cause.kind() == FaultKind::StatementTimeout && *cause.reason() == Reason::Database;
        if by_server && elapsed + ROUNDING >= *limit {
            wreck.timed_out |= *reason == Reason::AttemptTimeout;
            cause.inner.reason = reason.clone();
        }
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
            Work::Detached(_) | Work::Unopened => {}
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
