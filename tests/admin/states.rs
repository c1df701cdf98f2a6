//! The endpoints while the database is slow, down, silent, and back.

use std::time::Duration;

use axum::Router;
use resilient_sea_orm::{Builder, HealthSettings};
use sea_orm::ConnectionTrait;
use support::{Engine, Proxy, TestDb, TestResult, engine_tests, wait_until};

use crate::{
    PATIENCE,
    rig::{ACT, Answer, ENDPOINTS, READ, connect, diagnose, get, settings, tokens},
};

const HEALTH: &str = "/admin/database/health";

fn hasty() -> HealthSettings {
    HealthSettings {
        timeout: Duration::from_secs(2),
        ..settings()
    }
}

/// A router over a database behind a proxy.
async fn behind(proxy: &Proxy) -> TestResult<Router> {
    judged(proxy, hasty()).await
}

async fn judged(proxy: &Proxy, health: HealthSettings) -> TestResult<Router> {
    let db = connect(proxy.url(), Builder::default().health(health)).await;
    db.execute_unprepared("SELECT 1").await?;
    let admin = resilient_admin::router(db)
        .authorize(tokens())
        .max_age(Duration::ZERO);
    let limit = Duration::from_secs(20);
    Ok(admin
        .readiness_limit(limit)
        .answer_limit(limit)
        .diagnostics(limit, Duration::ZERO)
        .build()?)
}

async fn ready(app: &Router) -> u16 {
    get(app, "/readyz", None).await.status.as_u16()
}

/// Every endpoint answers; `health` and the probe as it should be.
async fn all_answer(app: &Router, status: &str) -> TestResult {
    for (method, path, _) in ENDPOINTS {
        if path.ends_with("/events") || *path == "/readyz" {
            continue;
        }
        let asked = async {
            match *method {
                "POST" => diagnose(app, path, Some(ACT)).await,
                _ => get(app, path, Some(ACT)).await,
            }
        };
        let answer: Answer = tokio::time::timeout(PATIENCE, asked).await?;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        if *path == HEALTH {
            assert_eq!(
                answer.json()["summary"]["status"],
                status,
                "{}",
                answer.text
            );
        }
        if path.ends_with("/constraints") || path.ends_with("/tables") {
            let not_read = &answer.json()["not_read"];
            assert_eq!(
                not_read.is_string(),
                status == "unhealthy",
                "{path}: {}",
                answer.text
            );
        }
    }
    Ok(())
}

/// The reasons are for those who may read.
async fn not_ready(app: &Router) {
    let answer = get(app, "/readyz", None).await;
    let problem = answer.problem(503);
    assert!(problem.get("databases").is_none(), "{problem}");
    let told = get(app, "/readyz", Some(READ)).await;
    assert_eq!(told.status, 503, "{}", told.text);
    let told = told.json();
    assert_eq!(told["status"], "not_ready");
    let summary = &told["databases"][0]["summary"];
    assert_eq!(summary["status"], "unhealthy", "{told:#}");
    assert!(summary["reasons"][0]["text"].is_string(), "{told:#}");
    assert_eq!(get(app, "/livez", None).await.status, 200);
}

async fn down_and_back(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let proxy = Proxy::before(&test).await?;
    let app = behind(&proxy).await?;
    all_answer(&app, "healthy").await?;
    assert_eq!(ready(&app).await, 200);
    proxy.down().await?;
    not_ready(&app).await;
    all_answer(&app, "unhealthy").await?;
    proxy.up().await?;
    let back = async || Ok(ready(&app).await == 200);
    wait_until("readiness", PATIENCE, back).await?;
    let well =
        async || Ok(get(&app, HEALTH, Some(READ)).await.json()["summary"]["status"] == "healthy");
    wait_until("health", PATIENCE, well).await?;
    Ok(())
}

async fn slow_is_said_and_still_ready(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let proxy = Proxy::before(&test).await?;
    let health = HealthSettings {
        timeout: PATIENCE,
        slow_above: Duration::from_millis(200),
        ..hasty()
    };
    let app = judged(&proxy, health).await?;
    proxy.latency(Duration::from_millis(150));
    let slow = async || {
        let health = get(&app, HEALTH, Some(READ)).await.json();
        Ok(health["summary"]["status"] == "degraded")
    };
    wait_until("a slow check", PATIENCE, slow).await?;
    assert_eq!(ready(&app).await, 200);
    proxy.latency(Duration::ZERO);
    let well =
        async || Ok(get(&app, HEALTH, Some(READ)).await.json()["summary"]["status"] == "healthy");
    wait_until("health", PATIENCE, well).await?;
    Ok(())
}

/// Neither the probe nor a report waits for a server that says nothing.
async fn a_silent_server_keeps_nobody_waiting(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let proxy = Proxy::before(&test).await?;
    let app = behind(&proxy).await?;
    proxy.freeze();
    let asked = async {
        not_ready(&app).await;
        let health = get(&app, HEALTH, Some(READ)).await;
        assert_eq!(health.json()["summary"]["status"], "unhealthy");
    };
    let answered = tokio::time::timeout(PATIENCE, asked).await;
    proxy.thaw();
    answered?;
    let back = async || Ok(ready(&app).await == 200);
    wait_until("readiness", PATIENCE, back).await?;
    Ok(())
}

/// A check that is allowed to take for ever does not: the router has a limit of its own.
async fn readiness_is_bounded_by_the_router(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let proxy = Proxy::before(&test).await?;
    let db = connect(proxy.url(), Builder::default().health(settings())).await;
    let limit = Duration::from_millis(300);
    let admin = resilient_admin::router(db).insecure();
    let app = admin.readiness_limit(limit).answer_limit(limit).build()?;
    proxy.freeze();
    let asked = async {
        let probe = get(&app, "/readyz", None).await;
        assert_eq!(probe.status, 503, "{}", probe.text);
        let entry = &probe.json()["databases"][0];
        assert_eq!(
            (&entry["ready"], &entry["summary"]),
            (&false.into(), &().into())
        );
        let health = get(&app, HEALTH, None).await;
        health.problem(503);
        assert!(!health.header("retry-after").is_empty());
    };
    let answered = tokio::time::timeout(PATIENCE / 2, asked).await;
    proxy.thaw();
    answered?;
    Ok(())
}

/// A pool of one that somebody holds is a database that nobody can use.
async fn an_exhausted_pool_is_not_ready(engine: Engine) -> TestResult {
    use sea_orm::{ConnectOptions, TransactionTrait};
    let test = TestDb::new(engine).await?;
    let mut options = ConnectOptions::new(test.url());
    options.max_connections(1).sqlx_logging(false);
    let builder = Builder::default()
        .health(hasty())
        .name(support::unique_name());
    let db = builder.to(options).connect().await?;
    let admin = resilient_admin::router(db.clone()).authorize(tokens());
    let app = admin
        .readiness_limit(PATIENCE)
        .max_age(Duration::ZERO)
        .build()?;
    assert_eq!(ready(&app).await, 200);
    let held = db.begin().await?;
    held.execute_unprepared("SELECT 1").await?;
    not_ready(&app).await;
    let health = get(&app, HEALTH, Some(READ)).await.json();
    assert_eq!(health["summary"]["status"], "unhealthy", "{health:#}");
    held.rollback().await?;
    let back = async || Ok(ready(&app).await == 200);
    wait_until("readiness", PATIENCE, back).await?;
    Ok(())
}

engine_tests! { on_postgres on_mariadb:
    down_and_back,
    slow_is_said_and_still_ready,
    a_silent_server_keeps_nobody_waiting,
    readiness_is_bounded_by_the_router,
}
/// What was closed is down, and is not opened again by asking.
async fn a_closed_pool_is_not_ready(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let db = connect(test.url(), Builder::default().health(hasty())).await;
    let admin = resilient_admin::router(db.clone()).authorize(tokens());
    let admin = admin.readiness_limit(PATIENCE).max_age(Duration::ZERO);
    let app = admin.diagnostics(PATIENCE, Duration::ZERO).build()?;
    all_answer(&app, "healthy").await?;
    db.clone().close().await?;
    not_ready(&app).await;
    all_answer(&app, "unhealthy").await
}

engine_tests! { an_exhausted_pool_is_not_ready, a_closed_pool_is_not_ready }
