//! A plan in effect: who asks it, and what it did.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use resilient_core::{
    classify::Backend,
    driver::Control,
    health::performance::{Dialect, normalise},
};
use serde::Serialize;
use tokio::sync::watch;

use super::{Disturbance, FaultPlan, Point, plan::When};

/// One step of a call, as a plan sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Its number, from 1.
    pub number: u32,
    /// What it is.
    pub point: Point,
    /// A statement without its values, shortened.
    pub text: String,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. ", self.number)?;
        match self.point {
            Point::Statement => f.write_str(&self.text),
            point => write!(f, "{point}"),
        }
    }
}

/// A disturbance that was injected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Injected {
    /// Where.
    pub step: Step,
    /// What.
    pub what: Disturbance,
}

impl fmt::Display for Injected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.step, self.what)
    }
}

/// Where sessions and the pool look for a plan.
#[derive(Debug, Default)]
pub(crate) struct Slot(Mutex<Vec<Arc<Active>>>);

impl Slot {
    fn plans(&self) -> MutexGuard<'_, Vec<Arc<Active>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is a plan.
    pub(crate) fn is_set(&self) -> bool {
        !self.plans().is_empty()
    }

    /// The newest plan.
    fn top(&self) -> Option<Arc<Active>> {
        self.plans().last().cloned()
    }

    pub(super) fn put(&self, plan: FaultPlan, backend: Backend) -> Arc<Active> {
        let active = Arc::new(Active {
            plan,
            backend,
            books: Mutex::default(),
            late: watch::Sender::new(0),
        });
        self.plans().push(Arc::clone(&active));
        active
    }

    /// What happens at this step, if anything does.
    pub(crate) fn at(&self, point: Point, text: &str) -> Option<Strike> {
        self.strike(&[(point, text)])
    }

    /// The same for a round trip of transaction control.
    pub(crate) fn at_control(&self, steps: &[Control]) -> Option<Strike> {
        let points: Vec<_> = steps.iter().filter_map(|step| point(*step)).collect();
        self.strike(&points)
    }

    fn strike(&self, steps: &[(Point, &str)]) -> Option<Strike> {
        let active = self.top()?;
        let what = active.decide(steps)?;
        Some(Strike { what, active })
    }
}

/// Releases and rollbacks are not steps of a call that goes well.
fn point(step: Control) -> Option<(Point, &'static str)> {
    Some(match step {
        Control::Begin(_) => (Point::Begin, "BEGIN"),
        Control::Savepoint(_) => (Point::Savepoint, "SAVEPOINT"),
        Control::Commit | Control::CommitVerified(_) => (Point::Commit, "COMMIT"),
        Control::Release(_)
        | Control::RollbackTo(_)
        | Control::Rollback
        | Control::RollbackChecked => return None,
    })
}

/// What is to be injected now.
#[derive(Debug)]
pub(crate) struct Strike {
    pub(super) what: Disturbance,
    active: Arc<Active>,
}

impl Strike {
    /// It could not be done.
    pub(super) fn failed(&self, why: String) {
        tracing::error!(target: "resilient", why, "a fault was not injected");
        self.active.books().failures.push(why);
    }

    /// Does nothing to the step but delay it.
    pub(crate) async fn wait(&self) {
        if let Disturbance::Slow(delay) = self.what {
            tokio::time::sleep(delay).await;
        }
    }

    /// A late COMMIT, until it is over.
    pub(super) fn late(&self) -> LateGuard {
        self.active.late.send_modify(|n| *n += 1);
        LateGuard(Arc::clone(&self.active))
    }
}

/// Counts a late COMMIT for as long as it has not been carried out.
#[derive(Debug)]
pub(super) struct LateGuard(Arc<Active>);

impl Drop for LateGuard {
    fn drop(&mut self) {
        self.0.late.send_modify(|n| *n -= 1);
    }
}

/// A plan in effect.
#[derive(Debug)]
pub(crate) struct Active {
    plan: FaultPlan,
    backend: Backend,
    books: Mutex<Books>,
    /// Commits that are still to be carried out.
    late: watch::Sender<u32>,
}

#[derive(Debug, Default)]
struct Books {
    steps: Vec<Step>,
    injected: Vec<Injected>,
    failures: Vec<String>,
    counts: HashMap<Point, u32>,
    /// How often each rule could have struck, and did.
    rules: Vec<(u32, u32)>,
}

impl Active {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn decide(&self, steps: &[(Point, &str)]) -> Option<Disturbance> {
        let mut books = self.books();
        let books = &mut *books;
        books.rules.resize(self.plan.rules.len(), (0, 0));
        let mut strikes = None;
        for (point, text) in steps {
            let step = Step {
                number: u32::try_from(books.steps.len()).unwrap_or(u32::MAX) + 1,
                point: *point,
                text: self.shown(*point, text),
            };
            books.steps.push(step.clone());
            let of_its_kind = books.counts.entry(*point).or_default();
            *of_its_kind += 1;
            for (i, rule) in self.plan.rules.iter().enumerate() {
                let could = match &rule.when {
                    When::Step(n) => step.number == *n,
                    When::Nth(at, n) => at == point && *n == *of_its_kind,
                    When::Any(at) => at == point,
                    When::Matching(pattern) => {
                        let text = text.to_ascii_lowercase();
                        *point == Point::Statement && text.contains(&pattern.to_ascii_lowercase())
                    }
                };
                let (met, struck) = &mut books.rules[i];
                if !could {
                    continue;
                }
                *met += 1;
                let due = *struck < rule.most() && rule.strikes(*met, || self.chance(i, *met));
                if !due || strikes.is_some() {
                    continue;
                }
                *struck += 1;
                if rule.what.is_possible(*point, self.backend) {
                    strikes = Some(rule.what);
                    books.injected.push(Injected {
                        step: step.clone(),
                        what: rule.what,
                    });
                } else {
                    let backend = self.backend;
                    let why = format!("{step}: {} cannot happen there on {backend}", rule.what);
                    books.failures.push(why);
                }
            }
        }
        strikes
    }

    /// Depends on nothing but the seed, the rule, and how often it could have struck.
    fn chance(&self, rule: usize, met: u32) -> f64 {
        let place = (rule as u64) << 32 | u64::from(met);
        // Neighbouring seeds must not have neighbouring results.
        let mut random = fastrand::Rng::with_seed(self.plan.seed);
        let salt = random.u64(..);
        fastrand::Rng::with_seed(salt ^ place.wrapping_mul(0x9E37_79B9_7F4A_7C15)).f64()
    }

    fn shown(&self, point: Point, text: &str) -> String {
        const LENGTH: usize = 60;
        if point != Point::Statement {
            return text.to_owned();
        }
        let dialect = match self.backend {
            Backend::Postgres => Dialect::Postgres,
            Backend::MySql => Dialect::MySql,
            Backend::Sqlite => Dialect::Sqlite,
        };
        let text = normalise(text, dialect);
        match text.char_indices().nth(LENGTH) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    }
}

/// A plan in effect, until this is dropped or [ended](Self::end). Dropping it does not recall a
/// COMMIT that is late.
#[derive(Debug)]
#[must_use = "the plan ends when this is dropped"]
pub struct Injection {
    pub(super) slot: Arc<Slot>,
    pub(super) active: Arc<Active>,
}

impl Injection {
    /// What was injected so far, in order.
    pub fn injected(&self) -> Vec<Injected> {
        self.active.books().injected.clone()
    }

    /// The steps so far, disturbed or not.
    pub fn steps(&self) -> Vec<Step> {
        self.active.books().steps.clone()
    }

    /// What was to be injected and could not be, in words: a fault that its engine does not
    /// have, or a server that would not do it. Empty if all went well.
    pub fn failures(&self) -> Vec<String> {
        self.active.books().failures.clone()
    }

    /// Waits until every late COMMIT has been carried out.
    pub async fn settled(&self) {
        let mut late = self.active.late.subscribe();
        // Its sender lives in `self`.
        let _ = late.wait_for(|n| *n == 0).await;
    }

    /// Ends the plan and answers what it injected.
    pub fn end(self) -> Vec<Injected> {
        self.injected()
    }
}

impl Drop for Injection {
    fn drop(&mut self) {
        let mut plans = self.slot.plans();
        plans.retain(|plan| !Arc::ptr_eq(plan, &self.active));
    }
}

impl fmt::Display for Injection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.active.plan)?;
        for injected in self.injected() {
            write!(f, "\n  {injected}")?;
        }
        for failure in self.failures() {
            write!(f, "\n  not injected: {failure}")?;
        }
        Ok(())
    }
}
