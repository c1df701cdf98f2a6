//! [`ManagerBuilder`]: which databases a manager has.

use std::sync::{Arc, Mutex};

use resilient_core::config::Environment;

use super::{DatabaseManager, Member, twice};
use crate::{Builder, ResilientConnection, Result};

/// The databases of a [`DatabaseManager`]. The first one is the default.
#[derive(Clone, Debug, Default)]
pub struct ManagerBuilder {
    databases: Vec<(String, ResilientConnection)>,
}

impl ManagerBuilder {
    /// Adds a database.
    #[must_use]
    pub fn database(mut self, name: impl Into<String>, db: ResilientConnection) -> Self {
        self.databases.push((name.into(), db));
        self
    }

    /// The manager. Inside a tokio runtime it watches each database in the background whose
    /// configuration does not say otherwise (`health.background_monitoring`): see
    /// [`DatabaseManager::watched`].
    ///
    /// # Errors
    /// When two databases have one name.
    pub fn build(self) -> Result<DatabaseManager> {
        let mut members: Vec<Arc<Member>> = Vec::new();
        for (name, db) in self.databases {
            if members.iter().any(|known| *known.name == *name) {
                return Err(twice(&name));
            }
            members.push(Arc::new(Member::new(name, db)));
        }
        let manager = DatabaseManager {
            members: Arc::new(Mutex::new(members)),
        };
        manager.watch_all();
        Ok(manager)
    }
}

impl DatabaseManager {
    /// Connects to one database, as the process's environment says, and calls it `name`: for
    /// `"main"`, `DATABASE_URL` and the variables of `docs/configuration.md`.
    ///
    /// # Errors
    /// Every variable whose value cannot be used, or why the connection failed.
    pub async fn from_env(name: impl Into<String>) -> Result<Self> {
        Self::from_environment(name, &Environment::of_process()).await
    }

    /// The same from given variables, which may have a prefix. [`add`](Self::add) the others.
    ///
    /// # Errors
    /// As there.
    pub async fn from_environment(
        name: impl Into<String>,
        environment: &Environment,
    ) -> Result<Self> {
        let name = name.into();
        let builder = Builder::from_environment(environment)?.name(name.clone());
        Self::builder()
            .database(name, builder.connect().await?)
            .build()
    }
}
