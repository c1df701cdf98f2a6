//! How long an attempt waits for locks, and for its turn among those of its method.

use std::time::{Duration, Instant};

use crate::{
    CallOptions, FaultKind,
    admission::{Owner, share_for_locks},
    driver::Context,
    policy::RetryPolicy,
};

/// What an attempt's patience follows from.
pub(super) struct Patience<'a> {
    pub(super) options: &'a CallOptions,
    pub(super) policy: &'a RetryPolicy,
    pub(super) context: &'a Context,
    /// Retries that may still be made after a lock timeout.
    pub(super) retries: u32,
    pub(super) deadline: Option<Instant>,
}

impl Patience<'_> {
    /// What the attempt's transaction goes by.
    pub(super) fn owner(&self, method: &'static str) -> Owner {
        let repeats = self.policy.lock_timeout.is_none() && self.repeats_lock_timeouts();
        Owner {
            method: Some(method),
            admission: self.options.admission.unwrap_or(self.context.admission),
            repeats_lock_timeouts: repeats,
        }
    }

    /// The limit that the policy sets, or that follows from the time `left` to the attempt; none
    /// if it is no shorter than that.
    pub(super) fn lock_timeout(&self, left: Option<Duration>, now: Instant) -> Option<Duration> {
        let limit = match (self.policy.lock_timeout, left) {
            (Some(limit), _) if limit.is_zero() => return None,
            (Some(limit), _) => limit,
            (None, Some(left)) if self.repeats_lock_timeouts() => {
                let all = self.deadline.map(|d| d.saturating_duration_since(now));
                let of_all = all.map(|all| share_for_locks(all, self.retries));
                let of_one = share_for_locks(left, 0);
                of_all.map_or(of_one, |of_all| of_all.min(of_one))
            }
            (None, _) => return None,
        };
        Some(limit).filter(|limit| left.is_none_or(|left| *limit < left))
    }

    /// Whether a limit that nobody asked for is no loss: another attempt follows, and the budget
    /// is not needed for anything else.
    fn repeats_lock_timeouts(&self) -> bool {
        self.policy.on.contains(FaultKind::LockTimeout)
            && self.retries > 0
            && self.context.budget.is_ample()
    }
}
