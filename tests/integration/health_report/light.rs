//! What the light and the cached form cost.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
    time::Duration,
};

use futures_util::future::join_all;
use resilient_sea_orm::{HealthSettings, OverallStatus, ResilientConnection};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use support::{Engine, Server, TestDb, TestResult, engine_tests};

use crate::{
    health::{fill, open, settings},
    rig::PATIENCE,
};

/// Answers are good for longer than a test takes.
fn cached() -> HealthSettings {
    HealthSettings {
        cache_duration: Duration::from_hours(1),
        ..settings()
    }
}

/// Statements that the framework sent on the pool.
fn sent(db: &ResilientConnection) -> u64 {
    db.connections().iter().map(|c| c.statements).sum()
}

async fn a_summary_sends_one_statement_and_then_none(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let db = open(&test, 2, PATIENCE, cached()).await;
    fill(&db, 2).await;
    let before = (sent(&db), db.performance().statements.last_day.count);
    let first = db.health_summary().await;
    assert_eq!(first.status, OverallStatus::Healthy, "{first:?}");
    assert!(!first.check_from_cache);
    assert_eq!(sent(&db), before.0 + 1);
    for _ in 0..5 {
        let next = db.health_summary().await;
        assert!(next.check_from_cache, "{next:?}");
        assert!(next.at_unix_ms >= first.at_unix_ms);
    }
    assert_eq!(sent(&db), before.0 + 1);
    // Nor by the way of statements of users.
    assert_eq!(db.performance().statements.last_day.count, before.1);
    Ok(())
}

async fn selects(admin: &DatabaseConnection) -> TestResult<u64> {
    let sql = "SHOW GLOBAL STATUS LIKE 'Com_select'";
    let row = admin
        .query_one_raw(Statement::from_string(DbBackend::MySql, sql))
        .await?;
    let value: String = row.ok_or("a counter")?.try_get("", "Value")?;
    Ok(value.parse()?)
}

/// The server's own count.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_summary_is_one_select_by_the_servers_count_on_mariadb() -> TestResult {
    let server = Server::start_private(Engine::MariaDb, &[])?;
    let test = TestDb::on(&server).await?;
    let db = open(&test, 2, PATIENCE, cached()).await;
    fill(&db, 2).await;
    let before = selects(test.admin()).await?;
    for _ in 0..10 {
        db.health_summary().await;
    }
    assert_eq!(selects(test.admin()).await?, before + 1);
    Ok(())
}

async fn those_who_ask_together_share_one_report(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let db = open(&test, 4, PATIENCE, cached()).await;
    let ask = |age| db.latest_health_report(age);
    let all = join_all((0..20).map(|_| ask(Duration::ZERO))).await;
    let new: Vec<_> = all.iter().filter(|report| !report.from_cache).collect();
    assert_eq!(new.len(), 1);
    let same = |r: &&_| {
        let r: &resilient_sea_orm::HealthReport = r;
        r.summary.at_unix_ms == new[0].summary.at_unix_ms
    };
    assert_eq!(all.iter().filter(same).count(), 20);
    assert!(ask(Duration::from_hours(1)).await.from_cache);
    assert!(!ask(Duration::ZERO).await.from_cache);
    Ok(())
}

/// Polls it once, and says whether there is more to do.
async fn pending<F: Future>(mut future: Pin<&mut F>) -> bool {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await
}

/// Whoever makes it goes away: the next in line makes it.
async fn a_report_that_is_given_up_is_made_by_the_next(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let db = open(&test, 4, PATIENCE, cached()).await;
    let mut given_up = Box::pin(db.latest_health_report(Duration::ZERO));
    assert!(pending(given_up.as_mut()).await);
    let mut next = Box::pin(db.latest_health_report(Duration::from_hours(1)));
    assert!(pending(next.as_mut()).await);
    drop(given_up);
    let report = next.await;
    assert!(!report.from_cache);
    assert_eq!(report.status(), OverallStatus::Healthy, "{report}");
    Ok(())
}

engine_tests! {
    a_summary_sends_one_statement_and_then_none,
    those_who_ask_together_share_one_report,
    a_report_that_is_given_up_is_made_by_the_next,
}
