//! Tests of the harness: databases.

use std::time::Duration;

use sea_orm::{ConnectionTrait, Statement, TransactionTrait};
use support::{
    Engine, Error, Missing, Server, TestDb, TestResult, connect, engine_tests, wait_until,
};

const LIMIT: Duration = Duration::from_secs(10);

engine_tests! { on_sqlite on_postgres on_mariadb on_mysql:
    gives_each_test_its_own_database, sees_open_transactions
}
engine_tests! { on_postgres on_mariadb on_mysql: terminates_sessions, drops_the_database_at_the_end }

async fn gives_each_test_its_own_database(engine: Engine) -> TestResult {
    let (first, second) = (TestDb::new(engine).await?, TestDb::new(engine).await?);
    first
        .admin()
        .execute_unprepared("CREATE TABLE t (a INT)")
        .await?;
    second
        .admin()
        .execute_unprepared("CREATE TABLE t (a INT)")
        .await?;
    first
        .connect(1)
        .await?
        .execute_unprepared("INSERT INTO t VALUES (1)")
        .await?;
    assert_eq!(first.rows("t").await?, 1);
    assert_eq!(second.rows("t").await?, 0);
    Ok(())
}

async fn sees_open_transactions(engine: Engine) -> TestResult {
    let db = TestDb::new(engine).await?;
    db.admin()
        .execute_unprepared("CREATE TABLE t (a INT)")
        .await?;
    let client = db.connect(2).await?;
    let none = async || Ok(db.open_transactions().await? == 0);
    for _ in 0..5 {
        wait_until("no transaction", LIMIT, none).await?;
        let transaction = client.begin().await?;
        transaction
            .execute_unprepared("INSERT INTO t VALUES (1)")
            .await?;
        assert_eq!(db.open_transactions().await?, 1);
        transaction.commit().await?;
        assert_eq!(db.open_transactions().await?, 0);
    }
    Ok(())
}

#[tokio::test]
async fn sqlite_in_memory_is_shared_and_separate_on_sqlite() -> TestResult {
    let (first, second) = (
        TestDb::sqlite_memory().await?,
        TestDb::sqlite_memory().await?,
    );
    first
        .admin()
        .execute_unprepared("CREATE TABLE t (a INT)")
        .await?;
    assert_eq!(
        first
            .connect(1)
            .await?
            .execute_unprepared("DELETE FROM t")
            .await?
            .rows_affected(),
        0
    );
    assert!(second.rows("t").await.is_err());
    assert!(matches!(
        second.open_transactions().await,
        Err(Error::Unsupported { .. })
    ));
    Ok(())
}

#[tokio::test]
async fn sqlite_files_use_a_write_ahead_log_on_sqlite() -> TestResult {
    let db = TestDb::new(Engine::Sqlite).await?;
    let client = db.connect(2).await?;
    let statement = Statement::from_string(client.get_database_backend(), "PRAGMA journal_mode");
    let row = client.query_one_raw(statement).await?.ok_or("no row")?;
    assert_eq!(row.try_get_by_index::<String>(0)?, "wal");
    Ok(())
}

#[tokio::test]
async fn sqlite_has_no_sessions_on_sqlite() -> TestResult {
    let db = TestDb::new(Engine::Sqlite).await?;
    assert!(matches!(
        db.sessions().await,
        Err(Error::Unsupported { .. })
    ));
    assert!(matches!(
        Server::start_private(Engine::Sqlite, &[]),
        Err(Error::Unsupported { .. })
    ));
    Ok(())
}

async fn terminates_sessions(engine: Engine) -> TestResult {
    let (db, other) = (TestDb::new(engine).await?, TestDb::new(engine).await?);
    let (client, bystander) = (db.connect(2).await?, other.connect(1).await?);
    let transaction = client.begin().await?;
    assert_eq!(db.sessions().await?, 1);
    assert_eq!(db.terminate_sessions().await?, 1);
    assert!(transaction.execute_unprepared("SELECT 1").await.is_err());
    drop(transaction);
    assert_eq!(other.sessions().await?, 1);
    bystander.ping().await?;
    Ok(())
}

async fn drops_the_database_at_the_end(engine: Engine) -> TestResult {
    let db = TestDb::new(engine).await?;
    db.admin()
        .execute_unprepared("CREATE TABLE t (a INT)")
        .await?;
    let client = db.connect(2).await?;
    let transaction = client.begin().await?;
    transaction
        .execute_unprepared("INSERT INTO t VALUES (1)")
        .await?;
    let url = db.url().to_owned();
    drop(db);
    let error = connect(&url, 1)
        .await
        .map(drop)
        .expect_err("the database is gone")
        .to_string();
    assert!(
        error.contains("does not exist") || error.contains("Unknown database"),
        "{error}"
    );
    Ok(())
}

#[test]
fn a_missing_engine_names_its_package() {
    let missing = Missing {
        engine: Engine::MariaDb,
        program: "mariadbd",
        package: "mariadb-server",
    };
    assert!(
        Error::from(missing)
            .to_string()
            .ends_with("apt-get install mariadb-server")
    );
}

#[tokio::test]
async fn an_engine_left_out_is_an_error() -> TestResult {
    for engine in Engine::ALL {
        if !support::engines()?.contains(&engine) {
            assert!(matches!(
                TestDb::new(engine).await,
                Err(Error::NotSelected(_))
            ));
        }
    }
    Ok(())
}
