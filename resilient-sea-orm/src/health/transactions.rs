//! What a connection says about the transactions that are open.

use resilient_core::{
    health::{
        deadlocks::DeadlockReport,
        sessions::{Overdue, SessionInfo},
    },
    scope::{Place, current},
    time::unix_ms,
};

use crate::ResilientConnection;

impl ResilientConnection {
    /// The framework's transactions that are open on this database, the oldest first: whose they
    /// are, for how long, and which session of the server each one has. Sends nothing.
    pub fn sessions(&self) -> Vec<SessionInfo> {
        let context = &self.pool.context;
        context.sessions().sessions(context.clock().now())
    }

    /// Warns of transactions that are open or idle for long, once each, and ends those that are
    /// open for longer than `session.timeout` of the configuration (1800 s by default), or sent
    /// no statement for `session.max_idle_time` (300 s): what they wrote is rolled back, at once
    /// if no statement is under way, and their next statement fails with `session_expired`, which
    /// is not retried. Answers whom it warned of, at 80 % of these times, and what it ended; both
    /// send `HealthEvent::SessionExpired`.
    ///
    /// Nothing is ended by itself: a [`DatabaseManager`](crate::DatabaseManager) does this in the
    /// background, or call it from a monitor, or whenever it suits.
    pub fn end_overdue_sessions(&self) -> Vec<(SessionInfo, Overdue)> {
        self.pool.context.end_overdue_sessions()
    }

    /// Says that the transaction around this call is meant to be open for long: the time after
    /// which it would be ended, for its age or for being idle, begins anew. Answers whether there is one.
    pub fn refresh_session(&self) -> bool {
        match current(&self.pool) {
            Place::Scope(scope) => {
                scope.refresh();
                true
            }
            Place::Outside | Place::Detached(_) => false,
        }
    }

    /// The deadlocks that the framework's transactions on this database ended in: how often, who
    /// with whom, over which tables, and what to do about it.
    ///
    /// PostgreSQL names the other session in the error. InnoDB does in its status, which takes
    /// the PROCESS privilege to read; without it, and where another deadlock came in between, the
    /// method that lost is all that is known. Methods are those of this process.
    pub fn deadlocks(&self) -> DeadlockReport {
        let context = &self.pool.context;
        context.deadlocks().report(unix_ms())
    }
}
