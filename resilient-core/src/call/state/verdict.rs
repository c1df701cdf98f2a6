//! What follows a failed attempt: another one, or the end of the call, and what is said about it.

use std::time::Duration;

use super::{super::attempt::Wreck, State};
use crate::{
    Fault, Outcome,
    driver::Database,
    failure::{DriverError, Failure, Reason},
    policy::{Level, Situation, StopReason, Verdict, decide},
};

impl<D: Database> State<D> {
    /// The body said `Ok`, the transaction did not. Answers the error, or `None` to run again.
    #[cold]
    pub(super) async fn after_lost_success(
        &mut self,
        failure: Failure,
        level: Level,
    ) -> Option<D::Error> {
        if failure.inner.reason == Reason::Swallowed {
            self.context.metrics.doomed.add(1);
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
    pub(super) async fn after_error(&mut self, wreck: Wreck) -> bool {
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
        let context = &self.context;
        if let Some(cause) = cause {
            self.method.fault(cause.kind());
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
        let context = &self.context;
        self.method.retried(fault.kind());
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
            self.method.waited(delay);
        }
    }

    pub(super) fn give_up(&mut self, mut failure: Failure, stop: StopReason) -> D::Error {
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
        let context = &self.context;
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
                db.namespace = self.context.name(),
                outcome = %outcome,
                stop = %stop,
                rollback_failed = rollback.is_some(),
                "call failed",
            );
        }
        self.status.fail(outcome, stop, rollback);
    }
}
