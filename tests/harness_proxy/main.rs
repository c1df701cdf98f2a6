//! Tests of the harness: the proxy that cuts.

mod commits;
mod messages;
mod servers;

use std::{io::ErrorKind, time::Duration};

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbErr, RuntimeErr, Statement, TransactionTrait,
    sqlx::Error as SqlxError,
};
use support::{Engine, Proxy, TestDb, TestResult, connect, wait_until};

const LIMIT: Duration = Duration::from_secs(20);
/// How long silence is listened to.
const SILENCE: Duration = Duration::from_millis(300);

struct Lab {
    test: TestDb,
    proxy: Proxy,
}

impl Lab {
    async fn new(engine: Engine) -> TestResult<Self> {
        Self::on(TestDb::new(engine).await?).await
    }

    async fn on(test: TestDb) -> TestResult<Self> {
        let create = "CREATE TABLE t (a INT PRIMARY KEY)";
        test.admin().execute_unprepared(create).await?;
        let proxy = Proxy::before(&test).await?;
        Ok(Self { test, proxy })
    }

    /// One connection through the proxy.
    async fn client(&self) -> TestResult<DatabaseConnection> {
        Ok(connect(self.proxy.url(), 1).await?)
    }

    /// How many rows there are once no session is left that could change it.
    async fn rows_at_the_end(&self) -> TestResult<usize> {
        wait_until("the end of the sessions", LIMIT, async || {
            Ok(self.test.sessions().await? == 0)
        })
        .await?;
        Ok(self.test.rows("t").await?)
    }
}

async fn insert(client: &DatabaseConnection, id: i32) -> Result<(), DbErr> {
    let transaction = client.begin().await?;
    let sql = format!("INSERT INTO t VALUES ({id})");
    transaction.execute_unprepared(&sql).await?;
    transaction.commit().await
}

/// How the client's connection failed.
fn kind(error: &DbErr) -> Option<ErrorKind> {
    let (DbErr::Conn(RuntimeErr::SqlxError(error))
    | DbErr::Exec(RuntimeErr::SqlxError(error))
    | DbErr::Query(RuntimeErr::SqlxError(error))) = error
    else {
        return None;
    };
    match &**error {
        SqlxError::Io(error) => Some(error.kind()),
        _ => None,
    }
}

fn prepared(client: &DatabaseConnection, sql: &str) -> Statement {
    Statement::from_string(client.get_database_backend(), sql)
}
