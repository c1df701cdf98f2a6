//! `/ops` is for whoever has a token.

use reqwest::Method;
use support::{Engine, TestResult, engine_tests};

use crate::rig::{ACT, Bank, READ, Reply};

async fn nobody_reads_or_acts_without_a_token(engine: Engine) -> TestResult {
    let bank = Bank::open(engine).await?;
    let ask = async |method: Method, path: &str, token: Option<&str>| {
        let mut request = bank.request(method, &format!("/ops/admin/database/{path}"));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(Reply::of(request).await?.status)
    };
    let reports = [
        "health",
        "metrics",
        "deadlocks",
        "connection-pool",
        "sessions",
        "constraints",
        "tables",
        "alerts",
        "events",
        "openmetrics",
    ];
    for path in reports {
        assert_eq!(ask(Method::GET, path, None).await?, 401, "{path}");
        let wrong = Some("not-any-of-the-tokens");
        assert_eq!(ask(Method::GET, path, wrong).await?, 401, "{path}");
        if path != "events" {
            assert_eq!(ask(Method::GET, path, Some(READ)).await?, 200, "{path}");
        }
    }
    let diagnose = async |token| ask(Method::POST, "diagnostics", token).await;
    assert_eq!(diagnose(None).await?, 401);
    assert_eq!(diagnose(Some(READ)).await?, 403);
    assert_eq!(diagnose(Some(ACT)).await?, 200);
    bank.close().await
}

async fn the_page_and_the_metrics_are_there(engine: Engine) -> TestResult {
    let bank = Bank::open(engine).await?;
    bank.account(100).await?;
    for path in ["/ops", "/ops/"] {
        let page = bank.get(path).await?;
        assert_eq!(page.status, 200, "{page:?}");
        assert!(page.kind.starts_with("text/html"), "{page:?}");
    }
    let request = bank.request(Method::GET, "/ops/admin/database/metrics");
    let metrics = Reply::of(request.bearer_auth(READ)).await?.body;
    let calls = &metrics["methods"]["Users::sign_up"]["calls"];
    assert!(calls.as_u64().is_some_and(|calls| calls > 0), "{metrics}");
    bank.close().await
}

engine_tests! { nobody_reads_or_acts_without_a_token, the_page_and_the_metrics_are_there }
