//! The retry budget: a token bucket that bounds the load retries add to a failing database.

use std::sync::atomic::{AtomicI64, Ordering};

/// How large a [`Budget`] is.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct BudgetConfig {
    /// Retries earned by each call, as a fraction; 0.2 by default.
    pub ratio: f64,
    /// Retries that can be saved up, and the number at the start; 100 by default, the capacity
    /// of the AWS SDKs' standard retry mode (500 tokens at 5 a retry).
    pub reserve: u32,
}

impl BudgetConfig {
    /// Each call earns `ratio` retries, of which `reserve` can be saved up.
    pub const fn new(ratio: f64, reserve: u32) -> Self {
        Self { ratio, reserve }
    }
}

impl Default for BudgetConfig {
    fn default() -> Self {
        Self {
            ratio: 0.2,
            reserve: 100,
        }
    }
}

/// A shared token bucket. Each call puts in a fraction of a retry, each retry takes one out.
///
/// A call that succeeds after retries puts back what it took: contention that resolves is not
/// a failing database. So a database that fails every call gets at most
/// `ratio * calls + reserve` more, while a busy one is not starved.
#[derive(Debug)]
pub struct Budget {
    /// In thousandths of a retry.
    tokens: AtomicI64,
    deposit: i64,
    capacity: i64,
}

const ONE: i64 = 1000;

impl Budget {
    /// A full bucket.
    #[allow(clippy::cast_possible_truncation)]
    pub fn new(config: BudgetConfig) -> Self {
        let capacity = i64::from(config.reserve) * ONE;
        Self {
            tokens: AtomicI64::new(capacity),
            deposit: (config.ratio.clamp(0.0, 1000.0) * 1000.0).round() as i64,
            capacity,
        }
    }

    /// Counts one call.
    pub fn deposit(&self) {
        // A full bucket, the usual case, costs one load.
        if self.tokens.load(Ordering::Relaxed) < self.capacity {
            self.add(self.deposit);
        }
    }

    /// Takes one retry out, or answers `false` where none is left.
    pub fn withdraw(&self) -> bool {
        self.tokens
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |t| {
                (t >= ONE).then_some(t - ONE)
            })
            .is_ok()
    }

    /// Puts back the retries of a call that succeeded in the end.
    pub fn refund(&self, retries: u32) {
        if retries > 0 {
            self.add(i64::from(retries) * ONE);
        }
    }

    /// Whether at least half of what can be saved up is left.
    pub(crate) fn is_ample(&self) -> bool {
        self.tokens.load(Ordering::Relaxed) * 2 >= self.capacity
    }

    /// Whole retries left.
    pub fn available(&self) -> u64 {
        u64::try_from(self.tokens.load(Ordering::Relaxed) / ONE).unwrap_or(0)
    }

    fn add(&self, amount: i64) {
        let _ = self
            .tokens
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |t| {
                Some((t + amount).min(self.capacity))
            });
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(BudgetConfig::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_database_gets_a_fifth_more_calls_plus_the_reserve() {
        let budget = Budget::new(BudgetConfig {
            ratio: 0.2,
            reserve: 10,
        });
        let mut retries = 0;
        for _ in 0..1000 {
            budget.deposit();
            for _ in 0..3 {
                retries += u32::from(budget.withdraw());
            }
        }
        assert!(retries <= 200 + 10, "{retries}");
        assert!(retries >= 200, "{retries}");
    }

    #[test]
    fn a_success_gives_back_what_its_retries_took_but_never_overfills() {
        let budget = Budget::new(BudgetConfig {
            ratio: 0.0,
            reserve: 2,
        });
        assert!(budget.withdraw() && budget.withdraw() && !budget.withdraw());
        budget.refund(1);
        assert!(budget.withdraw() && !budget.withdraw());
        budget.refund(50);
        assert_eq!(budget.available(), 2);
    }
}
