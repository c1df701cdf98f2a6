//! Sessions that a manager knows by an id: their state, without a connection, and reports.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde::Serialize;
use strum::Display;

use super::{
    CheckReport, PoolReport,
    recovery::RecoveryReport,
    sessions::{Overdue, SessionInfo, SessionLimits},
};
use crate::Failure;

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
            Condition::Suspect => Need::Check,
            Condition::Healthy if state.verified.is_some_and(young) => Need::Nothing,
            Condition::Healthy => Need::Check,
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

/// A managed session, as it is now.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ManagedReport {
    /// What its owner calls it.
    pub id: String,
    /// The database's name.
    pub database: String,
    /// How it does.
    pub condition: Condition,
    /// Since it was made, or refreshed.
    pub age_seconds: f64,
    /// Since its last unit of work ended; `None` while one runs.
    pub idle_seconds: Option<f64>,
    /// Units of work that run now.
    pub running: u32,
    /// The last one's name.
    pub method: Option<&'static str>,
    /// Units of work that were committed.
    pub committed: u64,
    /// Those that failed.
    pub failed: u64,
    /// Those whose future was dropped.
    pub cancelled: u64,
    /// How often it was recovered.
    pub recovered: u64,
}

/// A database of a manager, as it was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DatabaseReport {
    /// The name that the manager knows it by.
    pub name: String,
    /// What a quick check came to.
    pub check: CheckReport,
    /// Its pool.
    pub pool: PoolReport,
    /// Its recoveries so far.
    pub recovery: RecoveryReport,
    /// Its open transactions, the oldest first.
    pub transactions: Vec<SessionInfo>,
}

impl DatabaseReport {
    /// Puts it together.
    pub fn of(
        name: &str,
        check: CheckReport,
        pool: PoolReport,
        recovery: RecoveryReport,
        transactions: Vec<SessionInfo>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            check,
            pool,
            recovery,
            transactions,
        }
    }
}

/// Everything that a manager looks after.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ManagerReport {
    /// Whether every database can be used, and no session has lost its connection.
    pub healthy: bool,
    /// The databases, in the order of their registration.
    pub databases: Vec<DatabaseReport>,
    /// The sessions, by database and id.
    pub sessions: Vec<ManagedReport>,
}

impl ManagerReport {
    /// Judges what was found.
    pub fn of(databases: Vec<DatabaseReport>, sessions: Vec<ManagedReport>) -> Self {
        let healthy = databases.iter().all(|d| d.check.is_usable())
            && sessions.iter().all(|s| s.condition != Condition::Lost);
        Self {
            healthy,
            databases,
            sessions,
        }
    }
}

/// One line for each database and session.
impl fmt::Display for ManagerReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.healthy { "healthy" } else { "unhealthy" })?;
        for database in &self.databases {
            let (check, pool) = (&database.check, &database.pool);
            write!(f, "\ndatabase {:?}: {}", database.name, check.status)?;
            if let Some(reason) = &check.reason {
                write!(f, ", {reason}")?;
            }
            let (used, max) = (pool.in_use, pool.max_connections);
            write!(f, "; {used} of {max} connections in use")?;
            let recovery = &database.recovery;
            let (good, bad) = (recovery.succeeded, recovery.failed);
            write!(f, "; {good} recoveries, {bad} failed")?;
        }
        for session in &self.sessions {
            let (id, database) = (&session.id, &session.database);
            write!(f, "\nsession {id:?} of {database:?}: {}", session.condition)?;
            let (good, bad) = (session.committed, session.failed + session.cancelled);
            write!(f, "; {good} committed, {bad} rolled back")?;
        }
        Ok(())
    }
}

/// A database that a manager does not know.
pub fn unknown_database(name: &str, known: &[&str]) -> Failure {
    if known.is_empty() {
        return Failure::misuse(format!(
            "there is no database {name:?}: none is registered, add one with add(..)"
        ));
    }
    let mut text = format!("there is no database {name:?}: registered are ");
    let quoted: Vec<String> = known.iter().map(|name| format!("{name:?}")).collect();
    text.push_str(&quoted.join(", "));
    let nearest = known
        .iter()
        .map(|known| (strsim::jaro_winkler(name, known), known))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    if let Some((_, nearest)) = nearest {
        text.push_str(&format!("; did you mean {nearest:?}?"));
    }
    Failure::misuse(text)
}

#[cfg(test)]
mod tests;
