//! Sessions and transactions that are open or idle for too long.

use resilient_core::health::sessions::{Overdue, SessionInfo};

use super::{DatabaseManager, ManagedReport, Member};

/// Something that was open or idle for too long.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Expiry {
    /// A transaction, whose database the manager knows by this name.
    Transaction(String, SessionInfo, Overdue),
    /// A managed session.
    Session(ManagedReport, Overdue),
}

impl Expiry {
    /// Whether it was ended, or only warned of.
    pub fn ended(&self) -> bool {
        let (Self::Transaction(_, _, what) | Self::Session(_, what)) = self;
        *what == Overdue::Ended
    }

    /// The method whose transaction it is, or the last unit of work of the session.
    pub fn method(&self) -> Option<&'static str> {
        match self {
            Self::Transaction(_, info, _) => info.method,
            Self::Session(report, _) => report.method,
        }
    }
}

impl DatabaseManager {
    /// Warns of the transactions and sessions that are open or idle for long, once each, and ends
    /// those that are for too long: `session.timeout` (1800 s) and `session.max_idle_time`
    /// (300 s) of their database's configuration, the warning at 80 % of that. Each is told by
    /// `HealthEvent::SessionExpired`, with its method.
    ///
    /// A transaction is ended as by [`ResilientConnection::end_overdue_sessions`]. A session is
    /// not ended while a unit of work runs; its age is that since it was made or refreshed. The
    /// next [`session`](Self::session) of its id makes another one.
    ///
    /// It happens in the background, too, where that is [wanted](Self::watched).
    ///
    /// [`ResilientConnection::end_overdue_sessions`]: crate::ResilientConnection::end_overdue_sessions
    pub fn end_overdue(&self) -> Vec<Expiry> {
        let members = self.members().clone();
        members
            .iter()
            .flat_map(|member| member.end_overdue())
            .collect()
    }
}

impl Member {
    pub(super) fn end_overdue(&self) -> Vec<Expiry> {
        let transactions = self.db.end_overdue_sessions().into_iter();
        let mut found: Vec<Expiry> = transactions
            .map(|(info, what)| Expiry::Transaction(self.name.to_string(), info, what))
            .collect();
        found.extend(self.expire_sessions());
        found
    }

    /// The same for the managed sessions alone.
    pub(super) fn expire_sessions(&self) -> Vec<Expiry> {
        let context = &self.db.pool.context;
        let mut found = Vec::new();
        let (now, limits) = (context.clock().now(), context.session_limits());
        self.sessions().retain(|id, shared| {
            let Some((what, age)) = shared.state.sweep(now, limits) else {
                return true;
            };
            let ended = what == Overdue::Ended;
            let report = shared.state.report(id, &self.name, now);
            tracing::warn!(
                target: "resilient",
                session = id,
                database = &*self.name,
                method = report.method,
                age_seconds = report.age_seconds,
                idle_seconds = report.idle_seconds,
                ended,
                "a session is open or idle for too long",
            );
            let vitals = context.vitals();
            vitals.session_expired(report.method, age, what);
            found.push(Expiry::Session(report, what));
            !ended
        });
        found
    }
}
