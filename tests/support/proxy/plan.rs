//! What happens to which statement.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::sql::is_commit;

/// How the client's connection ends for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By a reset.
    Reset,
    /// In an orderly way, as by a server that is stopped.
    Fin,
    /// It does not: it stays open, and nothing comes any more. The server's side stays open too,
    /// with whatever transaction it has, until the client closes.
    Silence,
}

/// What happens to a statement, a COMMIT unless a [`Plan`] says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The server never sees it.
    NotApplied(Ending),
    /// The server has answered it completely, and nothing of the answer reaches the client.
    Applied(Ending),
    /// The server has answered it completely, and half of the answer's bytes reach the client.
    HalfReply(Ending),
    /// The client is cut at once. The server sees the statement so much later, and answers into
    /// nothing.
    Late {
        /// How much later.
        after: Duration,
        /// How the client is cut.
        ending: Ending,
    },
    /// It is answered as always. Then the connection falls silent.
    SilentAfter,
    /// It reaches the server so much later; all else is as always.
    Delayed(Duration),
}

#[derive(Clone, Copy, Debug)]
enum When {
    Nth(u64),
    Every(u64),
    Chance(f64),
}

type Matches = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// Which statements a [`Fault`] strikes: the next COMMIT, unless more is said.
#[derive(Clone)]
pub struct Plan {
    fault: Fault,
    when: When,
    matches: Matches,
    beyond: u64,
    dice: fastrand::Rng,
    seen: u64,
    struck: u64,
}

impl Plan {
    /// The fault strikes the next COMMIT, once.
    pub fn new(fault: Fault) -> Self {
        Self {
            fault,
            when: When::Nth(1),
            matches: Arc::new(is_commit),
            beyond: 0,
            dice: fastrand::Rng::with_seed(0),
            seen: 0,
            struck: 0,
        }
    }

    /// It strikes the `nth` statement from now on, counted from 1, and no other.
    #[must_use]
    pub fn nth(mut self, nth: u64) -> Self {
        self.when = When::Nth(nth);
        self
    }

    /// It strikes every `k`th statement; each one for 1 and for 0.
    #[must_use]
    pub fn every(mut self, k: u64) -> Self {
        self.when = When::Every(k.max(1));
        self
    }

    /// It strikes with this probability, from 0 to 1. The same seed strikes the same numbers.
    #[must_use]
    pub fn chance(mut self, probability: f64, seed: u64) -> Self {
        self.when = When::Chance(probability);
        self.dice = fastrand::Rng::with_seed(seed);
        self
    }

    /// It strikes, and counts, only on connections after the first `n` of the proxy.
    #[must_use]
    pub fn beyond_connection(mut self, n: u64) -> Self {
        self.beyond = n;
        self
    }

    /// It strikes, and counts, statements of which this is true, instead of COMMIT.
    #[must_use]
    pub fn matching(mut self, matches: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.matches = Arc::new(matches);
        self
    }

    /// The fault, if it strikes this statement.
    pub(super) fn strike(&mut self, connection: u64, sql: &str) -> Option<Fault> {
        if connection <= self.beyond || !(self.matches)(sql) {
            return None;
        }
        self.seen += 1;
        let strikes = match self.when {
            When::Nth(nth) => self.seen == nth,
            When::Every(k) => self.seen.is_multiple_of(k),
            When::Chance(probability) => self.dice.f64() < probability,
        };
        self.struck += u64::from(strikes);
        strikes.then_some(self.fault)
    }

    /// Whether it had to strike once and did not.
    pub(super) fn is_due(&self) -> bool {
        matches!(self.when, When::Nth(_)) && self.struck == 0
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            fault,
            when,
            beyond,
            seen,
            struck,
            ..
        } = self;
        write!(
            f,
            "{fault:?} at {when:?} beyond connection {beyond}: {seen} statements, {struck} struck"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAULT: Fault = Fault::Applied(Ending::Reset);

    fn strikes(mut plan: Plan, statements: u64) -> Vec<u64> {
        (1..=statements)
            .filter(|_| plan.strike(1, "COMMIT").is_some())
            .collect()
    }

    #[test]
    fn a_fault_strikes_where_it_was_told_to() {
        assert_eq!(strikes(Plan::new(FAULT), 4), [1]);
        assert_eq!(strikes(Plan::new(FAULT).nth(3), 4), [3]);
        assert_eq!(strikes(Plan::new(FAULT).every(2), 5), [2, 4]);
        let chance = |seed| strikes(Plan::new(FAULT).chance(0.5, seed), 100);
        assert_eq!(chance(7), chance(7));
        assert_ne!(chance(7), chance(8));
        assert!((20..80).contains(&chance(7).len()));
        assert_eq!(strikes(Plan::new(FAULT).chance(0.0, 1), 100).len(), 0);
        assert_eq!(strikes(Plan::new(FAULT).chance(1.0, 1), 100).len(), 100);
    }

    #[test]
    fn others_are_neither_struck_nor_counted() {
        let mut plan = Plan::new(FAULT).nth(2).beyond_connection(1);
        assert_eq!(plan.strike(1, "COMMIT"), None);
        assert_eq!(plan.strike(2, "COMMIT"), None);
        assert_eq!(plan.strike(2, "SELECT 'COMMIT'"), None);
        assert!(plan.is_due());
        assert_eq!(plan.strike(3, "SELECT 1;COMMIT"), Some(FAULT));
        assert!(!plan.is_due());
    }
}
