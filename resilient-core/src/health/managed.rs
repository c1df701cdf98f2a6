//! Sessions that a manager knows by an id: their state, without a connection, and reports.

mod report;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde::Serialize;
use strum::Display;

pub use report::{DatabaseReport, ManagedReport, ManagerReport, unknown_database};

use super::sessions::{Overdue, SessionLimits};

/// How a managed session does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[non_exhaustive]
pub enum Condition {
    /// Nothing is known against it.
    Healthy,
    /// It is new, or a unit of work was dropped in the middle: it is checked before its next use.
    Suspect,
    /// Its last unit of work lost the connection: it is recovered before its next use.
    Lost,
    /// It was ended for its age or idleness, or unregistered.
    Expired,
}

/// How a unit of work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// It was committed.
    Committed,
    /// It failed and was rolled back.
    Failed {
        /// Its connection went with it.
        lost: bool,
    },
    /// Its future was dropped.
    Cancelled,
}

/// What the next use of a session has to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Need {
    /// Nothing.
    Nothing,
    /// A check that may be as old as those of the database may be.
    Check,
    /// One that is made now.
    FreshCheck,
    /// A recovery.
    Recovery,
    /// It has ended.
    Another,
}

/// The state of one managed session. It holds no connection.
#[derive(Debug)]
pub struct Managed(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Or refreshed.
    opened: Instant,
    used: Instant,
    verified: Option<Instant>,
    condition: Condition,
    running: u32,
    warned_of_age: bool,
    warned_of_idleness: bool,
    method: Option<&'static str>,
    committed: u64,
    failed: u64,
    cancelled: u64,
    recovered: u64,
}

impl Managed {
    /// One that nobody has verified yet.
    pub fn new(now: Instant) -> Self {
        Self(Mutex::new(State {
            opened: now,
            used: now,
            verified: None,
            condition: Condition::Suspect,
            running: 0,
            warned_of_age: false,
            warned_of_idleness: false,
            method: None,
            committed: 0,
            failed: 0,
            cancelled: 0,
            recovered: 0,
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How it does.
    pub fn condition(&self) -> Condition {
        self.state().condition
    }

    /// What its next use has to wait for, if a check is good for so long.
    pub fn need(&self, now: Instant, good_for: Duration) -> Need {
        let state = self.state();
        let young = |at| now.saturating_duration_since(at) < good_for;
        match state.condition {
            Condition::Expired => Need::Another,
            Condition::Lost => Need::Recovery,
            Condition::Suspect if state.verified.is_some() => Need::FreshCheck,
            Condition::Healthy if state.verified.is_some_and(young) => Need::Nothing,
            Condition::Suspect | Condition::Healthy => Need::Check,
        }
    }

    /// A check went well.
    pub fn verified(&self, now: Instant) {
        let mut state = self.state();
        state.verified = Some(now);
        if state.condition != Condition::Expired {
            state.condition = Condition::Healthy;
        }
    }

    /// A check did not go well.
    pub fn failed_check(&self) {
        self.worsen(Condition::Lost);
    }

    /// It was recovered.
    pub fn recovered(&self, now: Instant) {
        self.verified(now);
        self.state().recovered += 1;
    }

    fn worsen(&self, condition: Condition) {
        let mut state = self.state();
        if matches!(state.condition, Condition::Healthy | Condition::Suspect) {
            state.condition = condition;
        }
    }

    /// A unit of work begins.
    pub fn begin(&self, now: Instant, method: &'static str) {
        let mut state = self.state();
        state.running += 1;
        state.used = now;
        state.warned_of_idleness = false;
        state.method = Some(method);
    }

    /// It has ended.
    pub fn end(&self, now: Instant, how: End) {
        {
            let mut state = self.state();
            state.running = state.running.saturating_sub(1);
            state.used = now;
            match how {
                End::Committed => {
                    state.committed += 1;
                    // As good as a check.
                    if state.condition == Condition::Healthy {
                        state.verified = Some(now);
                    }
                }
                End::Failed { .. } => state.failed += 1,
                End::Cancelled => state.cancelled += 1,
            }
        }
        match how {
            End::Failed { lost: true } => self.worsen(Condition::Lost),
            End::Cancelled => self.worsen(Condition::Suspect),
            End::Committed | End::Failed { .. } => {}
        }
    }

    /// Its owner says that it is meant to last: age and idleness begin anew.
    pub fn refresh(&self, now: Instant) {
        let mut state = self.state();
        state.opened = now;
        state.used = now;
        state.warned_of_age = false;
        state.warned_of_idleness = false;
    }

    /// Ends it; `false` if it had ended.
    pub fn expire(&self) -> bool {
        let mut state = self.state();
        std::mem::replace(&mut state.condition, Condition::Expired) != Condition::Expired
    }

    /// Warns of it, or ends it, if it is too old or idle for too long. Not under a unit of work,
    /// whose transaction has an age of its own. Answers how old it is.
    pub fn sweep(&self, now: Instant, limits: SessionLimits) -> Option<(Overdue, Duration)> {
        let mut state = self.state();
        if state.running > 0 || state.condition == Condition::Expired {
            return None;
        }
        let age = now.saturating_duration_since(state.opened);
        let by_age = limits.judge_age(age);
        let by_idle = limits.judge_idle(now.saturating_duration_since(state.used));
        if [by_age, by_idle].contains(&Some(Overdue::Ended)) {
            state.condition = Condition::Expired;
            return Some((Overdue::Ended, age));
        }
        let old = by_age.is_some() && !std::mem::replace(&mut state.warned_of_age, true);
        let idle = by_idle.is_some() && !std::mem::replace(&mut state.warned_of_idleness, true);
        (old || idle).then_some((Overdue::Warned, age))
    }

    /// The method that used it last.
    pub fn method(&self) -> Option<&'static str> {
        self.state().method
    }

    /// How it does, in full.
    pub fn report(&self, id: &str, database: &str, now: Instant) -> ManagedReport {
        let state = self.state();
        let since = |at| now.saturating_duration_since(at).as_secs_f64();
        ManagedReport {
            id: id.to_owned(),
            database: database.to_owned(),
            condition: state.condition,
            age_seconds: since(state.opened),
            idle_seconds: (state.running == 0).then(|| since(state.used)),
            running: state.running,
            method: state.method,
            committed: state.committed,
            failed: state.failed,
            cancelled: state.cancelled,
            recovered: state.recovered,
        }
    }
}

#[cfg(test)]
mod tests;
