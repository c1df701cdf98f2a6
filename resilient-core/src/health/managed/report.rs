//! What is known of managed sessions and their databases.

use std::fmt::{self, Write as _};

use serde::Serialize;

use super::Condition;
use crate::{
    Failure,
    health::{CheckReport, PoolReport, recovery::RecoveryReport, sessions::SessionInfo},
};

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
        // Writing to a String cannot fail.
        let _ = write!(text, "; did you mean {nearest:?}?");
    }
    Failure::misuse(text)
}
