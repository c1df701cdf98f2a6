//! What the server knows about the sessions of a test, and how to end them.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, QueryResult, Statement, TryGetable};

use crate::error::Error;
use crate::locate::Engine;
use crate::test_db::TestDb;

impl TestDb {
    /// How many committed rows a table has.
    ///
    /// # Errors
    /// If there is no such table or the server does not answer.
    pub async fn rows(&self, table: &str) -> Result<usize, Error> {
        Ok(count(
            one::<i64>(self.admin(), &format!("SELECT count(*) FROM {table}")).await?,
        ))
    }

    /// How many sessions other than [`admin`](Self::admin) are connected to this database.
    ///
    /// # Errors
    /// If the server does not answer, or for `SQLite`, which has no sessions.
    pub async fn sessions(&self) -> Result<usize, Error> {
        let sql = match self.engine() {
            Engine::Postgres => {
                "SELECT count(*) FROM pg_stat_activity \
                 WHERE datname = current_database() AND pid <> pg_backend_pid()"
            }
            Engine::MariaDb | Engine::MySql => {
                "SELECT count(*) FROM information_schema.processlist \
                 WHERE db = database() AND id <> connection_id()"
            }
            engine @ Engine::Sqlite => {
                return Err(Error::Unsupported {
                    engine,
                    what: "sessions",
                });
            }
        };
        Ok(count(one::<i64>(self.admin(), sql).await?))
    }

    /// How many transactions other than the admin's are open in this database right now.
    ///
    /// `MariaDB` and `MySQL` count a transaction from its first access to a table on. `SQLite` counts the one
    /// that may write, so the answer is 0 or 1.
    ///
    /// # Errors
    /// If the server does not answer, or for `SQLite` in memory, which cannot tell.
    pub async fn open_transactions(&self) -> Result<usize, Error> {
        match self.engine() {
            Engine::Postgres => {
                let sql = "SELECT count(*) FROM pg_stat_activity WHERE xact_start IS NOT NULL \
                           AND datname = current_database() AND pid <> pg_backend_pid()";
                Ok(count(one::<i64>(self.admin(), sql).await?))
            }
            Engine::MariaDb | Engine::MySql => {
                let ours = mysql_sessions(self.admin()).await?;
                let open = innodb_transactions(self.admin()).await?;
                let open = open.iter().filter(|one| ours.contains(&one.session));
                Ok(open.count())
            }
            Engine::Sqlite if self.is_in_memory() => {
                // Connections to a shared cache wait for each other without a limit.
                let what = "count of transactions in memory";
                Err(Error::Unsupported {
                    engine: Engine::Sqlite,
                    what,
                })
            }
            Engine::Sqlite => self.sqlite_writer().await,
        }
    }

    /// How many sessions of this database wait for a lock right now.
    ///
    /// # Errors
    /// If the server does not answer, or for `SQLite`, which has no sessions.
    pub async fn sessions_in_wait(&self) -> Result<usize, Error> {
        match self.engine() {
            Engine::Postgres => {
                let sql = "SELECT count(*) FROM pg_stat_activity \
                           WHERE wait_event_type = 'Lock' AND datname = current_database()";
                Ok(count(one::<i64>(self.admin(), sql).await?))
            }
            Engine::MariaDb | Engine::MySql => {
                let ours = mysql_sessions(self.admin()).await?;
                let open = innodb_transactions(self.admin()).await?;
                let waits = |one: &&Open| one.waits && ours.contains(&one.session);
                Ok(open.iter().filter(waits).count())
            }
            engine @ Engine::Sqlite => {
                let what = "sessions";
                Err(Error::Unsupported { engine, what })
            }
        }
    }

    /// Ends every session of this database but the admin's, as an operator or a failover does,
    /// waits until they are gone and returns how many there were.
    ///
    /// # Errors
    /// If the server does not answer or a session stays, or for `SQLite`, which has no sessions.
    pub async fn terminate_sessions(&self) -> Result<usize, Error> {
        let ended = match self.engine() {
            Engine::Postgres => {
                let sql = "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) \
                           FROM pg_stat_activity \
                           WHERE datname = current_database() AND pid <> pg_backend_pid()";
                count(one::<i64>(self.admin(), sql).await?)
            }
            Engine::MariaDb | Engine::MySql => {
                let name: String = one(self.admin(), "SELECT database()").await?;
                kill_mysql_sessions(self.admin(), &name).await?
            }
            engine @ Engine::Sqlite => {
                return Err(Error::Unsupported {
                    engine,
                    what: "sessions",
                });
            }
        };
        let gone = async || Ok(self.sessions().await? == 0);
        crate::wait_until("the end of the sessions", Duration::from_secs(10), gone).await?;
        Ok(ended)
    }

    /// How many deadlocks the server has counted: `PostgreSQL` in this database, `MariaDB`
    /// and `MySQL` in all their databases. `PostgreSQL` reports up to ten seconds late.
    ///
    /// # Errors
    /// If the server does not answer, or for `SQLite`, which counts none.
    pub async fn deadlock_count(&self) -> Result<u64, Error> {
        let deadlocks: i64 = match self.engine() {
            Engine::Postgres => {
                let sql =
                    "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
                one(self.admin(), sql).await?
            }
            Engine::MySql => {
                let sql = "SELECT count FROM information_schema.innodb_metrics \
                           WHERE name = 'lock_deadlocks'";
                one(self.admin(), sql).await?
            }
            Engine::MariaDb => {
                let sql = "SELECT CAST(variable_value AS SIGNED) \
                           FROM information_schema.global_status \
                           WHERE variable_name = 'INNODB_DEADLOCKS'";
                one(self.admin(), sql).await?
            }
            engine @ Engine::Sqlite => {
                return Err(Error::Unsupported {
                    engine,
                    what: "count of deadlocks",
                });
            }
        };
        Ok(deadlocks.unsigned_abs())
    }

    /// Nothing tells who holds `SQLite`'s write lock, so the admin tries to take it.
    async fn sqlite_writer(&self) -> Result<usize, Error> {
        let timeout: i64 = one(self.admin(), "PRAGMA busy_timeout").await?;
        self.admin()
            .execute_unprepared("PRAGMA busy_timeout = 0")
            .await?;
        let taken = self
            .admin()
            .execute_unprepared("BEGIN IMMEDIATE; ROLLBACK")
            .await;
        self.admin()
            .execute_unprepared(&format!("PRAGMA busy_timeout = {timeout}"))
            .await?;
        match taken {
            Ok(_) => Ok(0),
            Err(error) if error.to_string().contains("is locked") => Ok(1),
            Err(error) => Err(error.into()),
        }
    }
}

/// Ends every session of a `MariaDB` or `MySQL` database but that of `admin`.
pub(crate) async fn kill_mysql_sessions(
    admin: &DatabaseConnection,
    database: &str,
) -> Result<usize, DbErr> {
    let sql = "SELECT CAST(id AS SIGNED) FROM information_schema.processlist WHERE db = ? AND id <> connection_id()";
    let sessions: Vec<i64> = all(admin, sql, database).await?;
    for id in &sessions {
        // A session may have ended by itself meanwhile.
        let _ = admin.execute_unprepared(&format!("KILL {id}")).await;
    }
    Ok(sessions.len())
}

/// The sessions of this database but that of `admin`.
async fn mysql_sessions(admin: &DatabaseConnection) -> Result<Vec<i64>, DbErr> {
    let sql = "SELECT CAST(id AS SIGNED) FROM information_schema.processlist \
               WHERE db = database() AND id <> connection_id()";
    all(admin, sql, "").await
}

/// A session with an open transaction.
struct Open {
    session: i64,
    /// For a lock.
    waits: bool,
}

/// The sessions with an open transaction, whatever their database.
///
/// The table `innodb_trx` would be easier to read, but it is a copy that is not refreshed while
/// anybody reads it more often than every 0.1 s, as parallel tests do.
async fn innodb_transactions(admin: &DatabaseConnection) -> Result<Vec<Open>, DbErr> {
    let statement =
        Statement::from_string(admin.get_database_backend(), "SHOW ENGINE INNODB STATUS");
    let row = admin.query_one_raw(statement).await?;
    let text: String = row.ok_or_else(no_row)?.try_get("", "Status")?;
    let transactions = text.split("---TRANSACTION ").skip(1);
    let open =
        transactions.filter(|text| !text.lines().next().unwrap_or("").contains("not started"));
    let session = |text: &str| {
        let (_, rest) = text
            .split_once("MariaDB thread id ")
            .or_else(|| text.split_once("MySQL thread id "))?;
        Some(Open {
            session: rest.split(',').next()?.parse().ok()?,
            waits: text.contains("LOCK WAIT "),
        })
    };
    Ok(open.filter_map(session).collect())
}

async fn one<T: TryGetable>(admin: &DatabaseConnection, sql: &str) -> Result<T, DbErr> {
    let statement = Statement::from_string(admin.get_database_backend(), sql);
    admin
        .query_one_raw(statement)
        .await?
        .ok_or_else(no_row)?
        .try_get_by_index(0)
}

async fn all<T: TryGetable>(
    admin: &DatabaseConnection,
    sql: &str,
    value: &str,
) -> Result<Vec<T>, DbErr> {
    let values: Vec<sea_orm::Value> = if value.is_empty() {
        vec![]
    } else {
        vec![value.into()]
    };
    let statement = Statement::from_sql_and_values(admin.get_database_backend(), sql, values);
    let rows = admin.query_all_raw(statement).await?;
    rows.iter()
        .map(|row: &QueryResult| row.try_get_by_index(0))
        .collect()
}

fn no_row() -> DbErr {
    DbErr::RecordNotFound("the server returned no row".to_owned())
}

fn count(rows: i64) -> usize {
    rows.try_into().unwrap_or_default()
}
