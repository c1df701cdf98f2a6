//! Who may ask what.

use std::time::Duration;

use axum::{Router, body::Body};
use http::{HeaderValue, request::Parts};
use resilient_admin::{Access, BuildError};
use support::{Engine, TestResult, engine_tests};

use crate::rig::{ACT, ENDPOINTS, READ, Rig, diagnose, get, open, request};

/// Without the body, as that of a stream has no end.
async fn status(app: &Router, method: &str, path: &str, token: Option<&str>) -> u16 {
    let request = request(method, path, token).body(Body::empty()).unwrap();
    open(app, request).await.status().as_u16()
}

async fn each_endpoint_asks_for_its_permission(engine: Engine) -> TestResult {
    let rig = Rig::open(engine).await?;
    for (method, path, permission) in ENDPOINTS {
        for (token, held) in [
            (None, "nothing"),
            (Some("a-token-that-is-wrong"), "nothing"),
            (Some(READ), "read"),
            (Some(ACT), "act"),
        ] {
            let expected = match (*permission, held) {
                ("none", _) | ("read", "read" | "act") | ("act", "act") => 200,
                ("act", "read") => 403,
                _ => 401,
            };
            let told = status(&rig.app, method, path, token).await;
            assert_eq!(told, expected, "{method} {path} with {held}");
        }
    }
    // A name that is not known is only told to those who may know the others.
    let unknown = "/admin/database/health?database=nobody";
    get(&rig.app, unknown, None).await.problem(401);
    let probe = "/readyz?database=nobody";
    let nobody = get(&rig.app, probe, None).await;
    nobody.problem(401);
    assert_eq!(
        nobody.header("www-authenticate"),
        "Bearer realm=\"resilient\""
    );
    let known = format!("/readyz?database={}", rig.db.name());
    get(&rig.app, &known, None).await.problem(401);
    let told = get(&rig.app, probe, Some(READ)).await.problem(404);
    assert!(told["databases"].is_array(), "{told}");
    Ok(())
}

async fn refusals_say_what_is_missing(engine: Engine) -> TestResult {
    let rig = Rig::open(engine).await?;
    let path = "/admin/database/health";
    let nobody = get(&rig.app, path, None).await;
    nobody.problem(401);
    assert_eq!(
        nobody.header("www-authenticate"),
        "Bearer realm=\"resilient\""
    );
    let wrong = get(&rig.app, path, Some("a-token-that-is-wrong")).await;
    wrong.problem(401);
    assert!(wrong.header("www-authenticate").contains("invalid_token"));
    let reader = diagnose(&rig.app, "/admin/database/diagnostics", Some(READ)).await;
    reader.problem(403);
    assert_eq!(reader.header("www-authenticate"), "");
    Ok(())
}

async fn no_router_without_an_authoriser(engine: Engine) -> TestResult {
    let rig = Rig::open(engine).await?;
    let refused = resilient_admin::router(rig.db.clone()).build().unwrap_err();
    assert_eq!(refused, BuildError::NoAuthorizer);
    assert!(refused.to_string().contains(".insecure()"), "{refused}");
    let open = resilient_admin::router(rig.db.clone()).insecure().build()?;
    assert_eq!(get(&open, "/admin/database/pool", None).await.status, 404);
    assert_eq!(get(&open, "/admin/database/alerts", None).await.status, 200);
    Ok(())
}

/// Without a bearer token, a browser has to say that the page is ours.
async fn other_origins_start_nothing(engine: Engine) -> TestResult {
    let rig = Rig::open(engine).await?;
    let path = "/admin/database/diagnostics";
    let every = Duration::ZERO;
    let admin = resilient_admin::router(rig.db.clone()).insecure();
    let app = admin.diagnostics(Duration::from_mins(1), every).build()?;
    let ask = async |headers: &[(&str, &str)]| {
        let mut request = request("POST", path, None);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        crate::rig::ask(&app, request.body(Body::empty()).unwrap()).await
    };
    for foreign in [
        &[][..],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none")],
        // What a browser says counts, whatever else there is.
        &[
            ("sec-fetch-site", "cross-site"),
            ("origin", "http://db.test"),
            ("host", "db.test"),
        ],
        &[("origin", "http://evil.test"), ("host", "db.test")],
        &[("origin", "null"), ("host", "db.test")],
        &[("origin", "http://db.test:81"), ("host", "db.test")],
    ] {
        ask(foreign).await.problem(403);
    }
    for own in [
        &[("sec-fetch-site", "same-origin")][..],
        &[("origin", "http://db.test:81"), ("host", "db.test:81")],
    ] {
        assert_eq!(ask(own).await.status, 200, "{own:?}");
    }
    Ok(())
}

async fn closures_and_futures_authorise(engine: Engine) -> TestResult {
    let rig = Rig::open(engine).await?;
    let role = |request: &Parts| match request.headers.get("x-role").map(HeaderValue::as_bytes) {
        Some(b"operator") => Access::Act,
        Some(b"viewer") => Access::Read,
        _ => Access::None,
    };
    let build = || resilient_admin::router(rig.db.clone());
    let routers = [
        build().authorize(role).build()?,
        build()
            .authorize_async(move |request| {
                let access = role(request);
                async move {
                    tokio::task::yield_now().await;
                    access
                }
            })
            .build()?,
    ];
    for app in routers {
        for (role, expected) in [("operator", 200), ("viewer", 200), ("", 401)] {
            let request = request("GET", "/admin/database/alerts", None).header("x-role", role);
            let told = open(&app, request.body(Body::empty()).unwrap()).await;
            assert_eq!(told.status(), expected, "{role}");
        }
    }
    // One that never knows lets nobody in, and keeps no probe waiting.
    let limit = Duration::from_millis(50);
    let never = build()
        .authorize_async(|_| std::future::pending())
        .answer_limit(limit)
        .readiness_limit(Duration::from_secs(5))
        .build()?;
    get(&never, "/admin/database/alerts", None)
        .await
        .problem(503);
    assert_eq!(get(&never, "/livez", None).await.status, 200);
    assert_eq!(get(&never, "/readyz", None).await.status, 200);
    Ok(())
}

engine_tests! { on_sqlite:
    each_endpoint_asks_for_its_permission,
    refusals_say_what_is_missing,
    no_router_without_an_authoriser,
    other_origins_start_nothing,
    closures_and_futures_authorise,
}
