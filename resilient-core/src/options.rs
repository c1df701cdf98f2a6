//! What a call asks for: the keys of `#[resilient(...)]` as a value.

use std::time::Duration;

use serde::Serialize;
use strum::{Display, EnumString};

use crate::{
    CommitMode, FaultSet,
    admission::Admission,
    policy::{Delay, RetryPolicy},
};

/// How strictly concurrent transactions are kept apart, weakest first.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Display, EnumString, Serialize,
)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum IsolationLevel {
    /// `READ UNCOMMITTED`
    ReadUncommitted,
    /// `READ COMMITTED`
    ReadCommitted,
    /// `REPEATABLE READ`
    RepeatableRead,
    /// `SERIALIZABLE`
    Serializable,
}

impl IsolationLevel {
    /// The words of the SQL standard.
    pub const fn sql(self) -> &'static str {
        match self {
            Self::ReadUncommitted => "READ UNCOMMITTED",
            Self::ReadCommitted => "READ COMMITTED",
            Self::RepeatableRead => "REPEATABLE READ",
            Self::Serializable => "SERIALIZABLE",
        }
    }
}

/// How a call relates to the transaction its caller is in. The names are those of Spring and
/// Jakarta Transactions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Display, EnumString, Serialize)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Propagation {
    /// A savepoint in the caller's transaction, or a transaction of its own; the default.
    #[default]
    Nested,
    /// Part of the caller's scope without a savepoint, or a transaction of its own.
    Required,
    /// A transaction of its own, on a second connection if the caller has one.
    RequiresNew,
    /// Part of the caller's scope; an error without one.
    Mandatory,
    /// Part of the caller's scope, or no transaction.
    Supports,
    /// No transaction, even if the caller has one.
    NotSupported,
    /// No transaction; an error if the caller has one.
    Never,
}

/// Everything that a call can ask for; what is not set comes from its policy, else from the
/// connection's.
#[derive(Clone, Copy, Debug, Default)]
pub struct CallOptions {
    pub(crate) policy: Option<RetryPolicy>,
    pub(crate) retries: Option<u32>,
    pub(crate) on: Option<FaultSet>,
    pub(crate) delay: Option<Delay>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) isolation: Option<IsolationLevel>,
    pub(crate) read_only: bool,
    pub(crate) propagation: Propagation,
    pub(crate) commit: Option<CommitMode>,
    pub(crate) lock_timeout: Option<Duration>,
    pub(crate) admission: Option<Admission>,
}

impl CallOptions {
    /// Nothing set.
    pub const fn new() -> Self {
        Self {
            policy: None,
            retries: None,
            on: None,
            delay: None,
            timeout: None,
            deadline: None,
            isolation: None,
            read_only: false,
            propagation: Propagation::Nested,
            commit: None,
            lock_timeout: None,
            admission: None,
        }
    }

    /// Where unset keys are taken from, in place of the connection's policy.
    #[must_use]
    pub const fn policy(mut self, policy: RetryPolicy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// Re-executions after the first attempt, for every kind of fault.
    #[must_use]
    pub const fn retries(mut self, retries: u32) -> Self {
        self.retries = Some(retries);
        self
    }

    /// The kinds that are retried.
    #[must_use]
    pub const fn on(mut self, on: FaultSet) -> Self {
        self.on = Some(on);
        self
    }

    /// The delays between attempts.
    #[must_use]
    pub const fn delay(mut self, delay: Delay) -> Self {
        self.delay = Some(delay);
        self
    }

    /// The longest one attempt may take. An attempt that runs into it is retried.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The longest all attempts and delays may take together.
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// How long a statement may wait for a lock; see [`RetryPolicy::lock_timeout`].
    #[must_use]
    pub const fn lock_timeout(mut self, lock_timeout: Duration) -> Self {
        self.lock_timeout = Some(lock_timeout);
        self
    }

    /// Whether calls that are in each other's way take turns; the connection's choice if unset.
    #[must_use]
    pub const fn admission(mut self, admission: Admission) -> Self {
        self.admission = Some(admission);
        self
    }

    /// The isolation level of the transaction; the server's default if unset.
    #[must_use]
    pub const fn isolation(mut self, isolation: IsolationLevel) -> Self {
        self.isolation = Some(isolation);
        self
    }

    /// Begins the transaction as `READ ONLY`.
    #[must_use]
    pub const fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// How the call relates to its caller's transaction.
    #[must_use]
    pub const fn propagation(mut self, propagation: Propagation) -> Self {
        self.propagation = propagation;
        self
    }

    /// What happens when the answer to COMMIT is lost; the connection's choice if unset. Inside
    /// another call's transaction, [`CommitMode::Verified`] makes that one verified.
    #[must_use]
    pub const fn commit(mut self, commit: CommitMode) -> Self {
        self.commit = Some(commit);
        self
    }

    /// Whether nothing has to be looked after for a call with these options while its body runs,
    /// unless its connection's policy says otherwise.
    pub(crate) const fn is_plain(&self) -> bool {
        let limited = match &self.policy {
            Some(policy) => policy.has_limits(),
            None => false,
        };
        !limited
            && self.timeout.is_none()
            && self.deadline.is_none()
            // That is refused where there is no transaction around it.
            && !matches!(self.propagation, Propagation::Mandatory)
    }

    /// The policy that results, over the connection's `default`.
    pub(crate) fn resolve(&self, default: &RetryPolicy) -> RetryPolicy {
        let base = self.policy.as_ref().unwrap_or(default);
        RetryPolicy {
            retries: self.retries.unwrap_or(base.retries),
            // A number that the call itself gives is meant for every kind.
            deadlock_retries: match self.retries {
                Some(_) => None,
                None => base.deadlock_retries,
            },
            on: self.on.unwrap_or(base.on),
            delay: self.delay.unwrap_or(base.delay),
            timeout: self.timeout.or(base.timeout),
            deadline: self.deadline.or(base.deadline),
            lock_timeout: self.lock_timeout.or(base.lock_timeout),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FaultKind;

    #[test]
    fn a_calls_own_retries_hold_for_deadlocks_too() {
        let connection = RetryPolicy::new().retries(3).deadlock_retries(5);
        let resolved = CallOptions::new().resolve(&connection);
        assert_eq!(resolved.retries_after(FaultKind::Deadlock), 5);
        let resolved = CallOptions::new().retries(0).resolve(&connection);
        assert_eq!(resolved.most_retries(), 0);
    }
}
