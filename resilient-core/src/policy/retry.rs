//! Whether to retry: one pure decision.

use std::time::{Duration, Instant};

use serde::Serialize;
use strum::{Display, IntoStaticStr};

use super::{Budget, Delay, DelaySequence};
use crate::{Effect, Fault, FaultKind, FaultSet, time::Random};

/// A reusable retry policy: the connection's default, or named by `policy = PATH`.
///
/// Defaults: 3 retries on [`FaultSet::TRANSIENT`], delays by fault kind, no time limits.
///
/// ```
/// use std::time::Duration;
/// use resilient_core::{FaultSet, policy::RetryPolicy};
/// pub const PATIENT: RetryPolicy = RetryPolicy::new()
///     .retries(8)
///     .on(FaultSet::CONTENTION)
///     .deadline(Duration::from_secs(10));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    pub(crate) retries: u32,
    pub(crate) deadlock_retries: Option<u32>,
    pub(crate) on: FaultSet,
    pub(crate) delay: Delay,
    pub(crate) timeout: Option<Duration>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) lock_timeout: Option<Duration>,
}

impl RetryPolicy {
    /// The default policy.
    pub const fn new() -> Self {
        Self {
            retries: 3,
            deadlock_retries: None,
            on: FaultSet::TRANSIENT,
            delay: Delay::by_fault(),
            timeout: None,
            deadline: None,
            lock_timeout: None,
        }
    }

    /// Whether attempts or calls have a time limit.
    pub(crate) const fn has_limits(&self) -> bool {
        self.timeout.is_some() || self.deadline.is_some()
    }

    /// Re-executions after the first attempt; 3 by default.
    #[must_use]
    pub const fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// The same for deadlocks, which the server breaks at once and a repetition usually gets
    /// past; as many as [`retries`](Self::retries) by default.
    ///
    /// All retries of a call are counted together: with 3 and 5, a deadlock is retried while
    /// fewer than 5 retries were made for whatever reason, any other fault while fewer than 3
    /// were. A method that sets `retries` itself means every kind.
    #[must_use]
    pub const fn deadlock_retries(mut self, retries: u32) -> Self {
        self.deadlock_retries = Some(retries);
        self
    }

    /// The kinds that are retried; [`FaultSet::TRANSIENT`] by default.
    #[must_use]
    pub const fn on(mut self, on: FaultSet) -> Self {
        self.on = on;
        self
    }

    /// The delays between attempts; by fault kind by default.
    #[must_use]
    pub const fn delay(mut self, delay: Delay) -> Self {
        self.delay = delay;
        self
    }

    /// The longest one attempt may take; unlimited by default.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The longest all attempts and delays may take together; unlimited by default. A COMMIT
    /// that was sent in time is waited for all the same, as giving it up would leave its outcome
    /// unknown; the connection's control limit bounds that.
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// How long a statement may wait for a lock before it fails of
    /// [`FaultKind::LockTimeout`], so that the wait becomes a retry and not a stall. Zero leaves
    /// it to the server. MySQL and MariaDB count in whole seconds: it is rounded up. On SQLite,
    /// which has no locks of rows, it does nothing. A session's own limit holds if it is shorter.
    ///
    /// By default it is derived where a lock timeout would be retried: from `timeout` or
    /// `deadline`, half of the time left shared among the attempts left. The last attempt waits
    /// for as long as it has. Without either, a method whose transactions were just seen to
    /// deadlock waits for a multiple of what they take, if admission is adaptive.
    #[must_use]
    pub const fn lock_timeout(mut self, lock_timeout: Duration) -> Self {
        self.lock_timeout = Some(lock_timeout);
        self
    }

    /// How many retries a call may have made, and still make one after `kind`.
    pub(crate) fn retries_after(&self, kind: FaultKind) -> u32 {
        match kind {
            FaultKind::Deadlock => self.deadlock_retries.unwrap_or(self.retries),
            _ => self.retries,
        }
    }

    /// The most retries a call can make, whatever goes wrong.
    pub(crate) fn most_retries(&self) -> u32 {
        self.retries.max(self.deadlock_retries.unwrap_or(0))
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::new()
    }
}

/// Why a failed call was not tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Display, IntoStaticStr, Serialize)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StopReason {
    /// The failure is none that this call retries.
    NotRetryable,
    /// Every allowed attempt was made.
    AttemptsExhausted,
    /// The connection's retry budget is empty.
    BudgetExhausted,
    /// No time is left for another attempt.
    DeadlineExceeded,
    /// Only the outermost call can retry this, and it decides.
    LeftToRoot,
    /// A repetition could apply the work twice.
    OutcomeUnknown,
    /// The circuit breaker is open; a retry would be rejected too, or wait for it.
    CircuitOpen,
}

/// What to do after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Try again after the delay.
    Retry(Duration),
    /// Give up.
    Stop(StopReason),
}

/// Where the attempt that failed stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// It owned its transaction.
    Root,
    /// It was a savepoint of another call's transaction.
    Savepoint,
    /// It ran in another call's scope.
    Joined,
    /// It had no transaction; `repeatable` unless something may have been applied.
    Detached { repeatable: bool },
}

/// All that the decision depends on.
pub(crate) struct Situation<'a> {
    pub(crate) fault: Option<&'a Fault>,
    /// The attempt ran into its own `timeout`.
    pub(crate) timed_out: bool,
    pub(crate) level: Level,
    pub(crate) read_only: bool,
    pub(crate) on: FaultSet,
    /// The circuit breaker let nothing through.
    pub(crate) rejected: bool,
    /// Retries that may still be made.
    pub(crate) left: u32,
    pub(crate) now: Instant,
    pub(crate) deadline: Option<Instant>,
}

/// Whether a savepoint's rollback undoes everything the fault did, so that the nested scope
/// alone can run again.
///
/// Deadlock, serialization failure and their like need every lock or the snapshot given up,
/// which only the root can do.
fn heals_at_savepoint(fault: &Fault) -> bool {
    let undone = matches!(fault.effect(), Effect::Statement | Effect::Aborted);
    let root_only = matches!(
        fault.kind(),
        FaultKind::Deadlock
            | FaultKind::SerializationFailure
            | FaultKind::PendingRollback
            | FaultKind::StalePlan
            | FaultKind::ReadOnly
    ) || FaultSet::CONNECTION.contains(fault.kind());
    undone && !root_only
}

pub(crate) fn decide(
    situation: &Situation<'_>,
    delays: &mut DelaySequence,
    random: &dyn Random,
    budget: &Budget,
) -> Verdict {
    use StopReason as Stop;
    let Some(fault) = situation.fault else {
        return Verdict::Stop(Stop::NotRetryable);
    };
    if fault.kind() == FaultKind::CommitUnknown {
        return Verdict::Stop(Stop::OutcomeUnknown);
    }
    let wanted = situation.on.contains(fault.kind()) || situation.timed_out;
    // A write in a transaction declared read-only fails again wherever it runs.
    let declared = situation.read_only && fault.kind() == FaultKind::ReadOnly;
    if !wanted || declared {
        return Verdict::Stop(Stop::NotRetryable);
    }
    match situation.level {
        Level::Root | Level::Detached { repeatable: true } => {}
        Level::Detached { repeatable: false } if situation.read_only => {}
        Level::Detached { repeatable: false } => return Verdict::Stop(Stop::OutcomeUnknown),
        Level::Savepoint if heals_at_savepoint(fault) => {}
        Level::Savepoint | Level::Joined => return Verdict::Stop(Stop::LeftToRoot),
    }
    if situation.rejected {
        return Verdict::Stop(Stop::CircuitOpen);
    }
    if situation.left == 0 {
        return Verdict::Stop(Stop::AttemptsExhausted);
    }
    let Some(delay) = delays.next(fault.kind(), random) else {
        return Verdict::Stop(Stop::AttemptsExhausted);
    };
    if situation
        .deadline
        .is_some_and(|deadline| situation.now + delay >= deadline)
    {
        return Verdict::Stop(Stop::DeadlineExceeded);
    }
    if !budget.withdraw() {
        return Verdict::Stop(Stop::BudgetExhausted);
    }
    Verdict::Retry(delay)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{policy::BudgetConfig, time::SeededRandom};

    fn verdict(
        kind: FaultKind,
        effect: Effect,
        change: impl FnOnce(&mut Situation<'_>),
    ) -> Verdict {
        let fault = Fault::new(kind, effect);
        let mut situation = Situation {
            fault: Some(&fault),
            timed_out: false,
            level: Level::Root,
            read_only: false,
            on: FaultSet::TRANSIENT,
            rejected: false,
            left: 1,
            now: Instant::now(),
            deadline: None,
        };
        change(&mut situation);
        decide(
            &situation,
            &mut DelaySequence::new(Delay::none()),
            &SeededRandom::new(1),
            &Budget::default(),
        )
    }

    const AGAIN: Verdict = Verdict::Retry(Duration::ZERO);

    #[test]
    fn deadlocks_and_lost_connections_retry_the_root_only() {
        for kind in FaultSet::CONNECTION
            .iter()
            .chain([FaultKind::Deadlock, FaultKind::SerializationFailure])
        {
            assert_eq!(verdict(kind, Effect::Aborted, |_| {}), AGAIN, "{kind}");
            assert_eq!(
                verdict(kind, Effect::Aborted, |s| s.level = Level::Savepoint),
                Verdict::Stop(StopReason::LeftToRoot),
                "{kind}"
            );
        }
    }

    #[test]
    fn a_lock_timeout_is_retried_at_the_savepoint_if_it_survived() {
        let nested = |s: &mut Situation<'_>| s.level = Level::Savepoint;
        assert_eq!(
            verdict(FaultKind::LockTimeout, Effect::Statement, nested),
            AGAIN
        );
        assert_eq!(
            verdict(FaultKind::LockTimeout, Effect::Aborted, nested),
            AGAIN
        );
        assert_eq!(
            verdict(FaultKind::LockTimeout, Effect::Transaction, nested),
            Verdict::Stop(StopReason::LeftToRoot)
        );
    }

    #[test]
    fn an_unknown_commit_is_never_retried_even_if_asked_for() {
        assert_eq!(
            verdict(FaultKind::CommitUnknown, Effect::Unknown, |s| {
                s.on = FaultSet::of(FaultKind::ALL);
            }),
            Verdict::Stop(StopReason::OutcomeUnknown)
        );
    }

    #[test]
    fn a_write_in_a_declared_read_only_transaction_is_not_retried() {
        assert_eq!(verdict(FaultKind::ReadOnly, Effect::Aborted, |_| {}), AGAIN);
        assert_eq!(
            verdict(FaultKind::ReadOnly, Effect::Aborted, |s| s.read_only = true),
            Verdict::Stop(StopReason::NotRetryable)
        );
    }

    #[test]
    fn a_sleep_never_overruns_the_deadline() {
        let fault = Fault::new(FaultKind::Deadlock, Effect::Transaction);
        let now = Instant::now();
        let ask = |millis| {
            decide(
                &Situation {
                    fault: Some(&fault),
                    timed_out: false,
                    level: Level::Root,
                    read_only: false,
                    on: FaultSet::TRANSIENT,
                    rejected: false,
                    left: 1,
                    now,
                    deadline: Some(now + Duration::from_millis(millis)),
                },
                &mut DelaySequence::new(Delay::fixed(Duration::from_millis(10))),
                &SeededRandom::new(1),
                &Budget::default(),
            )
        };
        assert_eq!(ask(10), Verdict::Stop(StopReason::DeadlineExceeded));
        assert_eq!(ask(11), Verdict::Retry(Duration::from_millis(10)));
    }

    #[test]
    fn an_empty_budget_stops_and_says_so() {
        let fault = Fault::new(FaultKind::Deadlock, Effect::Transaction);
        let budget = Budget::new(BudgetConfig {
            ratio: 0.0,
            reserve: 0,
        });
        let situation = Situation {
            fault: Some(&fault),
            timed_out: false,
            level: Level::Root,
            read_only: false,
            on: FaultSet::TRANSIENT,
            rejected: false,
            left: 1,
            now: Instant::now(),
            deadline: None,
        };
        assert_eq!(
            decide(
                &situation,
                &mut DelaySequence::new(Delay::none()),
                &SeededRandom::new(1),
                &budget
            ),
            Verdict::Stop(StopReason::BudgetExhausted)
        );
    }

    #[test]
    fn a_rejected_call_is_not_repeated_and_takes_nothing_from_the_budget() {
        assert_eq!(
            verdict(FaultKind::ServerUnavailable, Effect::Connection, |s| {
                s.rejected = true;
            }),
            Verdict::Stop(StopReason::CircuitOpen)
        );
    }

    #[test]
    fn permanent_faults_stop_unless_named() {
        assert_eq!(
            verdict(FaultKind::Unique, Effect::Statement, |_| {}),
            Verdict::Stop(StopReason::NotRetryable)
        );
        assert_eq!(
            verdict(FaultKind::Unique, Effect::Statement, |s| {
                s.on = FaultSet::of(&[FaultKind::Unique]);
            }),
            AGAIN
        );
    }
}
