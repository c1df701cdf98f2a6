//! A small bank on each engine: the tables and repository that most tests share.

use std::time::Instant;

use resilient_sea_orm::{Builder, Locking, ResilientConnection, prelude::*};
use sea_orm::{ConnectOptions, ConnectionTrait, Statement, TransactionTrait};
pub use support::unique_name;
use support::{Engine, TestDb};

use crate::rig::{PATIENCE, is_pool_timeout};

/// A database with accounts, and a connection to it.
pub struct Bank {
    pub test: TestDb,
    pub db: ResilientConnection,
}

impl Bank {
    /// `accounts` accounts of 100 each, numbered from 1; a pool of 8.
    pub async fn open(engine: Engine, accounts: i32) -> Self {
        Self::with_pool(engine, accounts, 8).await
    }

    pub async fn with_pool(engine: Engine, accounts: i32, pool: u32) -> Self {
        let test = TestDb::new(engine)
            .await
            .expect("the harness gives a database");
        Self::on(test, accounts, pool).await
    }

    /// The same on a database that is already there.
    pub async fn on(test: TestDb, accounts: i32, pool: u32) -> Self {
        Self::built(Builder::default(), test, accounts, pool).await
    }

    /// The same with a builder's settings.
    pub async fn built(builder: Builder, test: TestDb, accounts: i32, pool: u32) -> Self {
        let mut options = ConnectOptions::new(test.url());
        options.max_connections(pool).sqlx_logging(false);
        let db = builder
            .name(unique_name())
            .to(options)
            .connect()
            .await
            .expect("connects");
        for sql in [
            "CREATE TABLE account (id INTEGER PRIMARY KEY, balance BIGINT NOT NULL CHECK (balance >= 0))",
            "CREATE TABLE entry (id INTEGER PRIMARY KEY, note VARCHAR(200) NOT NULL UNIQUE)",
        ] {
            db.execute_unprepared(sql).await.expect(sql);
        }
        for id in 1..=accounts {
            db.execute_unprepared(&format!("INSERT INTO account VALUES ({id}, 100)"))
                .await
                .expect("account");
        }
        Self { test, db }
    }

    /// `SQLite` as people run it: deferred transactions, and no patience with locks. A pool of one.
    pub async fn impatient_sqlite(builder: Builder, accounts: i32) -> Self {
        let test = TestDb::new(Engine::Sqlite).await.expect("a database");
        let bank = Self::built(builder.locking(Locking::Deferred), test, accounts, 1).await;
        let patience = "PRAGMA busy_timeout = 1";
        bank.db.execute_unprepared(patience).await.expect(patience);
        bank
    }

    /// Somebody else's transaction, which holds the locks of `sql`.
    pub async fn holds(&self, sql: &str) -> sea_orm::DatabaseTransaction {
        let other = self.test.connect(1).await.expect("connects");
        let tx = other.begin().await.expect("begins");
        tx.execute_unprepared(sql).await.expect(sql);
        tx
    }

    /// The sum of all balances.
    pub async fn total(&self) -> i64 {
        number(
            &self.db,
            "SELECT CAST(SUM(balance) AS CHAR) AS n FROM account",
        )
        .await
    }

    pub async fn balance(&self, id: i32) -> i64 {
        number(
            &self.db,
            &format!("SELECT CAST(balance AS CHAR) AS n FROM account WHERE id = {id}"),
        )
        .await
    }

    pub async fn entries(&self) -> i64 {
        number(&self.db, "SELECT CAST(COUNT(*) AS CHAR) AS n FROM entry").await
    }

    pub fn metrics(&self) -> resilient_sea_orm::metrics::ConnectionSnapshot {
        resilient_sea_orm::metrics::global()
            .snapshot()
            .connection(self.db.name())
    }
}

/// `sql`, which does not wait for locks. `SQLite` has no such statement; see
/// [`Bank::impatient_sqlite`].
pub fn impatient(engine: Engine, sql: &str) -> String {
    match engine {
        Engine::Postgres => format!("SET LOCAL lock_timeout = '1ms'; {sql}"),
        Engine::MariaDb | Engine::MySql => {
            format!("SET STATEMENT innodb_lock_wait_timeout = 0 FOR {sql}")
        }
        Engine::Sqlite => sql.to_owned(),
    }
}

/// A statement that always fails with `kind`, if the engine can be made to. `SQLite`'s fails if
/// somebody [holds](Bank::holds) its lock.
pub fn always(engine: Engine, kind: FaultKind) -> Option<&'static str> {
    let lock_timeout = kind == FaultKind::LockTimeout;
    match engine {
        Engine::Postgres if lock_timeout => {
            Some("DO $$ BEGIN RAISE EXCEPTION 'always' USING ERRCODE = '55P03'; END $$")
        }
        Engine::Postgres => {
            Some("DO $$ BEGIN RAISE EXCEPTION 'always' USING ERRCODE = '40001'; END $$")
        }
        Engine::MariaDb | Engine::MySql if lock_timeout => {
            Some("SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1205, MESSAGE_TEXT = 'always'")
        }
        Engine::MariaDb | Engine::MySql => {
            Some("SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1020, MESSAGE_TEXT = 'always'")
        }
        Engine::Sqlite => lock_timeout.then_some("UPDATE account SET balance = 0 WHERE id = 1"),
    }
}

/// Ends a test whose call waits for itself, which nothing else would.
pub async fn without_hanging<T>(call: impl Future<Output = T>) -> T {
    let limit = std::time::Duration::from_secs(30);
    tokio::time::timeout(limit, call).await.expect("it hangs")
}

/// One number, read outside of any scope.
pub async fn number(db: &ResilientConnection, sql: &str) -> i64 {
    let until = Instant::now() + PATIENCE;
    let sql = if matches!(db.get_database_backend(), sea_orm::DbBackend::MySql) {
        sql.to_owned()
    } else {
        sql.replace("AS CHAR)", "AS TEXT)")
    };
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let row = loop {
        match db.query_one_raw(statement.clone()).await {
            // The connection that was used last is given back beside this.
            Err(error) if is_pool_timeout(&error) && Instant::now() < until => {}
            row => break row.expect("query").expect("a row"),
        }
    };
    row.try_get::<String>("", "n")
        .expect("text")
        .trim()
        .parse()
        .expect("number")
}

/// Adds `cents` to one account.
pub async fn add(db: &impl ConnectionTrait, id: i32, cents: i64) -> Result<()> {
    db.execute_unprepared(&format!(
        "UPDATE account SET balance = balance + {cents} WHERE id = {id}"
    ))
    .await?;
    Ok(())
}

/// Writes one ledger entry.
pub async fn enter(db: &ResilientConnection, id: i64, note: &str) -> Result<()> {
    db.execute_unprepared(&format!("INSERT INTO entry VALUES ({id}, '{note}')"))
        .await?;
    Ok(())
}
