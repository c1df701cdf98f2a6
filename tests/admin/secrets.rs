//! No value, credential or connection string is in any answer.

use std::time::Duration;

use axum::body::Body;
use futures_util::future::join_all;
use http_body_util::BodyExt;
use resilient_sea_orm::{
    Builder, HealthSettings,
    health::{MonitorOptions, performance::PerformanceConfig},
    prelude::*,
};
use sea_orm::ConnectionTrait;
use support::{Engine, Server, TestDb, TestResult, engine_tests};

use crate::rig::{ACT, ENDPOINTS, Rig, ask, open, patient, request, settings, tokens};

const SECRET: &str = "sekrit";

/// A way to the same database with a password in it.
async fn with_password(test: &TestDb) -> TestResult<String> {
    let (scheme, rest) = test.url().split_once("://").ok_or("no scheme")?;
    let (_, place) = rest.split_once('@').ok_or("no account")?;
    let statements: &[&str] = match test.engine() {
        Engine::Postgres => &["CREATE ROLE teller SUPERUSER LOGIN PASSWORD 'sekrit-word'"],
        _ => &[
            "CREATE USER teller IDENTIFIED BY 'sekrit-word'",
            "GRANT ALL ON *.* TO teller",
        ],
    };
    for sql in statements {
        test.admin().execute_unprepared(sql).await?;
    }
    Ok(format!("{scheme}://teller:sekrit-word@{place}"))
}

/// Answers of every endpoint, a stream's first events included.
async fn everything(rig: &Rig) -> Vec<(String, String)> {
    let ended = ENDPOINTS
        .iter()
        .filter(|(_, path, _)| !path.ends_with("/events"));
    let mut all: Vec<_> = join_all(ended.map(async |(method, path, _)| {
        let request = request(method, path, Some(ACT))
            .body(Body::empty())
            .unwrap();
        ((*path).to_owned(), ask(&rig.app, request).await.text)
    }))
    .await;
    let events = request("GET", "/admin/database/events", Some(ACT));
    let stream = open(&rig.app, events.body(Body::empty()).unwrap()).await;
    let mut body = stream.into_body();
    for _ in 0..3 {
        if let Some(Ok(frame)) = body.frame().await {
            let bytes = frame.into_data().unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            all.push(("events".to_owned(), text));
        }
    }
    all
}

#[track_caller]
fn nothing_secret(all: &[(String, String)], url: &str) {
    for (path, text) in all {
        // The document is of the types alone, and has addresses of its own.
        let address = text.contains("://") && path != "/openapi.json";
        assert!(
            !text.contains(SECRET) && !text.contains(url) && !address,
            "{path}: {text}"
        );
    }
}

async fn no_secret_is_in_any_answer(engine: Engine) -> TestResult {
    let server = match engine {
        Engine::Sqlite => None,
        _ => Some(Server::start_private(engine, &[])?),
    };
    let test = match &server {
        Some(server) => TestDb::on(server).await?,
        None => TestDb::new(engine).await?,
    };
    let url = match engine {
        Engine::Sqlite => test.url().to_owned(),
        _ => with_password(&test).await?,
    };
    let performance = PerformanceConfig::default().slow_threshold(Duration::ZERO);
    let health = HealthSettings {
        timeout: Duration::from_secs(2),
        ..settings()
    };
    let builder = Builder::default().health(health).performance(performance);
    let db = crate::rig::connect(&url, builder).await;
    let admin = resilient_admin::router(db.clone()).authorize(tokens());
    let admin = patient(admin).stream_interval(Duration::from_millis(100));
    let app = admin
        .diagnostics(Duration::from_secs(30), Duration::ZERO)
        .build()?;
    let rig = Rig::of(test, db, app);
    let db = &rig.db;
    db.start_monitoring_with(MonitorOptions::new().interval(Duration::from_millis(50)));
    let table = "CREATE TABLE entry (id INTEGER PRIMARY KEY, note VARCHAR(90) NOT NULL UNIQUE)";
    db.execute_unprepared(table).await?;
    for sql in [
        "INSERT INTO entry VALUES (1, 'sekrit')",
        "INSERT INTO entry VALUES (2, 'sekrit')",
        "INSERT INTO entry VALUES (1, 'sekrit too')",
        "SELECT 'sekrit' FROM nowhere",
        "SELEC 'sekrit'",
        "SELECT CAST('sekrit' AS INTEGER) /* sekrit */",
    ] {
        let _: std::result::Result<_, _> = db.execute_unprepared(sql).await;
        let in_transaction: Result<()> = db
            .transact(
                TransactOptions::new().retries(0).name("Entries::note"),
                || async {
                    db.execute_unprepared(sql).await?;
                    Ok(())
                },
            )
            .await;
        drop(in_transaction);
    }
    let up = everything(&rig).await;
    assert!(up.iter().any(|(_, text)| text.contains("Entries::note")));
    nothing_secret(&up, &url);
    if let Some(server) = server {
        server.kill()?;
        nothing_secret(&everything(&rig).await, &url);
    }
    Ok(())
}

engine_tests! { no_secret_is_in_any_answer }
