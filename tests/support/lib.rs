//! Real databases for tests and benches.
//!
//! [`TestDb::new`] gives a test a database of its own on `SQLite` or on a `PostgreSQL` or `MariaDB`
//! server that the harness starts privately: on a free port, in a temporary folder, as an ordinary
//! user even when the tests run as root. One server serves all tests of a process, or of a whole
//! run below `with-servers`. A test that kills or stops its server starts one with
//! [`Server::start_private`].
//!
//! Servers end with the process that started them, also when it panics or is killed: the kernel
//! ends them by `setpriv --pdeathsig`, and a shell that waits for the end of the process removes
//! its folder.
//!
//! An engine that is missing is an error, never a skipped test. Who wants to leave an engine out
//! says so by [`ENGINES_VARIABLE`]; see [`engine_tests!`] for how tests are named to go with it.

mod browser;
pub mod cluster;
mod cut_proxy;
mod error;
mod flags;
mod locate;
mod mysql;
mod observe;
mod port;
pub mod process;
mod proxy;
mod run_dir;
mod server;
mod shared;
mod template;
mod test_db;

use std::time::{Duration, Instant};

use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbErr};

pub use browser::{browser_arguments, webdriver};
pub use cut_proxy::{Cut, CutProxy};
pub use error::Error;
pub use locate::{Engine, Missing};
pub use mysql::CACHE_VARIABLE;
pub use proxy::{Boundary, Direction, Ending, Fault, Flight, Hit, Plan, Proxy, Side, is_commit};
pub use server::Server;
pub use shared::{
    ENGINES_VARIABLE, MARIADB_VARIABLE, MYSQL_VARIABLE, POSTGRES_VARIABLE, Shared, TestRun,
    engines, mariadb, mysql, postgres,
};
pub use test_db::TestDb;

/// What a test returns, so that it can use `?` on any error.
pub type TestResult<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Connects to a database with a pool of up to so many connections. It gives up after three
/// seconds, both at first and when all connections are in use, as tests take servers down.
///
/// # Errors
/// If the database does not answer.
pub async fn connect(url: &str, connections: u32) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(url);
    let limit = Duration::from_secs(3);
    options
        .max_connections(connections)
        .connect_timeout(limit)
        .acquire_timeout(limit);
    options.sqlx_logging(false);
    Database::connect(options).await
}

/// A connection name of one test alone, so that its counters are its own.
pub fn unique_name() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("bank-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Waits until a condition holds, asking every few milliseconds.
///
/// # Errors
/// The condition's own, or [`Error::Timeout`] if it does not hold within `limit`.
pub async fn wait_until<F>(what: &str, limit: Duration, mut condition: F) -> Result<(), Error>
where
    F: AsyncFnMut() -> Result<bool, Error>,
{
    let start = Instant::now();
    while !condition().await? {
        if start.elapsed() > limit {
            return Err(Error::Timeout {
                what: what.to_owned(),
                seconds: limit.as_secs(),
            });
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// Makes a test per engine out of an `async fn(Engine) -> TestResult`.
///
/// The tests of `async fn moves_money` are named `moves_money::on_sqlite`,
/// `moves_money::on_postgres` and `moves_money::on_mariadb`. A run that leaves out an engine skips
/// by these names, so they are reported as filtered out and not as passed. A test for one engine
/// only that does not use this macro must have `on_postgres`, `on_mariadb`, `on_sqlite` or
/// `on_mysql` in its name for the same reason.
///
/// `MySQL` is not among the engines of a test unless it says `on_mysql`, and only with the feature
/// `mysql` of this package: the server is downloaded, and takes seconds to start.
///
/// ```
/// use support::{Engine, TestDb, TestResult, engine_tests};
///
/// async fn connects(engine: Engine) -> TestResult {
///     TestDb::new(engine).await?.admin().ping().await?;
///     Ok(())
/// }
///
/// async fn counts_sessions(engine: Engine) -> TestResult {
///     assert_eq!(TestDb::new(engine).await?.sessions().await?, 0);
///     Ok(())
/// }
///
/// engine_tests! { connects }
/// engine_tests! { on_postgres on_mariadb: counts_sessions }
/// ```
#[macro_export]
macro_rules! engine_tests {
    ($($test:ident),+ $(,)?) => {
        $crate::engine_tests! { on_sqlite on_postgres on_mariadb: $($test),+ }
    };
    ($($engine:ident)+ : $($test:ident),+ $(,)?) => {
        $crate::engine_tests! { @tests ($($engine)+) $($test)+ }
    };
    (@tests $engines:tt $($test:ident)+) => {
        $(
            #[cfg(test)]
            mod $test {
                $crate::engine_tests! { @engines $engines $test }
            }
        )+
    };
    (@engines ($($engine:ident)+) $test:ident) => {
        $( $crate::engine_tests! { @one $engine $test } )+
    };
    (@one on_sqlite $test:ident) => { $crate::engine_tests! { @test on_sqlite Sqlite $test } };
    (@one on_postgres $test:ident) => { $crate::engine_tests! { @test on_postgres Postgres $test } };
    (@one on_mysql $test:ident) => {
        #[cfg(feature = "mysql")]
        $crate::engine_tests! { @test on_mysql MySql $test }
    };
    (@one on_mariadb $test:ident) => { $crate::engine_tests! { @test on_mariadb MariaDb $test } };
    (@test $name:ident $engine:ident $test:ident) => {
        #[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() -> $crate::TestResult {
            super::$test($crate::Engine::$engine).await
        }
    };
}
