//! [`ManagedSession`]: units of work under one id.

use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use resilient_core::{
    Failure, FaultKind,
    driver::Context,
    health::managed::{Managed, Need},
    scope::{Place, Scope, current},
};

use super::{Condition, ManagedReport, gate::Gate, work::Unit};
use crate::{Error, ResilientConnection, Result, SerializedOptions, TransactOptions, pool::Pool};

/// What one worker, request or job does on a database, under an id of its own.
///
/// It holds no connection but while a unit of work runs, so there may be many more sessions than
/// connections. Clones are the same session. Units of work may run at the same time; each has its
/// own transaction.
#[derive(Clone)]
pub struct ManagedSession {
    pub(super) shared: Arc<Shared>,
}

/// What clones of a session share.
pub(super) struct Shared {
    pub(super) id: String,
    pub(super) database: Arc<str>,
    pub(super) db: ResilientConnection,
    pub(super) gate: Arc<Gate>,
    pub(super) state: Managed,
    /// The scopes of the units of work that run.
    pub(super) running: Mutex<Running>,
}

#[derive(Default)]
pub(super) struct Running {
    pub(super) next: u64,
    pub(super) scopes: BTreeMap<u64, Scope<Pool>>,
}

impl Shared {
    pub(super) fn context(&self) -> &Context {
        &self.db.pool.context
    }

    pub(super) fn now(&self) -> Instant {
        self.context().clock().now()
    }

    pub(super) fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the caller runs inside of a transaction on this database.
    pub(super) fn inside(&self) -> bool {
        matches!(current(&self.db.pool), Place::Scope(_))
    }

    /// What it is called where it is recovered.
    pub(super) fn subject(&self) -> String {
        format!("session {:?} of {:?}", self.id, self.database)
    }

    pub(super) fn expired(&self) -> Error {
        Failure::misuse(format!(
            "the {} has ended: it was open or idle for too long, or was unregistered; get \
             another one from the manager, or refresh() one that is meant to last",
            self.subject(),
        ))
        .of_kind(FaultKind::SessionExpired)
        .into()
    }
}

impl ManagedSession {
    /// What its owner calls it.
    pub fn id(&self) -> &str {
        &self.shared.id
    }

    /// The name that the manager knows its database by.
    pub fn database(&self) -> &str {
        &self.shared.database
    }

    /// The database itself. What is sent through it outside of [`run`](Self::run) is not this
    /// session's work.
    pub fn connection(&self) -> &ResilientConnection {
        &self.shared.db
    }

    /// How it does.
    pub fn condition(&self) -> Condition {
        self.shared.state.condition()
    }

    /// How it does, in full. Sends nothing.
    pub fn report(&self) -> ManagedReport {
        let shared = &self.shared;
        let state = &shared.state;
        state.report(&shared.id, &shared.database, shared.now())
    }

    /// Says that it is meant to last: the times after which it would be ended begin anew, also
    /// that of the transaction around this call. `false` if it has ended.
    pub fn refresh(&self) -> bool {
        if self.condition() == Condition::Expired {
            return false;
        }
        self.shared.state.refresh(self.shared.now());
        self.shared.db.refresh_session();
        true
    }

    /// Runs a unit of work in a transaction: commits if it returns `Ok`, rolls back if it returns
    /// an error, panics or is dropped. The connection goes back to its pool in any case.
    ///
    /// It is [`ResilientConnection::transact`] with what a session adds: the database is known to
    /// be there before, units of work are counted, and one that lost its connection has the
    /// session recovered: by one look at the server, within the timeout of a check, before its
    /// error is returned, and if that fails before the next use. Faults that a repetition heals are retried, so `body` may run several
    /// times. Inside another unit of work on the same database it is a savepoint.
    ///
    /// ```
    /// # use resilient_sea_orm::{manager::ManagedSession, prelude::*, sea_orm::ConnectionTrait};
    /// # async fn example(session: ManagedSession) -> Result<()> {
    /// session
    ///     .run(|db| async move {
    ///         db.execute_unprepared("UPDATE account SET balance = 1").await?;
    ///         Ok::<_, Error>(())
    ///     })
    ///     .await
    /// # }
    /// ```
    ///
    /// # Errors
    /// The body's last error as it is; the framework's, when the transaction could not be
    /// committed; `session_expired` when the session has ended; `server_unavailable` when it could
    /// not be recovered. Of the last two nothing was sent.
    ///
    /// # Cancel safety
    /// Dropping the future rolls the work back, unless COMMIT was already sent.
    pub async fn run<T, E, F, B>(&self, body: B) -> Result<T, E>
    where
        B: FnMut(ResilientConnection) -> F,
        F: Future<Output = Result<T, E>>,
        E: From<Error>,
    {
        self.run_with(TransactOptions::new(), body).await
    }

    /// The same with retries, isolation and the like. Time limits are those of the work itself; a
    /// check or recovery before it has its own. The `name` of the options is the method of
    /// its transaction in reports and metrics; `session` by default.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Cancel safety
    /// As there.
    pub async fn run_with<T, E, F, B>(
        &self,
        options: impl Into<SerializedOptions>,
        mut body: B,
    ) -> Result<T, E>
    where
        B: FnMut(ResilientConnection) -> F,
        F: Future<Output = Result<T, E>>,
        E: From<Error>,
    {
        self.ensure_healthy().await?;
        let shared = &*self.shared;
        let options = options.into().named_at_least("session");
        let unit = Unit::begin(shared, options.method());
        let attempt = || {
            let (work, unit) = (body(shared.db.clone()), &unit);
            async move {
                unit.entered();
                work.await
            }
        };
        let result = shared.db.transact(options, attempt).await;
        let lost = unit.end(result.is_ok());
        if lost {
            Box::pin(self.look_again()).await;
        }
        result
    }

    /// A repository on this session, which is healthy when it is made: what `make` makes of its
    /// connection. Its methods are calls of their own, outside of the session's units of work,
    /// unless they are called inside of one; they do not keep the session from expiring, nor
    /// need it afterwards.
    ///
    /// # Errors
    /// As [`ensure_healthy`](Self::ensure_healthy).
    pub async fn repository<R>(&self, make: impl FnOnce(ResilientConnection) -> R) -> Result<R> {
        self.ensure_healthy().await?;
        Ok(make(self.shared.db.clone()))
    }

    /// Makes sure that the database is there: sends the configured query (`SELECT 1`) if the last
    /// check or commit is longer ago than a check is good for, and recovers the session if it has
    /// to. Inside of a transaction on this database that is all there is to know, and nothing is
    /// sent.
    ///
    /// Sessions share their checks. A pool without a free connection is not a fault.
    ///
    /// # Errors
    /// `session_expired` when it has ended, `server_unavailable` when it could not be recovered.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the session as it was.
    pub async fn ensure_healthy(&self) -> Result<()> {
        let shared = &self.shared;
        let settings = shared.db.pool.health.connections.settings();
        let need = shared.state.need(shared.now(), settings.cache_duration);
        if need == Need::Another {
            return Err(shared.expired());
        }
        if shared.inside() {
            return Ok(());
        }
        if need == Need::Nothing {
            return Ok(());
        }
        // Rare, and much larger than the work around it.
        Box::pin(self.make_healthy(need)).await
    }

    async fn make_healthy(&self, need: Need) -> Result<()> {
        let checks = matches!(need, Need::Check | Need::FreshCheck);
        if checks && self.check(need == Need::FreshCheck).await {
            return Ok(());
        }
        self.recover().await.map(drop)
    }
}

impl fmt::Debug for ManagedSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManagedSession")
            .field("id", &self.shared.id)
            .field("database", &self.shared.database)
            .field("condition", &self.condition())
            .finish_non_exhaustive()
    }
}
