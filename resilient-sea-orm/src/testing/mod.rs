//! Faults on purpose: what a repository does when the database fails, tried out on a real one.
//!
//! A [`FaultPlan`] says what goes wrong where, [`ResilientConnection::inject`] puts it into
//! effect for a while, and [`Builder::faults`] for as long as the connection lives.
//! [`fault_sweep`] runs a method once per step and fault, and checks what must hold afterwards.
//! `docs/testing.md` is the guide.
//!
//! Faults strike where the framework talks to the server, so that they need no proxy and work on
//! every engine. Their effects are real: the server is made to raise the error, to roll back, or
//! to end the session, before the caller hears of it. SQLite has no server: its errors are
//! injected by their code, and its transaction is rolled back where the real error would do
//! that. What is sent through `as_sea_orm()`, by health checks, and in preparation of an error's
//! message is left alone.
//!
//! ```
//! use resilient_sea_orm::{prelude::*, testing::FaultPlan};
//! use sea_orm::ConnectionTrait;
//!
//! # #[cfg(feature = "sqlx-sqlite")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! # let mut options = sea_orm::ConnectOptions::new("sqlite::memory:");
//! # options.max_connections(1);
//! # let db = ResilientConnection::connect(options).await?;
//! # db.execute_unprepared("CREATE TABLE account (id INTEGER, balance INTEGER)").await?;
//! let injection = db.inject(FaultPlan::new(1).at_statement(1, FaultKind::LockTimeout))?;
//! db.transact(TransactOptions::new(), || async {
//!     db.execute_unprepared("UPDATE account SET balance = 0").await?;
//!     Ok::<_, Error>(())
//! })
//! .await?;
//! // It was tried again, and the second attempt did well.
//! assert_eq!(injection.end().len(), 1);
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "sqlx-sqlite"))]
//! # fn main() {}
//! ```

mod disturbance;
mod error;
mod inflict;
mod injection;
mod plan;
mod sweep;

use std::sync::Arc;

use resilient_core::Failure;
use sea_orm::DatabaseConnectionType;

pub use disturbance::{Disturbance, Point};
pub(crate) use error::InjectedError;
pub(crate) use inflict::{Late, unavailable};
pub use injection::{Injected, Injection, Step};
pub(crate) use injection::{Slot, Strike};
pub use plan::FaultPlan;
pub use sweep::{
    CallOutcome, FaultSweep, SweepFailed, SweepReport, SweepRun, Verdict, fault_sweep,
};

use crate::{Builder, ResilientConnection, Result};

/// Puts a builder's plan into effect, if it has one.
pub(crate) fn with_plan(
    connection: ResilientConnection,
    plan: Option<FaultPlan>,
) -> Result<ResilientConnection> {
    if let Some(plan) = plan {
        let injection = connection.inject(plan)?;
        // It is new, and has no plan yet.
        let _ = connection.pool.lasting.set(injection);
    }
    Ok(connection)
}

impl Builder {
    /// Puts this plan into effect for as long as the connection lives. What it injected is in
    /// [`ResilientConnection::injected`].
    #[must_use]
    pub fn faults(mut self, plan: FaultPlan) -> Self {
        self.faults = Some(plan);
        self
    }
}

impl ResilientConnection {
    /// Puts a plan into effect, for this connection and its clones, until the answer is dropped.
    /// Meanwhile no other plan of the connection is asked.
    ///
    /// # Errors
    /// When a rule can never strike: a fault that the engine does not have, or not there; or when
    /// the connection has no pool of sqlx.
    pub fn inject(&self, plan: FaultPlan) -> Result<Injection> {
        let pooled = match &self.pool.connection.inner {
            #[cfg(feature = "sqlx-postgres")]
            DatabaseConnectionType::SqlxPostgresPoolConnection(_) => true,
            #[cfg(feature = "sqlx-mysql")]
            DatabaseConnectionType::SqlxMySqlPoolConnection(_) => true,
            #[cfg(feature = "sqlx-sqlite")]
            DatabaseConnectionType::SqlxSqlitePoolConnection(_) => true,
            _ => false,
        };
        if !pooled {
            let text = "faults are injected into real databases: there is no sqlx pool here";
            return Err(Failure::misuse(text).into());
        }
        let backend = inflict::backend(self.get_database_backend());
        if let Some(text) = plan.impossible(backend) {
            return Err(Failure::misuse(text).into());
        }
        let slot = Arc::clone(&self.pool.faults);
        let active = slot.put(plan, backend);
        Ok(Injection { slot, active })
    }

    /// What the plan of [`Builder::faults`] has injected so far.
    pub fn injected(&self) -> Vec<Injected> {
        let lasting = self.pool.lasting.get();
        lasting.map(Injection::injected).unwrap_or_default()
    }
}
