//! What a call costs on the wire: round trips, counted by a proxy that understands them.
//!
//! Statements that a connection sees for the first time are prepared, which costs a round trip of
//! its own: each call is made twice before it is counted. What sqlx sends by itself when a
//! connection is taken or given back is counted apart.

mod commits;
mod nested;
mod pings;
mod sqlite;
mod stale;
mod transactions;

use resilient_sea_orm::{Builder, ResilientConnection};
use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, Statement};
use support::{Engine, Flight, Proxy, TestDb, TestResult, wait_until};

use crate::{bank::unique_name, rig::PATIENCE};

/// A database behind a proxy, with one connection to it, and another one without the framework.
pub struct Wire {
    pub test: TestDb,
    pub proxy: Proxy,
    pub db: ResilientConnection,
    pub plain: DatabaseConnection,
}

/// Round trips of one call.
#[derive(Debug)]
pub struct Cost {
    /// Of statements, those of transaction control included.
    pub trips: usize,
    /// Of the pool's own, which ask whether a connection lives.
    pub pings: usize,
    /// All of them.
    pub flights: Vec<Flight>,
}

impl Wire {
    pub async fn open(engine: Engine) -> TestResult<Self> {
        Self::built(engine, Builder::default()).await
    }

    pub async fn built(engine: Engine, builder: Builder) -> TestResult<Self> {
        let test = TestDb::new(engine).await?;
        let admin = test.admin();
        for sql in [
            "CREATE TABLE account (id INTEGER PRIMARY KEY, balance BIGINT NOT NULL)",
            "INSERT INTO account VALUES (1, 100), (2, 100)",
        ] {
            admin.execute_unprepared(sql).await?;
        }
        let proxy = Proxy::before(&test).await?;
        let mut options = ConnectOptions::new(proxy.url());
        options
            .min_connections(1)
            .max_connections(1)
            .sqlx_logging(false);
        let plain = sea_orm::Database::connect(options.clone()).await?;
        let db = builder.name(unique_name()).to(options).connect().await?;
        Ok(Self {
            test,
            proxy,
            db,
            plain,
        })
    }

    /// What a call costs that was made before.
    pub async fn cost<E>(&self, call: impl AsyncFn() -> Result<(), E>) -> TestResult<Cost>
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        for _ in 0..2 {
            call().await?;
            self.quiet().await?;
        }
        self.proxy.record();
        call().await?;
        self.quiet().await?;
        let flights = self.proxy.flights();
        let pings = flights.iter().filter(|flight| flight.is_ping()).count();
        Ok(Cost {
            trips: flights.len() - pings,
            pings,
            flights,
        })
    }

    /// Waits until the connections are back in their pools, and their pings answered.
    pub async fn quiet(&self) -> TestResult {
        let idle = async || {
            let plain = match self.test.engine() {
                Engine::Postgres => self.plain.get_postgres_connection_pool().num_idle(),
                _ => self.plain.get_mysql_connection_pool().num_idle(),
            };
            Ok(self.db.pool_status().in_use == 0 && plain == 1)
        };
        wait_until("idle connections", PATIENCE, idle).await?;
        Ok(())
    }
}

/// Reads account 1, as a statement with a value that is prepared once.
pub async fn read(db: &impl ConnectionTrait) -> Result<(), sea_orm::DbErr> {
    statement(db, "SELECT balance FROM account WHERE id = ?").await
}

/// Adds nothing to account 1, which is a write all the same.
pub async fn write(db: &impl ConnectionTrait) -> Result<(), sea_orm::DbErr> {
    statement(db, "UPDATE account SET balance = balance + 0 WHERE id = ?").await
}

async fn statement(db: &impl ConnectionTrait, sql: &str) -> Result<(), sea_orm::DbErr> {
    let backend = db.get_database_backend();
    let sql = match backend {
        sea_orm::DbBackend::Postgres => sql.replace('?', "$1"),
        _ => sql.to_owned(),
    };
    let statement = Statement::from_sql_and_values(backend, sql, [1.into()]);
    db.query_all_raw(statement).await.map(drop)
}
