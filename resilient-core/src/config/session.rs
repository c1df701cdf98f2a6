//! [`SessionConfig`]: how long sessions last.

use std::time::Duration;

use super::{seconds, section::section};

section! {
    /// How long a session may last: a transaction, which holds a connection from its start to its
    /// end, and a managed session, which is ended between its units of work. Its owner is warned
    /// at 80 % of these times. Who looks is `end_overdue_sessions()`, or a manager of databases in
    /// the background.
    pub struct SessionConfig {
        /// The age at which a session expires; 1800 s by default.
        #[serde(with = "seconds")]
        timeout: Duration = Duration::from_mins(30), with_timeout;
        /// How long a session may go unused before it expires; 300 s by default. A transaction is
        /// not idle while a statement is under way, nor a managed session while a unit of work is.
        #[serde(with = "seconds")]
        max_idle_time: Duration = Duration::from_mins(5), with_max_idle_time;
    }
}
