//! Ends the service's sessions, as an administrator or a failing server would.

use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, Statement,
};

/// A connection to the service's database that ends others.
#[derive(Debug)]
pub(crate) struct Killer {
    db: DatabaseConnection,
}

/// Everybody else's sessions in this database, one at random.
const POSTGRES: &str = "SELECT pg_terminate_backend(pid) AS ended FROM (\
     SELECT pid FROM pg_stat_activity WHERE datname = current_database() \
     AND pid <> pg_backend_pid() AND backend_type = 'client backend' \
     ORDER BY random() LIMIT 1) one";
const MYSQL: &str = "SELECT id FROM information_schema.processlist \
     WHERE db = DATABASE() AND id <> CONNECTION_ID() ORDER BY RAND() LIMIT 1";

impl Killer {
    /// # Errors
    /// Why no session can be ended.
    pub(crate) async fn connect(url: Option<&str>) -> Result<Self, String> {
        let Some(url) = url else {
            return Err("not made: --database-url is wanted, that of the service".to_owned());
        };
        if url.starts_with("sqlite:") {
            return Err("not made: SQLite has no sessions that could be ended".to_owned());
        }
        let mut options = ConnectOptions::new(url);
        options.max_connections(1).sqlx_logging(false);
        // Not the driver's words, which may quote the address and so a password.
        let db = Database::connect(options).await;
        let db = db.map_err(|_| "not made: --database-url cannot be connected to".to_owned())?;
        Ok(Self { db })
    }

    /// Ends one session; whether there was any.
    pub(crate) async fn kill_one(&self) -> Result<bool, DbErr> {
        let backend = self.db.get_database_backend();
        if backend == DbBackend::Postgres {
            let ended = Statement::from_string(backend, POSTGRES);
            return Ok(self.db.query_one_raw(ended).await?.is_some());
        }
        let found = Statement::from_string(backend, MYSQL);
        let Some(row) = self.db.query_one_raw(found).await? else {
            return Ok(false);
        };
        // Signed on one server, unsigned on another.
        let id = match row.try_get::<i64>("", "id") {
            Ok(id) => id.to_string(),
            Err(_) => row.try_get::<u64>("", "id")?.to_string(),
        };
        self.db.execute_unprepared(&format!("KILL {id}")).await?;
        Ok(true)
    }
}
