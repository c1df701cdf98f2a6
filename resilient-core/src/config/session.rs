//! [`SessionConfig`]: how long sessions last.

use std::time::Duration;

use super::{seconds, section::section};

section! {
    /// How long a session, which holds a connection from its start to its end, may last.
    pub struct SessionConfig {
        /// The age at which a session expires; 1800 s by default.
        #[serde(with = "seconds")]
        timeout: Duration = Duration::from_mins(30), with_timeout;
        /// How long a session may go without a statement before it expires; 300 s by default.
        #[serde(with = "seconds")]
        max_idle_time: Duration = Duration::from_mins(5), with_max_idle_time;
    }
}
