//! A transaction that reads a row and changes it: sqlx and SeaORM by hand, and ours by the
//! attribute.
//!
//! Instructions are those of the thread that calls: with SQLite the engine works on another one.

use resilient_benches::{Case, Result, Subject};
use resilient_sea_orm::{ResilientConnection, resilient};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, IsolationLevel, Statement, TransactionTrait};

use crate::bank::{Bank, Engine};

const READ: &str = "SELECT cents FROM account WHERE id = $1";
const WRITE: &str = "UPDATE account SET cents = cents + 1 WHERE id = $1";
/// So many calls are counted.
const CALLS: u32 = 100;

/// The rows of both engines.
pub(super) fn cases() -> Vec<Case> {
    const SQLITE: &str = "database-sqlite";
    const POSTGRES: &str = "database-postgres";
    let cases = [
        Case::new(SQLITE, "sea-orm", || sea_orm(Engine::Sqlite)),
        Case::new(SQLITE, "sqlx", sqlx_on_sqlite),
        Case::new(SQLITE, "resilient", || resilient(Engine::Sqlite)),
        Case::new(POSTGRES, "sea-orm", || sea_orm(Engine::Postgres)),
        Case::new(POSTGRES, "sqlx", sqlx_on_postgres),
        Case::new(POSTGRES, "resilient", || resilient(Engine::Postgres)),
        Case::new(POSTGRES, "sea-orm-isolation", sea_orm_isolation),
        Case::new(POSTGRES, "resilient-isolation", resilient_isolation),
    ];
    let beside = |case: Case| match case.name {
        "resilient-isolation" => case.beside("sea-orm-isolation"),
        _ => case.beside("sea-orm"),
    };
    cases.map(|case| beside(case).calls(CALLS)).into()
}

/// Reads an account and changes it.
///
/// # Errors
/// Those of the statements.
pub async fn change(connection: &impl ConnectionTrait) -> std::result::Result<i64, DbErr> {
    let cents = read(connection).await?;
    connection
        .execute_raw(of_account(connection, WRITE))
        .await?;
    Ok(cents)
}

/// Reads the account that there is.
///
/// # Errors
/// Those of the statement.
pub async fn read(connection: &impl ConnectionTrait) -> std::result::Result<i64, DbErr> {
    let row = connection
        .query_one_raw(of_account(connection, READ))
        .await?;
    let row = row.ok_or_else(|| DbErr::RecordNotFound("account 1".to_owned()))?;
    row.try_get_by_index(0)
}

fn of_account(connection: &impl ConnectionTrait, sql: &str) -> Statement {
    let backend = connection.get_database_backend();
    let sql = match backend {
        DbBackend::MySql => sql.replace("$1", "?"),
        _ => sql.to_owned(),
    };
    Statement::from_sql_and_values(backend, sql, [1.into()])
}

fn sea_orm(engine: Engine) -> Result<Box<dyn Subject>> {
    let bank = Bank::open(engine)?;
    let connection = bank.connection.clone();
    Ok(bank.calls(connection, |connection| async move {
        let transaction = connection.begin().await?;
        let cents = change(&transaction).await?;
        transaction.commit().await?;
        Ok::<_, DbErr>(cents)
    }))
}

fn sea_orm_isolation() -> Result<Box<dyn Subject>> {
    let bank = Bank::open(Engine::Postgres)?;
    let connection = bank.connection.clone();
    Ok(bank.calls(connection, |connection| async move {
        let level = Some(IsolationLevel::Serializable);
        let transaction = connection.begin_with_config(level, None).await?;
        let cents = change(&transaction).await?;
        transaction.commit().await?;
        Ok::<_, DbErr>(cents)
    }))
}

#[derive(Clone)]
struct Accounts {
    db: ResilientConnection,
}

impl Accounts {
    #[resilient]
    async fn change(&self) -> resilient_sea_orm::Result<i64> {
        Ok(change(&self.db).await?)
    }

    #[resilient(isolation = "serializable")]
    async fn change_isolated(&self) -> resilient_sea_orm::Result<i64> {
        Ok(change(&self.db).await?)
    }
}

/// Connected as users do, by the same options.
fn accounts(bank: &Bank) -> Result<Accounts> {
    let connect = ResilientConnection::connect(bank.options.clone());
    Ok(Accounts {
        db: bank.runner.block_on(connect)?,
    })
}

fn resilient(engine: Engine) -> Result<Box<dyn Subject>> {
    let bank = Bank::open(engine)?;
    let accounts = accounts(&bank)?;
    Ok(bank.calls(accounts, |accounts| async move { accounts.change().await }))
}

fn resilient_isolation() -> Result<Box<dyn Subject>> {
    let bank = Bank::open(Engine::Postgres)?;
    let accounts = accounts(&bank)?;
    Ok(bank.calls(accounts, |accounts| async move {
        accounts.change_isolated().await
    }))
}

fn sqlx_on_sqlite() -> Result<Box<dyn Subject>> {
    let bank = Bank::open(Engine::Sqlite)?;
    let pool = bank.connection.get_sqlite_connection_pool().clone();
    Ok(bank.calls(pool, |pool| async move {
        let mut transaction = pool.begin().await?;
        let cents: i64 = sqlx::query_scalar(READ)
            .bind(1)
            .fetch_one(&mut *transaction)
            .await?;
        sqlx::query(WRITE)
            .bind(1)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok::<_, sqlx::Error>(cents)
    }))
}

fn sqlx_on_postgres() -> Result<Box<dyn Subject>> {
    let bank = Bank::open(Engine::Postgres)?;
    let pool = bank.connection.get_postgres_connection_pool().clone();
    Ok(bank.calls(pool, |pool| async move {
        let mut transaction = pool.begin().await?;
        let cents: i64 = sqlx::query_scalar(READ)
            .bind(1)
            .fetch_one(&mut *transaction)
            .await?;
        sqlx::query(WRITE)
            .bind(1)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok::<_, sqlx::Error>(cents)
    }))
}
