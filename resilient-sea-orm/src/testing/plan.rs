//! [`FaultPlan`]: when which disturbance strikes.

use std::{fmt, time::Duration};

use resilient_core::{FaultKind, classify::Backend};

use super::{Disturbance, Point};

/// When which disturbance strikes.
///
/// Rules are asked in the order in which they were added, at each step of any call on the
/// connection; the first that strikes is the only one there. Steps are counted from the moment
/// the plan takes effect, over all connections and attempts.
///
/// A rule strikes once, [`slow`](Self::slow) at every statement;
/// [`times`](Self::times), [`every`](Self::every) and
/// [`with_probability`](Self::with_probability) change that for the rule before them.
///
/// The same plan on the same steps strikes at the same places. Where several tasks share the
/// connection, their order decides which step has which number.
///
/// ```
/// use std::time::Duration;
/// use resilient_sea_orm::{FaultKind, testing::FaultPlan};
///
/// let plan = FaultPlan::new(7)
///     .at_statement(3, FaultKind::Deadlock)
///     .matching("UPDATE account", FaultKind::LockTimeout).with_probability(0.3)
///     .commit_reply_lost()
///     .slow(Duration::from_millis(5));
/// assert_eq!(
///     plan.to_string(),
///     "seed 7: statement 3: deadlock; \"UPDATE account\": lock_timeout with probability 0.3; \
///      COMMIT: reply lost; statement: slow by 5ms"
/// );
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct FaultPlan {
    pub(super) seed: u64,
    pub(super) rules: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rule {
    pub(super) when: When,
    pub(super) what: Disturbance,
    times: Option<u32>,
    every: u32,
    probability: Option<f64>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum When {
    /// The step of this number, whatever it is.
    Step(u32),
    /// The one of its kind with this number.
    Nth(Point, u32),
    Any(Point),
    /// A statement with this in its text, in lower case.
    Matching(String),
}

impl FaultPlan {
    /// A plan without rules. The seed decides for rules with a probability.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            rules: Vec::new(),
        }
    }

    fn rule(mut self, when: When, what: impl Into<Disturbance>) -> Self {
        self.rules.push(Rule {
            when,
            what: what.into(),
            times: None,
            every: 1,
            probability: None,
        });
        self
    }

    /// At the step of this number, from 1, of whatever kind it is. Steps are what
    /// [`Injection::steps`](super::Injection::steps) and a sweep's table number.
    #[must_use]
    pub fn at_step(self, number: u32, what: impl Into<Disturbance>) -> Self {
        self.rule(When::Step(number), what)
    }

    /// At a kind of step.
    #[must_use]
    pub fn at(self, point: Point, what: impl Into<Disturbance>) -> Self {
        self.rule(When::Any(point), what)
    }

    /// At the statement of this number, from 1. Transaction control is not counted.
    #[must_use]
    pub fn at_statement(self, number: u32, what: impl Into<Disturbance>) -> Self {
        self.rule(When::Nth(Point::Statement, number), what)
    }

    /// At a statement with `text` in it, in capitals or not.
    #[must_use]
    pub fn matching(self, text: &str, what: impl Into<Disturbance>) -> Self {
        self.rule(When::Matching(text.to_owned()), what)
    }

    /// Where a connection is taken from the pool: `pool_timeout`, `server_unavailable`,
    /// `too_many_connections` or `authentication`.
    #[must_use]
    pub fn at_acquire(self, kind: FaultKind) -> Self {
        self.rule(When::Any(Point::Acquire), kind)
    }

    /// At BEGIN.
    #[must_use]
    pub fn at_begin(self, what: impl Into<Disturbance>) -> Self {
        self.rule(When::Any(Point::Begin), what)
    }

    /// At the savepoint of this number, from 1.
    #[must_use]
    pub fn at_savepoint(self, number: u32, what: impl Into<Disturbance>) -> Self {
        self.rule(When::Nth(Point::Savepoint, number), what)
    }

    /// The server refuses COMMIT: a serialization failure, a deferred constraint, a full disk.
    #[must_use]
    pub fn before_commit(self, kind: FaultKind) -> Self {
        self.rule(When::Any(Point::Commit), kind)
    }

    /// COMMIT is carried out, and its answer is lost together with the connection.
    #[must_use]
    pub fn commit_reply_lost(self) -> Self {
        self.rule(When::Any(Point::Commit), Disturbance::ReplyLost)
    }

    /// The connection is lost just before COMMIT, which is never carried out. To the caller this
    /// looks the same as [`commit_reply_lost`](Self::commit_reply_lost).
    #[must_use]
    pub fn commit_not_applied(self) -> Self {
        self.rule(When::Any(Point::Commit), Disturbance::NotApplied)
    }

    /// The connection is lost at COMMIT, which is carried out so much later.
    #[must_use]
    pub fn commit_late(self, delay: Duration) -> Self {
        self.rule(When::Any(Point::Commit), Disturbance::Late(delay))
    }

    /// Every statement is sent so much later.
    #[must_use]
    pub fn slow(self, delay: Duration) -> Self {
        self.rule(When::Any(Point::Statement), Disturbance::Slow(delay))
            .times(u32::MAX)
    }

    /// A statement is never answered, the first one unless told otherwise.
    #[must_use]
    pub fn hung(self) -> Self {
        self.rule(When::Any(Point::Statement), Disturbance::Hung)
    }

    /// How often the last rule strikes at most; without a limit if it has a probability or
    /// strikes at every so many, else once.
    ///
    /// # Panics
    /// If there is no rule yet.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        self.change(|rule| rule.times = Some(times))
    }

    /// The last rule strikes only every `k`-th time that it could.
    ///
    /// # Panics
    /// If there is no rule yet, or `k` is 0.
    #[must_use]
    pub fn every(self, k: u32) -> Self {
        assert!(k > 0, "every(0) is never: leave the rule out");
        self.change(|rule| rule.every = k)
    }

    /// The last rule strikes only with this probability each time that it could.
    ///
    /// # Panics
    /// If there is no rule yet, or this is not between 0 and 1.
    #[must_use]
    pub fn with_probability(self, probability: f64) -> Self {
        let valid = (0.0..=1.0).contains(&probability);
        assert!(valid, "a probability lies between 0 and 1");
        self.change(|rule| rule.probability = Some(probability))
    }

    fn change(mut self, change: impl FnOnce(&mut Rule)) -> Self {
        let rule = self.rules.last_mut();
        change(rule.expect("this changes the rule before it, and there is none"));
        self
    }

    /// The first rule that can never strike on this engine, in words.
    pub(super) fn impossible(&self, backend: Backend) -> Option<String> {
        let rule = self.rules.iter().find(|rule| {
            let point = match &rule.when {
                When::Step(_) => return false,
                When::Nth(point, _) | When::Any(point) => *point,
                When::Matching(_) => Point::Statement,
            };
            !rule.what.is_possible(point, backend)
        })?;
        Some(format!("{backend} has no such fault: {rule}"))
    }
}

impl Rule {
    pub(super) fn most(&self) -> u32 {
        let often = self.probability.is_some() || self.every > 1;
        self.times.unwrap_or(if often { u32::MAX } else { 1 })
    }

    /// Whether it strikes the `n`-th time that it could, from 1. `chance` lies between 0 and 1.
    pub(super) fn strikes(&self, n: u32, chance: impl FnOnce() -> f64) -> bool {
        n.is_multiple_of(self.every) && self.probability.is_none_or(|p| chance() < p)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.when {
            When::Step(n) => write!(f, "step {n}")?,
            When::Nth(point, n) => write!(f, "{point} {n}")?,
            When::Any(point) => write!(f, "{point}")?,
            When::Matching(text) => write!(f, "{text:?}")?,
        }
        write!(f, ": {}", self.what)?;
        if let Some(p) = self.probability {
            write!(f, " with probability {p}")?;
        }
        if self.every > 1 {
            write!(f, " every {} times", self.every)?;
        }
        match self.times {
            None | Some(u32::MAX) => Ok(()),
            Some(times) => write!(f, " at most {times} times"),
        }
    }
}

impl fmt::Display for FaultPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}", self.seed)?;
        for (i, rule) in self.rules.iter().enumerate() {
            write!(f, "{} {rule}", if i == 0 { ":" } else { ";" })?;
        }
        Ok(())
    }
}
