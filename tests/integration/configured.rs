//! What a configuration promises about the pool, on real engines.

use std::time::{Duration, Instant};

use resilient_sea_orm::{
    Builder, Config, Result,
    config::{Environment, PoolConfig},
    prelude::*,
};
use sea_orm::{
    AccessMode, ConnectOptions, ConnectionTrait, DbBackend, Statement, TransactionTrait,
};
use support::{Engine, TestDb, TestResult, engine_tests, wait_until};

use crate::{
    bank::{number, unique_name},
    rig::PATIENCE,
};

/// A connection as the variables say, as an application would make it.
async fn connected(test: &TestDb, variables: &[(&str, &str)]) -> Result<ResilientConnection> {
    let url = ("TEST_DATABASE_URL", test.url());
    let environment = Environment::of(variables.iter().copied().chain([url])).prefix("TEST_");
    Builder::from_environment(&environment)?
        .name(unique_name())
        .connect()
        .await
}

async fn hold(db: &ResilientConnection) -> Result<resilient_sea_orm::ResilientTransaction> {
    let slot = db
        .begin_with_config(None, Some(AccessMode::ReadOnly))
        .await?;
    slot.execute_unprepared("SELECT 1").await?;
    Ok(slot)
}

async fn the_pool_has_its_size_and_overflow_and_no_more(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let db = connected(
        &test,
        &[
            ("TEST_DB_POOL_SIZE", "2"),
            ("TEST_DB_MAX_OVERFLOW", "1"),
            ("TEST_DB_POOL_TIMEOUT", "1500ms"),
            ("TEST_DB_MAX_RETRIES", "0"),
        ],
    )
    .await?;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(hold(&db).await?);
    }
    let start = Instant::now();
    let error = hold(&db).await.unwrap_err();
    assert_eq!(error.kind(), FaultKind::PoolTimeout, "{error}");
    let said = error.to_string();
    assert!(said.contains("3 of 3 in use"), "{said}");
    assert!(start.elapsed() >= Duration::from_millis(1400));
    for slot in held {
        slot.rollback().await?;
    }
    assert_eq!(db.config().pool.size, 2);
    assert_eq!(db.config().retry.max_retries, 0);
    Ok(())
}

async fn a_slow_statement_is_ended(engine: Engine) -> TestResult {
    let slow = match engine {
        Engine::Postgres => "SELECT pg_sleep(600)",
        Engine::MariaDb | Engine::MySql => "SELECT SLEEP(600)",
        Engine::Sqlite => {
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000000) \
             SELECT SUM(i) FROM n"
        }
    };
    let test = TestDb::new(engine).await?;
    let db = connected(&test, &[("TEST_DB_COMMAND_TIMEOUT", "0.4")]).await?;
    let start = Instant::now();
    let outside = Error::from(db.execute_unprepared(slow).await.unwrap_err());
    let options = TransactOptions::new().retries(0);
    let inside = db
        .transact(options, || async {
            db.execute_unprepared(slow).await?;
            Ok::<_, Error>(())
        })
        .await
        .unwrap_err();
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
    for error in [outside, inside] {
        let expected = match engine {
            // Nobody but us can end it.
            Engine::Sqlite => FaultKind::ConnectionLost,
            // The server's own, so the connection is not lost.
            _ => FaultKind::StatementTimeout,
        };
        assert_eq!(error.kind(), expected, "{error}");
    }
    let discarded = resilient_sea_orm::metrics::global()
        .snapshot()
        .connection(db.name())
        .discarded;
    if engine != Engine::Sqlite {
        assert_eq!(discarded, 0);
    }
    hold(&db).await?.rollback().await?;
    Ok(())
}

/// A number that no other connection has.
async fn mark(db: &ResilientConnection, engine: Engine) -> Result<i64, sea_orm::DbErr> {
    Ok(match engine {
        Engine::Postgres => number(db, "SELECT CAST(pg_backend_pid() AS CHAR(9)) AS n").await,
        Engine::MariaDb | Engine::MySql => {
            number(db, "SELECT CAST(CONNECTION_ID() AS CHAR) AS n").await
        }
        // Temporary tables are a connection's own; in a transaction, which is not moved to
        // another one half-way.
        Engine::Sqlite => {
            let options = TransactOptions::new();
            let read = || async {
                db.execute_unprepared(
                    "CREATE TEMP TABLE IF NOT EXISTS mark AS SELECT RANDOM() AS r",
                )
                .await?;
                let sql = "SELECT r FROM mark";
                let row = db.query_one_raw(Statement::from_string(DbBackend::Sqlite, sql));
                let row = row.await?.ok_or_else(|| Error::custom("no row"))?;
                Ok::<i64, Error>(row.try_get_by_index(0)?)
            };
            db.transact(options, read).await?
        }
    })
}

async fn a_connection_that_is_too_old_is_replaced(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    for (variable, replaced) in [
        ("TEST_DB_POOL_RECYCLE", true),
        ("TEST_DB_MAX_CONNECTION_AGE", true),
        ("TEST_DB_SESSION_TIMEOUT", false),
    ] {
        let db = connected(
            &test,
            &[
                (variable, "1"),
                ("TEST_DB_POOL_SIZE", "1"),
                ("TEST_DB_MAX_OVERFLOW", "0"),
            ],
        )
        .await?;
        let first = mark(&db, engine).await?;
        if replaced {
            let other = async || Ok(mark(&db, engine).await? != first);
            wait_until("another connection", PATIENCE, other).await?;
        } else {
            tokio::time::sleep(Duration::from_millis(1500)).await;
            assert_eq!(mark(&db, engine).await?, first);
        }
    }
    Ok(())
}

async fn options_of_ones_own_have_the_last_word(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let mut options = ConnectOptions::new(test.url());
    options
        .max_connections(1)
        .acquire_timeout(Duration::from_millis(1200));
    let db = ResilientConnection::builder(options)
        .config(&Config::high_latency())
        .name(unique_name())
        .connect()
        .await?;
    let held = hold(&db).await?;
    let error = hold(&db).await.unwrap_err();
    assert!(error.to_string().contains("1 of 1 in use"), "{error}");
    held.rollback().await?;
    // A pool that exists keeps its settings too.
    let again = ResilientConnection::builder(db.as_sea_orm().clone())
        .config(&Config::local())
        .connect()
        .await?;
    assert_eq!(again.config(), &Config::local());
    assert_eq!(db.config(), &Config::high_latency());
    Ok(())
}

async fn what_cannot_be_used_is_said_before_anything_is_opened(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let error = connected(
        &test,
        &[("TEST_DB_POOL_SIZE", "0"), ("TEST_DB_MAX_RETRIES", "-1")],
    )
    .await
    .unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains("TEST_DB_POOL_SIZE") && said.contains("TEST_DB_MAX_RETRIES"),
        "{said}"
    );
    assert_eq!(error.outcome(), Outcome::NotSent);
    let pool = PoolConfig::default().with_size(0);
    for builder in [
        ResilientConnection::builder(test.url()),
        ResilientConnection::builder(test.admin().clone()),
    ] {
        let config = Config::default().with_pool(pool.clone());
        let error = builder.config(&config).connect().await.unwrap_err();
        assert!(error.to_string().contains("pool.size is \"0\""), "{error}");
    }
    Ok(())
}

engine_tests! {
    the_pool_has_its_size_and_overflow_and_no_more,
    a_slow_statement_is_ended,
    a_connection_that_is_too_old_is_replaced,
    options_of_ones_own_have_the_last_word,
    what_cannot_be_used_is_said_before_anything_is_opened,
}

#[tokio::test]
async fn a_database_in_memory_is_not_lost_to_a_limit_of_age_on_sqlite() -> TestResult {
    let mut config = Config::local();
    config.pool.recycle = Duration::from_millis(50);
    config.health.max_idle_time = Duration::from_millis(50);
    let db = ResilientConnection::builder("sqlite::memory:")
        .config(&config)
        .connect()
        .await?;
    db.execute_unprepared("CREATE TABLE kept (id INTEGER)")
        .await?;
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(60)).await;
        db.execute_unprepared("INSERT INTO kept VALUES (1)").await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_server_that_lets_nobody_in_is_given_up_after_the_connect_timeout() -> TestResult {
    // It accepts connections and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let port = silent.local_addr()?.port();
    for scheme in ["postgres", "mysql"] {
        let url = format!("{scheme}://nobody@127.0.0.1:{port}/nothing");
        let pool = PoolConfig::default().with_connect_timeout(Duration::from_millis(200));
        let start = Instant::now();
        let error = ResilientConnection::builder(url)
            .config(&Config::default().with_pool(pool))
            .connect()
            .await
            .unwrap_err();
        assert!(start.elapsed() < Duration::from_secs(10));
        assert_eq!(error.kind(), FaultKind::ServerUnavailable, "{error}");
        assert!(error.to_string().contains("DB_CONNECT_TIMEOUT"), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn without_a_target_the_way_to_name_one_is_said() {
    let error = Builder::from_environment(&Environment::default())
        .expect("no variable is needed")
        .connect()
        .await
        .unwrap_err();
    assert!(error.to_string().contains("DATABASE_URL"), "{error}");
}
