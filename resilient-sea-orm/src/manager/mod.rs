//! [`DatabaseManager`]: one or several databases by name, and sessions on them by id.
//!
//! A [`ManagedSession`] is what a worker, a request or a job does on a database, under an id of
//! its own. It is not a connection: one is held only while a unit of work runs, so that idle
//! sessions cost the pool nothing, and a lost connection is replaced by the next. See
//! `docs/sessions.md` for when it is worth having one.

mod builder;
mod check;
mod expiry;
mod gate;
mod recover;
mod session;
mod watch;
mod work;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use resilient_core::{
    Failure, Outcome,
    health::{
        managed::{Managed, unknown_database},
        monitor::Monitor,
    },
};

pub use builder::ManagerBuilder;
pub use expiry::Expiry;
pub use resilient_core::health::{
    managed::{Condition, DatabaseReport, ManagedReport, ManagerReport},
    recovery::{Recovery, RecoveryReport, RecoveryStep},
};
pub use session::ManagedSession;

use gate::Gate;
use session::Shared;

use crate::{Error, ResilientConnection, Result};

/// One or several databases by name, and the sessions on them.
///
/// Clones share everything.
///
/// ```
/// use resilient_sea_orm::{DatabaseManager, prelude::*, sea_orm::ConnectionTrait};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let main = ResilientConnection::connect("sqlite::memory:").await?;
/// let manager = DatabaseManager::builder().database("main", main).build()?;
///
/// let worker = manager.session("worker-7").await?;
/// worker
///     .run(|db| async move {
///         db.execute_unprepared("CREATE TABLE job (id INTEGER)").await?;
///         db.execute_unprepared("INSERT INTO job VALUES (1)").await?;
///         Ok::<_, Error>(())
///     })
///     .await?;
/// assert!(manager.check_all().await.healthy);
/// manager.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct DatabaseManager {
    members: Arc<Mutex<Members>>,
}

/// In the order of their registration: the first one is the default.
type Members = Vec<Arc<Member>>;

/// A database and what is known of its sessions.
struct Member {
    name: Arc<str>,
    db: ResilientConnection,
    gate: Arc<Gate>,
    sessions: Mutex<BTreeMap<String, Arc<Shared>>>,
    monitor: Mutex<Option<Monitor>>,
}

impl Member {
    fn new(name: String, db: ResilientConnection) -> Self {
        Self {
            name: name.into(),
            db,
            gate: Arc::default(),
            sessions: Mutex::default(),
            monitor: Mutex::default(),
        }
    }

    fn sessions(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Shared>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn monitor(&self) -> MutexGuard<'_, Option<Monitor>> {
        self.monitor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn make(&self, id: &str) -> Arc<Shared> {
        let now = self.db.pool.context.clock().now();
        Arc::new(Shared {
            id: id.to_owned(),
            database: Arc::clone(&self.name),
            db: self.db.clone(),
            gate: Arc::clone(&self.gate),
            state: Managed::new(now),
            running: Mutex::default(),
        })
    }

    /// The session of this id, a new one if there is none that lasts.
    fn get_or_make(&self, id: &str) -> ManagedSession {
        let mut sessions = self.sessions();
        let shared = match sessions.get(id) {
            Some(shared) if shared.state.condition() != Condition::Expired => Arc::clone(shared),
            _ => {
                let shared = self.make(id);
                sessions.insert(id.to_owned(), Arc::clone(&shared));
                shared
            }
        };
        ManagedSession { shared }
    }
}

impl DatabaseManager {
    /// A manager of one database, known by the connection's own name.
    pub fn new(db: ResilientConnection) -> Self {
        let member = Member::new(db.name().to_owned(), db);
        let manager = Self {
            members: Arc::new(Mutex::new(vec![Arc::new(member)])),
        };
        manager.watch_all();
        manager
    }

    /// Starts with no database.
    pub fn builder() -> ManagerBuilder {
        ManagerBuilder::default()
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn member(&self, name: &str) -> Result<Arc<Member>> {
        let members = self.members();
        let known = members.iter().find(|member| *member.name == *name);
        known.cloned().ok_or_else(|| {
            let names: Vec<&str> = members.iter().map(|member| &*member.name).collect();
            unknown_database(name, &names).into()
        })
    }

    fn default_member(&self) -> Result<Arc<Member>> {
        let first = self.members().first().cloned();
        first.ok_or_else(|| unknown_database("default", &[]).into())
    }

    /// The database of this name.
    ///
    /// # Errors
    /// When there is none; the error lists those there are, and the one that was probably meant.
    pub fn database(&self, name: &str) -> Result<ResilientConnection> {
        Ok(self.member(name)?.db.clone())
    }

    /// The database that was registered first.
    ///
    /// # Errors
    /// When there is none.
    pub fn default_database(&self) -> Result<ResilientConnection> {
        Ok(self.default_member()?.db.clone())
    }

    /// The names of the databases, the default first.
    pub fn names(&self) -> Vec<String> {
        let members = self.members();
        members
            .iter()
            .map(|member| member.name.to_string())
            .collect()
    }

    /// Registers a database.
    ///
    /// # Errors
    /// When there is one of this name.
    pub fn add(&self, name: impl Into<String>, db: ResilientConnection) -> Result<()> {
        let member = Arc::new(Member::new(name.into(), db));
        {
            let mut members = self.members();
            if members.iter().any(|known| known.name == member.name) {
                return Err(twice(&member.name));
            }
            members.push(Arc::clone(&member));
        }
        self.watch(&member);
        Ok(())
    }

    /// Forgets a database and answers it; its pool stays open. Its sessions have ended: their next
    /// unit of work fails with `session_expired`, one that runs goes on.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn remove(&self, name: &str) -> Result<ResilientConnection> {
        let member = self.member(name)?;
        self.members().retain(|known| !Arc::ptr_eq(known, &member));
        drop(member.monitor().take());
        for shared in member.sessions().values() {
            shared.state.expire();
        }
        member.sessions().clear();
        Ok(member.db.clone())
    }

    /// The session of this id on the default database, made if there is none, and healthy.
    ///
    /// It is checked if its last check or commit is longer ago than a check is good for
    /// (`cache_duration`, 5 s by default), and recovered if its last unit of work lost the
    /// connection. Ids appear in reports and messages: give a worker's or request's, not a
    /// person's. Where there is a new id for each request, [`unregister`](Self::unregister) it
    /// after that, or it stays until it was idle for too long.
    ///
    /// # Errors
    /// `server_unavailable` when it could not be recovered.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the session as it was.
    pub async fn session(&self, id: &str) -> Result<ManagedSession> {
        healthy(self.default_member()?.get_or_make(id)).await
    }

    /// The same on the database of this name.
    ///
    /// # Errors
    /// As there, or when there is no such database.
    pub async fn session_on(&self, database: &str, id: &str) -> Result<ManagedSession> {
        healthy(self.member(database)?.get_or_make(id)).await
    }

    /// Registers a session on the database of this name. Nothing is sent: it is checked at its
    /// first use.
    ///
    /// # Errors
    /// When there is one of this id that has not ended, or no such database.
    pub fn register(&self, database: &str, id: &str) -> Result<ManagedSession> {
        let member = self.member(database)?;
        let mut sessions = member.sessions();
        let lasts = |shared: &Arc<Shared>| shared.state.condition() != Condition::Expired;
        if sessions.get(id).is_some_and(lasts) {
            return Err(Failure::misuse(format!(
                "there is a session {id:?} of {database:?}: get it with session_on(..), or \
                 unregister it first"
            ))
            .into());
        }
        let shared = member.make(id);
        sessions.insert(id.to_owned(), Arc::clone(&shared));
        Ok(ManagedSession { shared })
    }

    /// Ends a session; `false` if there is none of this id. A unit of work that runs goes on, the
    /// next one of whoever still has the session fails with `session_expired`.
    ///
    /// # Errors
    /// When there is no such database.
    pub fn unregister(&self, database: &str, id: &str) -> Result<bool> {
        let removed = self.member(database)?.sessions().remove(id);
        Ok(removed.is_some_and(|shared| shared.state.expire()))
    }

    /// A repository on a healthy session of the default database: what `make` makes of its
    /// connection. Its methods are calls of their own; see [`ManagedSession::repository`].
    ///
    /// # Errors
    /// As [`session`](Self::session).
    pub async fn repository<R>(
        &self,
        id: &str,
        make: impl FnOnce(ResilientConnection) -> R,
    ) -> Result<R> {
        self.session(id).await?.repository(make).await
    }

    /// The same on the database of this name.
    ///
    /// # Errors
    /// As [`session_on`](Self::session_on).
    pub async fn repository_on<R>(
        &self,
        database: &str,
        id: &str,
        make: impl FnOnce(ResilientConnection) -> R,
    ) -> Result<R> {
        self.session_on(database, id).await?.repository(make).await
    }
}

async fn healthy(session: ManagedSession) -> Result<ManagedSession> {
    session.ensure_healthy().await?;
    Ok(session)
}

fn twice(name: &str) -> Error {
    Failure::misuse(format!(
        "there is a database {name:?} already: remove it first, or give the other one its own name"
    ))
    .with_outcome(Outcome::NotSent)
    .into()
}

impl fmt::Debug for DatabaseManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseManager")
            .field("databases", &self.names())
            .finish_non_exhaustive()
    }
}
