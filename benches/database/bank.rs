//! The databases that are measured, without the tests' harness: it comes with features of ours that
//! calls which are timed must not have.

use std::{future::Future, sync::Arc};

use resilient_benches::{Calls, Result, Runner, Subject};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr};
use tempfile::TempDir;

const POOL: u32 = 4;

/// Where it is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// A database with one account, and a way to call it.
pub(crate) struct Bank {
    pub(crate) runner: Runner,
    pub(crate) options: ConnectOptions,
    pub(crate) connection: DatabaseConnection,
    /// Where its file is, for as long as it is called.
    folder: Option<Arc<TempDir>>,
}

impl Bank {
    pub(crate) fn open(engine: Engine) -> Result<Self> {
        let runner = Runner::waiting()?;
        let (url, folder) = match engine {
            Engine::Sqlite => {
                let folder = tempfile::tempdir()?;
                let file = folder.path().join("bank.db");
                (
                    format!("sqlite://{}?mode=rwc", file.display()),
                    Some(Arc::new(folder)),
                )
            }
            Engine::Postgres => (server()?, None),
        };
        let mut options = ConnectOptions::new(url);
        options.max_connections(POOL).sqlx_logging(false);
        let connection = runner.block_on(async {
            let connection = Database::connect(options.clone()).await?;
            for sql in [
                "CREATE TABLE IF NOT EXISTS account (id INTEGER PRIMARY KEY, cents BIGINT NOT NULL)",
                "DELETE FROM account",
                "INSERT INTO account VALUES (1, 0)",
            ] {
                connection.execute_unprepared(sql).await?;
            }
            Ok::<_, DbErr>(connection)
        })?;
        Ok(Self {
            runner,
            options,
            connection,
            folder,
        })
    }

    /// Calls that fail end the measurement.
    pub(crate) fn calls<T, F, E>(self, with: T, call: fn(T) -> F) -> Box<dyn Subject>
    where
        T: Clone + 'static,
        F: Future<Output = std::result::Result<i64, E>> + 'static,
        E: std::fmt::Display,
    {
        let folder = self.folder;
        Calls::boxed(self.runner, move || {
            let (folder, call) = (folder.clone(), call(with.clone()));
            async move {
                let result = call.await;
                drop(folder);
                match result {
                    Ok(cents) => cents,
                    Err(error) => panic!("a call failed: {error}"),
                }
            }
        })
    }
}

fn server() -> Result<String> {
    const VARIABLE: &str = "RESILIENT_TEST_POSTGRES_URL";
    let missing =
        |_| format!("{VARIABLE} is not set: start this by `cargo xtask bench database`").into();
    std::env::var(VARIABLE).map_err(missing)
}
