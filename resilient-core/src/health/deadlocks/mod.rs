//! Deadlocks: who fought over what, how often, and what to do about it.
//!
//! Servers say it in texts of their own: PostgreSQL in the error's DETAIL, which names processes
//! and nothing else, InnoDB in its status, which has statements too. Both name sessions by their
//! server process; whoever knows which method has which session can say the methods.

mod advice;
mod book;
mod innodb;
mod postgres;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use advice::Advice;
pub use book::{DeadlockBook, DeadlockPair, DeadlockReport, DeadlockThresholds, Severity};
pub use innodb::from_innodb_status;
pub use postgres::from_postgres_detail;

/// One deadlock that a server has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Deadlock {
    /// When it was seen, in milliseconds since the Unix epoch.
    pub at_unix_ms: u64,
    /// Who waited for each other, in the server's order.
    pub participants: Vec<Participant>,
}

impl Deadlock {
    /// The one whose transaction was ended.
    pub fn victim(&self) -> Option<&Participant> {
        self.participants.iter().find(|p| p.victim)
    }

    /// The tables that were waited for, each once.
    pub fn tables(&self) -> Vec<&str> {
        let mut tables: Vec<&str> = Vec::new();
        for lock in self
            .participants
            .iter()
            .filter_map(|p| p.waits_for.as_ref())
        {
            if let Some(table) = lock.table.as_deref()
                && !tables.contains(&table)
            {
                tables.push(table);
            }
        }
        tables
    }

    /// The methods of the participants that are known, in order.
    pub fn methods(&self) -> Vec<&str> {
        let participants = self.participants.iter();
        participants.filter_map(|p| p.method.as_deref()).collect()
    }

    /// Names the methods, by who has which server process.
    pub fn name_methods(&mut self, method_of: impl Fn(u64) -> Option<String>) {
        for participant in &mut self.participants {
            if participant.method.is_none() {
                participant.method = method_of(participant.pid);
            }
        }
    }
}

/// One of those who waited for each other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Participant {
    /// The session's process or thread on the server.
    pub pid: u64,
    /// The resilient method that had the session, where it was one of this process.
    pub method: Option<String>,
    /// The statement that waited, without values, where the server told.
    pub statement: Option<String>,
    /// What it waited for, where the server told.
    pub waits_for: Option<Lock>,
    /// Whether its transaction was the one that was ended.
    pub victim: bool,
}

/// A lock that was waited for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Lock {
    /// The table, without its schema.
    pub table: Option<String>,
    /// The index whose entry was locked (InnoDB).
    pub index: Option<String>,
    /// The server's name for the mode: `ShareLock`, `X locks rec but not gap`.
    pub mode: String,
    /// Whether it locked the gap before an index entry too, as InnoDB does above READ COMMITTED.
    pub gap: bool,
}
