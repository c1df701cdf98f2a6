//! From one database to another: nothing of the one stands under the name of the other.

use resilient_admin::Databases;
use serde_json::json;
use support::{Engine, TestResult, engine_tests};

use crate::{bank::Bank, browser::Browser, service::Service};

/// Two databases, the first of which has something in every panel that it can have it in.
async fn open(engine: Engine) -> TestResult<(Service, Browser)> {
    let (first, second) = (Bank::open(engine).await?, Bank::open(engine).await?);
    first.violate().await?;
    first.accounts().balance(1).await?;
    let databases = Databases::new()
        .with("orders", first.db.clone())
        .with("customers", second.db.clone());
    let service = Service::start(resilient_admin::router(databases).insecure()).await?;
    let browser = Browser::open(&format!("{}?database=orders", service.url())).await?;
    browser
        .until("the choice", "!document.querySelector('#switch').hidden")
        .await?;
    browser
        .until_text("#methods-table", "Accounts::balance")
        .await?;
    browser
        .until_text("#violations-table", "email_taken")
        .await?;
    browser.until_text("#tables-table", "customer").await?;
    browser
        .until_text("#deadlocks-text", "No deadlock so far")
        .await?;
    browser
        .until_text("#alerts-active", "No alert stands")
        .await?;
    browser
        .until_text("#recommendations-list", "nothing")
        .await?;
    browser.until_text("#status", "Healthy").await?;
    browser.until_text("#name", "orders").await?;
    Ok((service, browser))
}

async fn choose(browser: &Browser, name: &str) -> TestResult {
    let select = browser.find("#database").await?;
    select.select_by_value(name).await?;
    Ok(())
}

/// The diagnostics' answer comes when the page is about another database already.
async fn late_diagnostics_are_not_shown(engine: Engine) -> TestResult {
    let (_service, browser) = open(engine).await?;
    browser
        .run(
            "const real = window.fetch; \
             window.fetch = async (url, options) => { \
               if (!String(url).includes('/diagnostics?database=orders')) return real(url, options); \
               await new Promise((resolve) => { window.release = resolve; }); \
               const answer = await real(url, options); \
               const text = await answer.clone().text(); \
               setTimeout(() => { window.answered = text; }, 200); \
               return answer; \
             };",
        )
        .await?;
    browser.find("#diagnose").await?.click().await?;
    browser.until("the request", "window.release").await?;
    choose(&browser, "customers").await?;
    browser.until_text("#name", "customers").await?;
    browser.until_text("#status", "Healthy").await?;
    let shown = "const of = (id) => document.querySelector(id); \
                 return [of('#diagnostics').hidden, of('#diagnostics-state').textContent, \
                 of('#diagnostics-result').textContent, of('#diagnose').disabled]";
    let nothing = json!([true, "", "", false]);
    assert_eq!(browser.run(shown).await?, nothing);
    browser.run("window.release()").await?;
    browser.until("the answer", "window.answered").await?;
    let answered = browser.run("return window.answered").await?;
    assert!(answered.to_string().contains("parts"), "{answered}");
    assert_eq!(browser.run(shown).await?, nothing);
    // Those of the database that is shown are.
    browser.find("#diagnose").await?.click().await?;
    browser
        .until_text("#diagnostics-state", "looked at, in")
        .await?;
    choose(&browser, "orders").await?;
    browser
        .until_text("#violations-table", "email_taken")
        .await?;
    assert_eq!(browser.run(shown).await?, nothing);
    browser.silent().await?;
    browser.close().await
}

/// Nothing can be had of the database that was chosen.
async fn nothing_of_the_former_one_stays(engine: Engine) -> TestResult {
    let (_service, browser) = open(engine).await?;
    browser.find("#diagnose").await?.click().await?;
    browser
        .until_text("#diagnostics-state", "looked at, in")
        .await?;
    browser
        .run(
            "const real = window.fetch; \
             window.fetch = (url, options) => (String(url).includes('database=customers') \
               ? Promise.reject(new TypeError('gone')) : real(url, options));",
        )
        .await?;
    choose(&browser, "customers").await?;
    browser.until_text("#link", "Reconnecting").await?;
    browser.until_text("#status", "Not reachable").await?;
    let name = "return [document.querySelector('#name').innerText, document.title]";
    assert_eq!(browser.run(name).await?, json!(["customers", "customers"]));
    let left = "return ['pool-gauge', 'methods-table', 'deadlocks-graph', 'deadlocks-text', \
                'violations-table', 'tables-table', 'leaks', 'sessions-table', 'alerts-active', \
                'alerts-history', 'recommendations-list', 'diagnostics-state', \
                'diagnostics-result', 'chart-calls', 'chart-retries', 'chart-latency', \
                'chart-pool', 'announced']\
                .filter((id) => document.getElementById(id).textContent !== '')";
    assert_eq!(browser.run(left).await?, json!([]));
    let hidden = "return document.querySelector('#diagnostics').hidden";
    assert_eq!(browser.run(hidden).await?, true);
    // Chosen again, it is all there again.
    choose(&browser, "orders").await?;
    for (panel, text) in [
        ("#name", "orders"),
        ("#status", "Healthy"),
        ("#methods-table", "Accounts::balance"),
        ("#violations-table", "email_taken"),
        ("#tables-table", "customer"),
        ("#deadlocks-text", "No deadlock so far"),
        ("#sessions-table", "No transaction is open"),
        ("#alerts-active", "No alert stands"),
        ("#pool-gauge", "of 8"),
    ] {
        browser.until_text(panel, text).await?;
    }
    browser.silent().await?;
    browser.close().await
}

engine_tests! {
    on_sqlite:
    late_diagnostics_are_not_shown,
    nothing_of_the_former_one_stays,
}
