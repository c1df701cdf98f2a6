//! Many of everything: calls at once, methods within each other, rows in one scope, listeners to
//! event streams. One test at a time, as memory is the process's.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::missing_errors_doc
)]
// Fifty methods within each other are more than the compiler follows by itself.
#![recursion_limit = "1024"]

mod calls;
mod deep;
mod large;
mod streams;

use std::alloc::System;

use cap::Cap;
use resilient_sea_orm::{ResilientConnection, Result};
use sea_orm::{ConnectOptions, ConnectionTrait, Statement};
use support::{Engine, TestDb, TestResult, unique_name};
use tokio::sync::{Mutex, MutexGuard};

/// Counts what is allocated and not freed.
#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

static TURN: Mutex<()> = Mutex::const_new(());

/// A database with an empty table, and the only test that runs.
#[derive(Debug)]
pub struct Stand {
    pub db: ResilientConnection,
    pub test: TestDb,
    _turn: MutexGuard<'static, ()>,
}

impl Stand {
    async fn open(engine: Engine, options: impl FnOnce(&mut ConnectOptions)) -> TestResult<Self> {
        let turn = TURN.lock().await;
        let test = TestDb::new(engine).await?;
        let mut connect = ConnectOptions::new(test.url());
        connect.sqlx_logging(false);
        options(&mut connect);
        let builder = ResilientConnection::builder(connect).name(unique_name());
        let db = builder.connect().await?;
        let sql = "CREATE TABLE entry (id INTEGER PRIMARY KEY, note VARCHAR(200) NOT NULL)";
        db.execute_unprepared(sql).await?;
        Ok(Self {
            db,
            test,
            _turn: turn,
        })
    }

    pub async fn entries(&self) -> TestResult<i64> {
        let sql = "SELECT COUNT(*) AS n FROM entry";
        let statement = Statement::from_string(self.db.get_database_backend(), sql);
        let row = self.db.query_one_raw(statement).await?.ok_or("no row")?;
        Ok(row.try_get("", "n")?)
    }
}

/// Enters one row.
pub async fn enter(db: &ResilientConnection, id: i64) -> Result<()> {
    let sql = format!("INSERT INTO entry VALUES ({id}, 'row {id}')");
    db.execute_unprepared(&sql).await?;
    Ok(())
}
