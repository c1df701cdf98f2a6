//! What the monitor sends, counted by the server.

use std::time::Duration;

use resilient_sea_orm::HealthSettings;
use support::{Engine, Server, TestDb, TestResult, engine_tests};

use super::{bare, looks, often, open};
use crate::{
    health::{fill, settings},
    rig::PATIENCE,
};

/// Statements that the server has logged.
fn logged(server: &Server) -> usize {
    let log = server.log();
    log.lines()
        .filter(|line| line.contains("LOG:  execute") || line.contains("LOG:  statement"))
        .count()
}

/// Statements and tests of idle connections in so many looks.
async fn cost(idle: u32) -> Result<(u64, u64, u64), Box<dyn std::error::Error + Send + Sync>> {
    let flags = ["--log_statement=all", "--max_connections=120"];
    let server = Server::start_private(Engine::Postgres, &flags)?;
    let test = TestDb::on(&server).await?;
    let settings = HealthSettings {
        batch_size: 3,
        ..settings()
    };
    let db = open(bare(), &test, idle, PATIENCE, settings).await;
    fill(&db, idle).await;
    assert_eq!(db.connections().len(), idle as usize, "each is known");
    let before = logged(&server);
    db.start_monitoring_with(often().interval(Duration::from_millis(100)));
    looks(&db, 6).await?;
    let looks = db.monitoring().unwrap();
    db.stop_monitoring().await;
    assert_eq!((looks.failed, looks.panicked), (0, 0), "{looks:?}");
    let statements = logged(&server) - before;
    let tests: u64 = db.connections().iter().map(|c| c.checks).sum();
    Ok((looks.ticks, statements as u64, tests))
}

async fn it_does_not_grow_with_the_pool(_: Engine) -> TestResult {
    for idle in [10, 100] {
        let (looks, statements, tests) = cost(idle).await?;
        // The last look may have been cut short.
        let once_each = looks - 1..=looks;
        assert!(
            once_each.contains(&statements),
            "{statements} statements in {looks} looks at {idle} connections"
        );
        // A look that is late may find some busy.
        let batch_each = 1..=looks * 3;
        assert!(
            batch_each.contains(&tests),
            "{tests} tests in {looks} looks at {idle} connections"
        );
    }
    Ok(())
}

engine_tests! { on_postgres: it_does_not_grow_with_the_pool }
