//! Verified commits on real engines: the table of markers, the fence, and what they are asked.

#[cfg(feature = "sqlx-dep")]
mod fence;
mod marker;
#[cfg(feature = "migration")]
mod migration;
#[cfg(feature = "sqlx-dep")]
mod tidy;

use std::time::Duration;

pub use resilient_core::commit::{CommitMode, CommitStatus, CommitToken, ParseTokenError};
use resilient_core::{Failure, Outcome, commit::resolve};

#[cfg(feature = "sqlx-dep")]
pub(crate) use fence::fence;
pub use marker::MARKER_TABLE;
pub(crate) use marker::MarkerTable;
#[cfg(feature = "migration")]
pub use migration::CreateMarkerTable;
#[cfg(feature = "sqlx-dep")]
pub(crate) use tidy::tidy;

use crate::{
    Builder, Error, ResilientConnection, Result,
    connection_trait::outside,
    session::{Request, limited},
};

impl Builder {
    /// What methods do about a lost answer to COMMIT that do not say otherwise, and `begin()`;
    /// [`CommitMode::Reported`] by default. [`CommitMode::Verified`] needs the table of markers:
    /// see [`ResilientConnection::ensure_marker_table`].
    #[must_use]
    pub fn commit(mut self, mode: CommitMode) -> Self {
        self.verify.mode = mode;
        self
    }

    /// How long the database may take to come back and tell what became of a commit, for calls
    /// without a deadline; 60 s by default.
    #[must_use]
    pub fn verify_patience(mut self, patience: Duration) -> Self {
        self.verify.patience = patience;
        self
    }

    /// How long markers are kept; 24 h by default, at least a minute. A commit can be asked for
    /// during half of that. Every process that uses the table should have the same.
    #[must_use]
    pub fn marker_retention(mut self, retention: Duration) -> Self {
        self.verify.retention = retention.max(Duration::from_mins(1));
        self
    }

    /// The table of markers, with its schema before a dot; [`MARKER_TABLE`] by default. Without a
    /// schema it is looked for where [`ResilientConnection::ensure_marker_table`], or else the
    /// first verified commit, finds it, and nowhere else after that. Name the schema where there
    /// are several such tables.
    #[must_use]
    pub fn marker_table(mut self, name: &str) -> Self {
        self.markers = MarkerTable::named(name);
        self
    }
}

impl ResilientConnection {
    /// Makes the table that verified commits need, if it is not there: a token of 16 bytes, a
    /// flag and the time, one row per verified commit of the last day. The migration `CreateMarkerTable`
    /// (feature `migration`) does the same.
    ///
    /// # Errors
    /// When the server refuses, for want of a privilege perhaps.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn ensure_marker_table(&self) -> Result<()> {
        use resilient_core::driver::{Disposal, Session as _};
        let sql = self.pool.markers.create(self.backend());
        let limit = self.pool.context.limits().statement;
        let mut session = outside(&self.pool).await?;
        let mut made = limited(limit, session.send(Request::Unprepared(&sql))).await;
        if made.is_err() {
            // PostgreSQL's IF NOT EXISTS fails where somebody else makes the table meanwhile.
            made = limited(limit, session.send(Request::Unprepared(&sql))).await;
        }
        if made.is_ok() {
            let found = async {
                session.find_markers().await;
                Ok(())
            };
            if let Err(error) = limited(limit, found).await {
                made = Err(error);
            }
        }
        session.dispose(if made.is_ok() {
            Disposal::Clean
        } else {
            Disposal::Discard
        });
        made?;
        self.pool.schema.forget();
        Ok(())
    }

    /// What became of the verified commit that an error named
    /// ([`Error::commit_token`]), and makes sure that it stays so: a transaction that has not
    /// committed by now never will. Waits for one that has not ended, and for a database that is
    /// away, for as long as [`Builder::verify_patience`] says.
    ///
    /// Ask the database that it was meant for, with the same [`Builder::marker_table`]: a table
    /// that never had its marker answers that it never will.
    ///
    /// # Errors
    /// When nobody could tell in time, or the token is older than half of the markers'
    /// retention, or was made more than five minutes in the future by this machine's clock.
    ///
    /// # Cancel safety
    /// It can be asked again.
    pub async fn commit_status(&self, token: CommitToken) -> Result<CommitStatus> {
        let context = &self.pool.context;
        let now = context.clock().now();
        let patience = context.verify().patience;
        let until = now.checked_add(patience).unwrap_or(now);
        let answer = resolve(&self.pool, token, until).await;
        answer.map_err(|error| Error::from(Failure::database(error).with_outcome(Outcome::Unknown)))
    }

    fn backend(&self) -> sea_orm::DbBackend {
        self.pool.connection.get_database_backend()
    }
}

impl Error {
    /// What [`ResilientConnection::commit_status`] takes, where it is not known whether a
    /// verified commit is stored.
    pub fn commit_token(&self) -> Option<CommitToken> {
        self.failure().commit_token()
    }
}
