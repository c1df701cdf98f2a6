//! What a manager does by itself.

use std::time::Duration;

use resilient_sea_orm::{
    Config, FaultKind, ResilientConnection,
    config::{HealthConfig, SessionConfig},
};
use support::{Engine, TestDb, TestResult, engine_tests, wait_until};

use super::{manager, quiet};
use crate::{bank::unique_name, rig::PATIENCE};

async fn it_ends_what_is_overdue_until_it_is_closed(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let config = Config::default()
        .with_health(HealthConfig::default().with_interval(Duration::from_millis(20)))
        .with_session(SessionConfig::default().with_max_idle_time(Duration::from_millis(100)));
    let builder = ResilientConnection::builder(test.url()).config(&config);
    let db = builder.name(unique_name()).connect().await?;
    let managed = manager(&db);
    let session = managed.register("main", "w")?;
    let gone = async || Ok(managed.sessions().is_empty());
    wait_until("the end of the session", PATIENCE, gone).await?;
    let error = session.ensure_healthy().await.unwrap_err();
    assert_eq!(error.kind(), FaultKind::SessionExpired);
    let ticks = async || Ok(managed.watched()[0].1.ticks >= 3);
    wait_until("ticks", PATIENCE, ticks).await?;
    let (name, report) = managed.watched().remove(0);
    assert_eq!(
        (name.as_str(), report.failed, report.panicked),
        ("main", 0, 0)
    );
    managed.close().await?;
    assert!(managed.watched().is_empty());

    let builder = ResilientConnection::builder(test.url()).config(&quiet());
    let db = builder.name(unique_name()).connect().await?;
    assert!(manager(&db).watched().is_empty(), "it was not wanted");
    Ok(())
}

engine_tests! { it_ends_what_is_overdue_until_it_is_closed }
