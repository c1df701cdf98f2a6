//! The servers that all tests of a run share.

use std::sync::OnceLock;

use crate::error::Error;
use crate::locate::Engine;
use crate::server::Server;
use crate::template;

/// The engines of a test run, separated by commas; all when unset.
pub const ENGINES_VARIABLE: &str = "RESILIENT_TEST_ENGINES";
/// Where the `PostgreSQL` server of the test run is, without a database name.
pub const POSTGRES_VARIABLE: &str = "RESILIENT_TEST_POSTGRES_URL";
/// Where the `MariaDB` server of the test run is, without a database name.
pub const MARIADB_VARIABLE: &str = "RESILIENT_TEST_MARIADB_URL";

/// Where the `MySQL` server of the test run is, without a database name.
pub const MYSQL_VARIABLE: &str = "RESILIENT_TEST_MYSQL_URL";

/// The engines selected by [`ENGINES_VARIABLE`].
///
/// # Errors
/// If the variable names something else than an engine, or nothing.
pub fn engines() -> Result<Vec<Engine>, Error> {
    let Some(value) = std::env::var_os(ENGINES_VARIABLE) else {
        return Ok(Engine::ALL.to_vec());
    };
    let value = value.to_string_lossy().into_owned();
    let parse = |name: &str| name.trim().parse();
    let parsed: Result<Vec<Engine>, String> = value.split(',').map(parse).collect();
    parsed.map_err(|problem| Error::Setting {
        variable: ENGINES_VARIABLE,
        value,
        problem,
    })
}

/// A server that other tests use at the same time; it cannot be stopped.
#[derive(Debug)]
pub struct Shared {
    engine: Engine,
    base: String,
    _own: Option<Server>,
}

impl Shared {
    /// The engine of this server.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// The address of a database on this server.
    pub fn url(&self, database: &str) -> String {
        let (server, query) = self.base.split_once('?').unwrap_or((&self.base, ""));
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{}/{database}{mark}{query}", server.trim_end_matches('/'))
    }

    fn find(engine: Engine) -> Result<Self, Error> {
        // Who asks for MySQL has selected it, unless others are.
        let asked = engine == Engine::MySql && std::env::var_os(ENGINES_VARIABLE).is_none();
        if !asked && !engines()?.contains(&engine) {
            return Err(Error::NotSelected(engine));
        }
        if let Some(base) = variable(engine).and_then(|name| std::env::var(name).ok()) {
            return Ok(Self {
                engine,
                base,
                _own: None,
            });
        }
        let server = Server::start_private(engine, &[])?;
        Ok(Self {
            engine,
            base: server.url(""),
            _own: Some(server),
        })
    }
}

/// The shared `PostgreSQL` server: the one of the test run, otherwise one of this process, started
/// at the first call.
///
/// # Errors
/// If `PostgreSQL` is not selected, not installed or does not start. The first answer stays.
pub fn postgres() -> Result<&'static Shared, Error> {
    static SERVER: OnceLock<Result<Shared, Error>> = OnceLock::new();
    SERVER
        .get_or_init(|| Shared::find(Engine::Postgres))
        .as_ref()
        .map_err(Error::clone)
}

/// The shared `MariaDB` server, as [`postgres`].
///
/// # Errors
/// If `MariaDB` is not selected, not installed or does not start. The first answer stays.
pub fn mariadb() -> Result<&'static Shared, Error> {
    static SERVER: OnceLock<Result<Shared, Error>> = OnceLock::new();
    SERVER
        .get_or_init(|| Shared::find(Engine::MariaDb))
        .as_ref()
        .map_err(Error::clone)
}

/// The shared `MySQL` server, as [`postgres`]. Without [`ENGINES_VARIABLE`] it counts as selected.
///
/// # Errors
/// If `MySQL` is not selected, cannot be downloaded or does not start. The first answer stays.
pub fn mysql() -> Result<&'static Shared, Error> {
    static SERVER: OnceLock<Result<Shared, Error>> = OnceLock::new();
    SERVER
        .get_or_init(|| Shared::find(Engine::MySql))
        .as_ref()
        .map_err(Error::clone)
}

/// Servers started for the processes of a whole test run; they end with this value.
#[derive(Debug)]
pub struct TestRun {
    servers: Vec<Server>,
    environment: Vec<(String, String)>,
}

impl TestRun {
    /// Starts a server for each selected engine that is not already provided by the environment.
    ///
    /// # Errors
    /// If an engine is not installed or does not start.
    pub fn start() -> Result<Self, Error> {
        let mut run = Self {
            servers: Vec::new(),
            environment: Vec::new(),
        };
        for engine in engines()? {
            let Some(name) = variable(engine) else {
                continue;
            };
            if std::env::var_os(name).is_none() {
                let server = Server::start_private(engine, &[])?;
                run.environment.push((name.to_owned(), server.url("")));
                let template = template::template(engine)?.display().to_string();
                run.environment.push((template::variable(engine), template));
                run.servers.push(server);
            }
        }
        Ok(run)
    }

    /// The servers that were started.
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// What a process needs in its environment to use them.
    pub fn environment(&self) -> &[(String, String)] {
        &self.environment
    }
}

fn variable(engine: Engine) -> Option<&'static str> {
    match engine {
        Engine::Sqlite => None,
        Engine::Postgres => Some(POSTGRES_VARIABLE),
        Engine::MariaDb => Some(MARIADB_VARIABLE),
        Engine::MySql => Some(MYSQL_VARIABLE),
    }
}
