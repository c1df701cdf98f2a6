//! A pooler between the pool and the server, which gives its sessions to others between
//! transactions.

use resilient_sea_orm::{
    FaultKind, ResilientConnection, Result, TransactOptions, policy::RetryPolicy,
};
use sea_orm::ConnectionTrait;
use support::{
    Engine, Server, TestResult,
    cluster::{PgBouncer, Pooling},
    connect,
};

use crate::bank;

/// A server with a bank, and a pooler of two sessions before it.
struct Site {
    server: Server,
    pooler: PgBouncer,
}

impl Site {
    async fn new(pooling: Pooling) -> TestResult<Self> {
        let server = Server::start_private(Engine::Postgres, &[])?;
        bank::database(&server, "bank").await?;
        let pooler = PgBouncer::before(&server, pooling, &[])?;
        let admin = connect(&server.url("bank"), 1).await?;
        bank::tables(&admin).await?;
        admin.close().await?;
        Ok(Self { server, pooler })
    }

    /// Customers of several processes: each with a pool of its own.
    async fn customers(&self, parameter: &str) -> TestResult<Vec<ResilientConnection>> {
        let url = format!("{}{parameter}", self.pooler.url("bank"));
        let mut all = Vec::new();
        for _ in 0..3 {
            let db = bank::open(&url, 2, RetryPolicy::new()).await?;
            db.ensure_marker_table().await?;
            all.push(db);
        }
        Ok(all)
    }

    async fn load(&self, parameter: &str) -> TestResult {
        let dbs = self.customers(parameter).await?;
        let load = bank::Load::start(&dbs.iter().collect::<Vec<_>>(), 6);
        load.work().await?;
        let tally = load.stop().await?;
        println!("{} transfers{parameter}", tally.ok.len());
        let admin = connect(&self.server.url("bank"), 1).await?;
        bank::audit(&admin, &tally).await?;
        admin.close().await?;
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_are_kept_in_session_mode_on_postgres() -> TestResult {
    // Each client has a session of its own, so there must be enough of them.
    let server = Server::start_private(Engine::Postgres, &[])?;
    bank::database(&server, "bank").await?;
    let pooler = PgBouncer::before(&server, Pooling::Session, &["default_pool_size = 20"])?;
    let admin = connect(&server.url("bank"), 1).await?;
    bank::tables(&admin).await?;
    admin.close().await?;
    Site { server, pooler }.load("").await
}

/// Without named statements a transaction needs nothing that the session would have to remember.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transactions_run_in_transaction_mode_without_named_statements_on_postgres() -> TestResult {
    let site = Site::new(Pooling::Transaction).await?;
    site.load("&statement-cache-capacity=0").await?;
    let admin = connect(&site.server.url("bank"), 1).await?;
    assert_eq!(open_transactions(&admin).await?, 0);
    admin.close().await?;
    Ok(())
}

/// A session that somebody else has used does not have the names that were left in it. A retry
/// heals that, and without one the error says what to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_are_gone_are_told_what_to_do_on_postgres() -> TestResult {
    let server = Server::start_private(Engine::Postgres, &[])?;
    bank::database(&server, "bank").await?;
    let one = ["default_pool_size = 1"];
    let pooler = PgBouncer::before(&server, Pooling::Transaction, &one)?;
    let url = pooler.url("bank");
    let db = bank::open(&url, 1, RetryPolicy::new()).await?;
    bank::tables(&db).await?;
    let read = async |retries| {
        let options = TransactOptions::new().retries(retries);
        let result: Result<usize> = db
            .transact(options, || async {
                let sql = "SELECT id FROM account WHERE id = $1";
                let rows = db.query_all_raw(bank::statement(&db, sql, [1]));
                Ok(rows.await?.len())
            })
            .await;
        result
    };
    let other = connect(&url, 1).await?;
    assert_eq!(read(0).await?, 1);
    other.execute_unprepared("DEALLOCATE ALL").await?;
    let error = read(0).await.expect_err("the name is gone");
    assert_eq!(error.kind(), FaultKind::StalePlan, "{error}");
    let text = error.to_string();
    assert!(text.contains("PgBouncer 1.21"), "{text}");
    assert!(text.contains("statement-cache-capacity=0"), "{text}");
    assert_eq!(read(0).await?, 1, "on another connection");
    other.execute_unprepared("DEALLOCATE ALL").await?;
    assert_eq!(read(1).await?, 1);
    other.close().await?;
    Ok(())
}

async fn open_transactions(admin: &sea_orm::DatabaseConnection) -> TestResult<usize> {
    let sql = "SELECT pid FROM pg_stat_activity WHERE datname = 'bank' AND pid <> pg_backend_pid() \
               AND xact_start IS NOT NULL";
    let rows = admin.query_all_raw(bank::statement(admin, sql, [])).await?;
    Ok(rows.len())
}
