//! A database of its own for each test.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr};
use tempfile::TempDir;

use crate::error::{Context, Error};
use crate::locate::Engine;
use crate::mysql::speaks_mysql;
use crate::run_dir::run_dir;
use crate::server::Server;
use crate::{connect, mariadb, mysql, observe, postgres};

/// A new, empty database that ends with this value.
///
/// [`admin`](Self::admin) is one connection to it beside those of the test, to prepare and to
/// observe.
#[derive(Debug)]
pub struct TestDb {
    engine: Engine,
    url: String,
    admin: DatabaseConnection,
    on_server: Option<OnServer>,
    folder: Option<TempDir>,
}

#[derive(Clone, Debug)]
struct OnServer {
    name: String,
    /// The address of a database that is always there.
    maintenance: String,
}

impl TestDb {
    /// A database on the shared server of the engine; for `SQLite` a file with a write-ahead log.
    ///
    /// # Errors
    /// If the engine is not selected, not installed or does not start.
    pub async fn new(engine: Engine) -> Result<Self, Error> {
        match engine {
            Engine::Sqlite => Self::sqlite_file().await,
            Engine::Postgres => {
                Self::create(engine, |name| postgres().map(|server| server.url(name))).await
            }
            Engine::MariaDb => {
                Self::create(engine, |name| mariadb().map(|server| server.url(name))).await
            }
            Engine::MySql => {
                Self::create(engine, |name| mysql().map(|server| server.url(name))).await
            }
        }
    }

    /// A database on a private server.
    ///
    /// # Errors
    /// If the server does not answer.
    pub async fn on(server: &Server) -> Result<Self, Error> {
        Self::create(server.engine(), |name| Ok(server.url(name))).await
    }

    /// A `SQLite` database in memory. Every connection to [`url`](Self::url) within this process
    /// sees it, and waits without a limit for a table that another one has written to and not yet
    /// committed.
    ///
    /// # Errors
    /// If `SQLite` refuses it.
    pub async fn sqlite_memory() -> Result<Self, Error> {
        selected(Engine::Sqlite)?;
        let url = format!("sqlite:file:{}?mode=memory&cache=shared", unique_name());
        let admin = connect(&url, 1).await?;
        Ok(Self {
            engine: Engine::Sqlite,
            url,
            admin,
            on_server: None,
            folder: None,
        })
    }

    async fn sqlite_file() -> Result<Self, Error> {
        selected(Engine::Sqlite)?;
        let folder = TempDir::new_in(run_dir()?).context(|| "create a folder".to_owned())?;
        let url = format!(
            "sqlite:{}?mode=rwc",
            folder.path().join("test.db").display()
        );
        let admin = connect(&url, 1).await?;
        // The file remembers it: connections of the test have it too.
        admin
            .execute_unprepared("PRAGMA journal_mode = WAL")
            .await?;
        Ok(Self {
            engine: Engine::Sqlite,
            url,
            admin,
            on_server: None,
            folder: Some(folder),
        })
    }

    async fn create<F>(engine: Engine, url: F) -> Result<Self, Error>
    where
        F: Fn(&str) -> Result<String, Error>,
    {
        let name = unique_name();
        let (maintenance, create) = match engine {
            Engine::MariaDb | Engine::MySql => ("mysql", format!("CREATE DATABASE {name}")),
            // Nobody can be connected to `template0`, which would make this wait.
            _ => (
                "postgres",
                format!("CREATE DATABASE {name} TEMPLATE template0"),
            ),
        };
        let maintenance = url(maintenance)?;
        let url = url(&name)?;
        let server = connect(&maintenance, 1).await?;
        server.execute_unprepared(&create).await?;
        server.close().await?;
        let on_server = Some(OnServer { name, maintenance });
        let admin = connect(&url, 1).await?;
        Ok(Self {
            engine,
            url,
            admin,
            on_server,
            folder: None,
        })
    }

    /// The engine of this database.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Whether this is a `SQLite` database without a file.
    pub(crate) fn is_in_memory(&self) -> bool {
        self.engine == Engine::Sqlite && self.folder.is_none()
    }

    /// Where the test connects to.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Connects to this database; see [`connect`].
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn connect(&self, connections: u32) -> Result<DatabaseConnection, Error> {
        Ok(connect(&self.url, connections).await?)
    }

    /// A connection outside the test's own, not counted by the methods that count.
    pub fn admin(&self) -> &DatabaseConnection {
        &self.admin
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        let Some(database) = self.on_server.take() else {
            return;
        };
        let engine = self.engine;
        // On a thread of its own, as this one may be inside a runtime. Best effort: the server
        // may be down by now, and its folder is removed at the end of the run in any case.
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .ok()?;
            let limit = Duration::from_secs(5);
            runtime
                .block_on(async { tokio::time::timeout(limit, remove(engine, database)).await })
                .ok()
        });
        let _ = thread.join();
    }
}

async fn remove(engine: Engine, database: OnServer) -> Result<(), DbErr> {
    let OnServer { name, maintenance } = database;
    let server = connect(&maintenance, 1).await?;
    if speaks_mysql(engine) {
        // Open transactions of the test would block it.
        observe::kill_mysql_sessions(&server, &name).await?;
        server
            .execute_unprepared(&format!("DROP DATABASE {name}"))
            .await?;
    } else {
        server
            .execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)"))
            .await?;
    }
    server.close().await
}

fn selected(engine: Engine) -> Result<(), Error> {
    if crate::engines()?.contains(&engine) {
        Ok(())
    } else {
        Err(Error::NotSelected(engine))
    }
}

/// A name that no other test has used on a server, not even one of an earlier run.
fn unique_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    format!("test_{}_{}_{count}", now.as_millis(), std::process::id())
}
