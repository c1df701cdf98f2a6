//! The retries of one root call, which the calls inside it share.

use std::sync::atomic::{AtomicU32, Ordering};

use super::RetryPolicy;
use crate::FaultKind;

/// How many retries were made, and how many may be. Nested calls draw on their root's, so that
/// retries never multiply.
#[derive(Debug)]
pub(crate) struct Allowance {
    made: AtomicU32,
    /// `None` where nothing retries the transaction itself.
    policy: Option<RetryPolicy>,
}

impl Allowance {
    /// As much as a policy allows.
    pub(crate) const fn of(policy: RetryPolicy) -> Self {
        Self {
            made: AtomicU32::new(0),
            policy: Some(policy),
        }
    }

    /// Without an end.
    pub(crate) const fn unlimited() -> Self {
        Self {
            made: AtomicU32::new(0),
            policy: None,
        }
    }

    /// Counts one retry.
    pub(crate) fn draw(&self) {
        self.made.fetch_add(1, Ordering::Relaxed);
    }

    /// Retries made.
    pub(crate) fn made(&self) -> u32 {
        self.made.load(Ordering::Relaxed)
    }

    /// What is left after a fault of this kind.
    pub(crate) fn left_after(&self, kind: FaultKind) -> u32 {
        self.left(|policy| policy.retries_after(kind))
    }

    /// What is left after the kind that is retried most.
    pub(crate) fn most_left(&self) -> u32 {
        self.left(RetryPolicy::most_retries)
    }

    fn left(&self, limit: impl FnOnce(&RetryPolicy) -> u32) -> u32 {
        self.policy
            .as_ref()
            .map_or(u32::MAX, |policy| limit(policy).saturating_sub(self.made()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OTHERS: FaultKind = FaultKind::SerializationFailure;

    #[test]
    fn deadlocks_have_a_limit_of_their_own_on_one_count() {
        let allowance = Allowance::of(RetryPolicy::new().retries(1).deadlock_retries(3));
        let mut seen = Vec::new();
        for _ in 0..4 {
            seen.push((
                allowance.left_after(OTHERS),
                allowance.left_after(FaultKind::Deadlock),
                allowance.most_left(),
            ));
            allowance.draw();
        }
        assert_eq!(seen, [(1, 3, 3), (0, 2, 2), (0, 1, 1), (0, 0, 0)]);
    }

    #[test]
    fn fewer_for_deadlocks_than_for_the_rest_works_too() {
        let allowance = Allowance::of(RetryPolicy::new().retries(3).deadlock_retries(0));
        assert_eq!(allowance.left_after(FaultKind::Deadlock), 0);
        assert_eq!(
            (allowance.left_after(OTHERS), allowance.most_left()),
            (3, 3)
        );
    }

    #[test]
    fn without_a_limit_of_their_own_they_have_everyones() {
        let allowance = Allowance::of(RetryPolicy::new().retries(2));
        assert_eq!(allowance.left_after(FaultKind::Deadlock), 2);
        assert_eq!(Allowance::unlimited().left_after(OTHERS), u32::MAX);
    }
}
