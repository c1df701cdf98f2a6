//! A database, its admin router, and ways to ask it.

use axum::{Router, body::Body};
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use resilient_admin::{Admin, BearerTokens};
use resilient_sea_orm::{Builder, HealthSettings, ResilientConnection};
use sea_orm::ConnectOptions;
use serde_json::Value;
use support::{Engine, TestDb, TestResult, unique_name};
use tower::ServiceExt;

use crate::PATIENCE;

pub const READ: &str = "a-token-that-may-read";
pub const ACT: &str = "a-token-that-may-act-too";

/// Every endpoint: its method, its path, and who may ask.
pub const ENDPOINTS: &[(&str, &str, &str)] = &[
    ("GET", "/livez", "none"),
    ("GET", "/readyz", "none"),
    ("GET", "/openapi.json", "read"),
    ("GET", "/admin/databases", "read"),
    ("GET", "/admin/database/health", "read"),
    ("GET", "/admin/database/metrics", "read"),
    ("GET", "/admin/database/openmetrics", "read"),
    ("POST", "/admin/database/diagnostics", "act"),
    ("GET", "/admin/database/deadlocks", "read"),
    ("GET", "/admin/database/connection-pool", "read"),
    ("GET", "/admin/database/sessions", "read"),
    ("GET", "/admin/database/constraints", "read"),
    ("GET", "/admin/database/tables", "read"),
    ("GET", "/admin/database/alerts", "read"),
    ("GET", "/admin/database/events", "read"),
];

/// A database and the router over it.
#[derive(Debug)]
pub struct Rig {
    _test: TestDb,
    pub db: ResilientConnection,
    pub app: Router,
}

/// Checks that are only told off by what is wrong, not by a machine under load, and are made
/// anew each time.
pub fn settings() -> HealthSettings {
    HealthSettings {
        timeout: PATIENCE,
        slow_above: PATIENCE,
        cache_duration: std::time::Duration::ZERO,
        ..HealthSettings::default()
    }
}

/// A connection of four slots, under a name of its own.
pub async fn connect(url: &str, builder: Builder) -> ResilientConnection {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(4)
        .acquire_timeout(PATIENCE)
        .sqlx_logging(false);
    let builder = builder.name(unique_name());
    builder.to(options).connect().await.expect("connects")
}

/// Limits that a machine under load does not reach.
pub fn patient(admin: Admin) -> Admin {
    admin
        .readiness_limit(PATIENCE)
        .answer_limit(PATIENCE)
        .max_age(std::time::Duration::ZERO)
}

pub fn tokens() -> BearerTokens {
    let tokens = BearerTokens::new().read(READ).and_then(|t| t.act(ACT));
    tokens.expect("good tokens")
}

impl Rig {
    pub async fn open(engine: Engine) -> TestResult<Self> {
        Self::on(
            TestDb::new(engine).await?,
            Builder::default().health(settings()),
        )
        .await
    }

    pub async fn on(test: TestDb, builder: Builder) -> TestResult<Self> {
        let db = connect(test.url(), builder).await;
        let admin = resilient_admin::router(db.clone()).authorize(tokens());
        let app = patient(admin).build()?;
        Ok(Self::of(test, db, app))
    }

    /// `test` is kept for as long as the router is asked.
    pub fn of(test: TestDb, db: ResilientConnection, app: Router) -> Self {
        Self {
            _test: test,
            db,
            app,
        }
    }

    /// As one who may act.
    pub async fn get(&self, path: &str) -> Answer {
        get(&self.app, path, Some(ACT)).await
    }
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.and_then(|v| v.to_str().ok()).unwrap_or_default()
    }

    /// Asserts that it is a problem document of this status, and answers it.
    #[track_caller]
    pub fn problem(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], "about:blank");
        for member in ["title", "detail"] {
            assert!(
                problem[member].as_str().is_some_and(|s| !s.is_empty()),
                "{problem}"
            );
        }
        problem
    }
}

pub fn request(method: &str, path: &str, token: Option<&str>) -> http::request::Builder {
    let request = Request::builder().method(method).uri(path);
    match token {
        Some(token) => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
        None => request,
    }
}

/// The head of an answer whose body may never end.
pub async fn open(app: &Router, request: Request<Body>) -> http::Response<Body> {
    app.clone().oneshot(request).await.expect("infallible")
}

pub async fn ask(app: &Router, request: Request<Body>) -> Answer {
    let (head, body) = open(app, request).await.into_parts();
    let bytes = body.collect().await.expect("a body").to_bytes();
    Answer {
        status: head.status,
        headers: head.headers,
        text: String::from_utf8(bytes.to_vec()).expect("text"),
    }
}

pub async fn get(app: &Router, path: &str, token: Option<&str>) -> Answer {
    ask(
        app,
        request("GET", path, token).body(Body::empty()).unwrap(),
    )
    .await
}

pub async fn diagnose(app: &Router, path: &str, token: Option<&str>) -> Answer {
    ask(
        app,
        request("POST", path, token).body(Body::empty()).unwrap(),
    )
    .await
}
