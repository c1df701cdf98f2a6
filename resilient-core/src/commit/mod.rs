//! Verified commits: what to do when the answer to COMMIT does not come.
//!
//! A transaction whose COMMIT was sent and never answered may or may not be stored. So each
//! verified transaction writes a *marker row* with a [token](CommitToken) before its COMMIT, in
//! the same round trip. That the row is absent proves nothing: the COMMIT may still be on its
//! way. The *fence* does: inserting the same token again waits until the old transaction has
//! ended, and then either finds its row (it is committed) or takes its place (it never will be,
//! as its own insert would now fail). The fence's row says that it is one, so that a fence whose
//! own answer was lost is not mistaken for the commit.

mod resolve;
mod token;

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use serde::Serialize;
use strum::{Display, EnumString};

use crate::time::unix_ms;

pub use resolve::resolve;
pub(crate) use resolve::until;
pub use token::{CommitToken, ParseTokenError};

/// What a call asks of its COMMIT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Display, EnumString, Serialize)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum CommitMode {
    /// A COMMIT whose answer is lost is reported: `commit_unknown`,
    /// [`Outcome::Unknown`](crate::Outcome::Unknown), never retried. The default.
    #[default]
    Reported,
    /// It is found out what became of it: the call's value is returned if it was stored, and the
    /// call is retried if it was not.
    Verified,
}

/// What became of a transaction, once that is certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Display, EnumString, Serialize)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum CommitStatus {
    /// It is stored.
    Committed,
    /// It is not stored, and never will be.
    NotCommitted,
}

/// How commits are verified on one database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifySettings {
    /// What calls ask for that do not say otherwise.
    pub mode: CommitMode,
    /// How long the database may take to come back and tell, where the call has no deadline;
    /// 60 s by default.
    pub patience: Duration,
    /// How long markers are kept, by the server's clock; 24 h by default, at least a minute. They
    /// can be asked for during half of that by one's own.
    pub retention: Duration,
}

impl Default for VerifySettings {
    fn default() -> Self {
        Self {
            mode: CommitMode::Reported,
            patience: Duration::from_mins(1),
            retention: Duration::from_hours(24),
        }
    }
}

/// When old markers were last seen to.
#[derive(Debug, Default)]
pub(crate) struct Tidied(AtomicU64);

impl Tidied {
    /// Whether it is time again, and this caller's turn.
    pub(crate) fn due(&self) -> bool {
        const EVERY_MS: u64 = 60_000;
        let (last, now) = (self.0.load(Relaxed), unix_ms());
        let due = now >= last.saturating_add(EVERY_MS);
        due && self.0.compare_exchange(last, now, Relaxed, Relaxed).is_ok()
    }
}

impl VerifySettings {
    /// Whether a marker of this age, in milliseconds, is certain to be there if it ever was.
    pub fn can_tell(&self, age_ms: u64) -> bool {
        u128::from(age_ms) <= self.retention.as_millis() / 2
    }
}
