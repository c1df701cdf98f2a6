//! Requests that are wrong.

use std::time::Duration;

use axum::{Router, body::Body};
use resilient_admin::Databases;
use resilient_sea_orm::DatabaseManager;
use support::{Engine, TestDb, TestResult, engine_tests};

use crate::rig::{ACT, Answer, ENDPOINTS, Rig, ask, connect, diagnose, get, request};

const DIAGNOSTICS: &str = "/admin/database/diagnostics";

async fn post(app: &Router, media_type: &str, body: impl Into<Body>) -> Answer {
    let request = request("POST", DIAGNOSTICS, Some(ACT)).header("content-type", media_type);
    ask(app, request.body(body.into()).unwrap()).await
}

async fn unknown_databases_are_told_the_known_ones(engine: Engine) -> TestResult {
    let rig = Rig::open(engine).await?;
    let known = rig.db.name();
    for (method, path, permission) in ENDPOINTS {
        let about_one = path.starts_with("/admin/database/") && !path.ends_with("/openmetrics");
        if !about_one && *path != "/readyz" {
            continue;
        }
        for name in [
            "nobody",
            "",
            "%00",
            "%ff%fe",
            "..%2f..%2fetc",
            &"x".repeat(5000),
        ] {
            let path = format!("{path}?database={name}");
            let request = request(method, &path, Some(ACT))
                .body(Body::empty())
                .unwrap();
            let answer = ask(&rig.app, request).await;
            let problem = answer.problem(404);
            assert_eq!(
                problem["databases"],
                serde_json::json!([known]),
                "{permission}"
            );
            assert!(!answer.text.contains("nobody"), "{}", answer.text);
        }
        let path = format!("{path}?database={known}");
        if *method == "GET" && !path.contains("/events") {
            assert_eq!(rig.get(&path).await.status, 200, "{path}");
        }
    }
    Ok(())
}

async fn misspelt_parameters_are_refused(engine: Engine) -> TestResult {
    let rig = Rig::open(engine).await?;
    let known = rig.db.name();
    for query in [
        format!("databse={known}"),
        format!("database={known}&database={known}"),
        format!("database={known}&limit=1"),
        "&&&===".to_owned(),
        "%%%".to_owned(),
        "a".repeat(20_000),
    ] {
        let path = format!("/admin/database/sessions?{query}");
        rig.get(&path).await.problem(400);
    }
    // An empty one says nothing.
    assert_eq!(rig.get("/admin/database/sessions?").await.status, 200);
    Ok(())
}

async fn wrong_methods_and_paths_are_problems(engine: Engine) -> TestResult {
    let rig = Rig::open(engine).await?;
    for (method, path, _) in ENDPOINTS {
        for wrong in ["PUT", "DELETE", "PATCH", "OPTIONS", "POST", "GET"] {
            if wrong == *method {
                continue;
            }
            let request = request(wrong, path, Some(ACT)).body(Body::empty()).unwrap();
            let answer = ask(&rig.app, request).await;
            answer.problem(405);
            assert!(
                answer.header("allow").contains(method),
                "{path}: {:?}",
                answer.headers
            );
        }
    }
    for path in [
        "/admin",
        "/admin/database",
        "/admin/database/",
        "/x",
        "/../livez",
        "//",
    ] {
        let answer = rig.get(path).await;
        answer.problem(404);
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
    Ok(())
}

async fn bodies_are_small_json_or_refused(engine: Engine) -> TestResult {
    let rig = Rig::open(engine).await?;
    let app = &rig.app;
    let json = "application/json";
    for wrong in [
        "{",
        "[]",
        "1",
        "null",
        "{\"limit\": 1}",
        "{\"limit_seconds\": 0}",
    ] {
        post(app, json, wrong).await.problem(400);
    }
    for wrong in [
        "{\"limit_seconds\": -1}",
        "{\"limit_seconds\": 1e99}",
        "{\"limit_seconds\": \"1\"}",
    ] {
        post(app, json, wrong).await.problem(400);
    }
    post(app, json, &b"\xff\xfe\0"[..]).await.problem(400);
    for other in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "",
        "application/jsonx",
    ] {
        post(app, other, "{}").await.problem(415);
    }
    // Said to be huge, and huge without saying so.
    let huge = "x".repeat(10_000_000);
    let said = request("POST", DIAGNOSTICS, Some(ACT)).header("content-length", "10000000");
    ask(app, said.body(Body::from(huge.clone())).unwrap())
        .await
        .problem(413);
    let parts = huge
        .into_bytes()
        .chunks(1000)
        .map(<[u8]>::to_vec)
        .collect::<Vec<_>>();
    let parts = futures_util::stream::iter(parts.into_iter().map(Ok::<_, std::io::Error>));
    post(app, json, Body::from_stream(parts)).await.problem(413);
    // None of these has used up the turn.
    let body = "{\"limit_seconds\": 50}";
    let good = post(app, "application/json; charset=utf-8", body).await;
    assert_eq!(good.status, 200, "{}", good.text);
    Ok(())
}

async fn diagnostics_are_rare(engine: Engine) -> TestResult {
    let rig = Rig::open(engine).await?;
    let other = TestDb::new(engine).await?;
    let other = connect(other.url(), resilient_sea_orm::Builder::default()).await;
    let both = Databases::new()
        .with("one", rig.db.clone())
        .with("two", other);
    let every = Duration::from_hours(1);
    let admin = resilient_admin::router(both).authorize(crate::rig::tokens());
    let app = admin.diagnostics(Duration::from_mins(1), every).build()?;
    let first = diagnose(&app, DIAGNOSTICS, Some(ACT)).await;
    assert_eq!(first.status, 200, "{}", first.text);
    let again = diagnose(&app, &format!("{DIAGNOSTICS}?database=one"), Some(ACT)).await;
    let problem = again.problem(429);
    let after: u64 = again.header("retry-after").parse()?;
    assert!((1..=3600).contains(&after), "{after}");
    assert_eq!(problem["retry_after_seconds"], after);
    // Another database has turns of its own.
    let two = diagnose(&app, &format!("{DIAGNOSTICS}?database=two"), Some(ACT)).await;
    assert_eq!(two.status, 200, "{}", two.text);
    Ok(())
}

async fn databases_come_and_go(engine: Engine) -> TestResult {
    let (one, two) = (TestDb::new(engine).await?, TestDb::new(engine).await?);
    let builder = resilient_sea_orm::Builder::default;
    let manager = DatabaseManager::builder().build()?;
    let app = resilient_admin::router(manager.clone())
        .insecure()
        .build()?;
    let health = "/admin/database/health";
    let none = get(&app, health, None).await.problem(404);
    assert_eq!(none["databases"], serde_json::json!([]));
    assert_eq!(get(&app, "/readyz", None).await.status, 503);
    manager.add("one", connect(one.url(), builder()).await)?;
    manager.add("two", connect(two.url(), builder()).await)?;
    let list = get(&app, "/admin/databases", None).await.json();
    let names: Vec<_> = list["databases"].as_array().unwrap().iter().collect();
    assert_eq!(
        (&names[0]["name"], &names[1]["name"]),
        (&"one".into(), &"two".into())
    );
    assert_eq!(get(&app, "/readyz", None).await.status, 200);
    let second = format!("{health}?database=two");
    let report = get(&app, &second, None).await.json();
    assert_eq!(report["summary"]["database"], names[1]["connection"]);
    manager.remove("two")?;
    let gone = get(&app, &second, None).await.problem(404);
    assert_eq!(gone["databases"], serde_json::json!(["one"]));
    manager.close().await?;
    Ok(())
}

/// Below any path, also with the page and its files.
async fn it_can_be_mounted_anywhere(engine: Engine) -> TestResult {
    let rig = Rig::open(engine).await?;
    let deep = Router::new().nest("/ops/db", rig.app.clone());
    for app in [
        Router::new().nest("/ops", rig.app.clone()),
        Router::new().nest("/a", deep),
    ] {
        let base = if get(&app, "/ops/livez", None).await.status == 200 {
            "/ops"
        } else {
            "/a/ops/db"
        };
        assert_eq!(get(&app, &format!("{base}/livez"), None).await.status, 200);
        let page = get(&app, base, None).await;
        assert_eq!(page.status, 200, "{}", page.text);
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        let last = base.rsplit('/').next().unwrap();
        let script = format!("src=\"./{last}/app.js\"");
        assert!(page.text.contains(&script), "{}", page.text);
        let policy = page.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"));
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(get(&app, &format!("{base}/app.js"), None).await.status, 200);
        get(&app, &format!("{base}/nothing"), None)
            .await
            .problem(404);
        let wrong = request("POST", base, None).body(Body::empty()).unwrap();
        ask(&app, wrong).await.problem(405);
    }
    // At the root, and where a service is nested, the path ends with a slash.
    let services = Router::new().nest_service("/ops", rig.app.clone());
    for (app, path) in [(&rig.app, "/"), (&services, "/ops/")] {
        let page = get(app, path, None).await;
        assert!(page.text.contains("src=\"app.js\""), "{}", page.text);
    }
    Ok(())
}

engine_tests! { on_sqlite:
    unknown_databases_are_told_the_known_ones,
    misspelt_parameters_are_refused,
    wrong_methods_and_paths_are_problems,
    bodies_are_small_json_or_refused,
    diagnostics_are_rare,
    databases_come_and_go,
    it_can_be_mounted_anywhere,
}
