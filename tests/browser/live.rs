//! What happens to a database is seen on the page, as it happens.

use std::time::Duration;

use serde_json::json;
use support::{Engine, TestResult, engine_tests};

use crate::{bank::Bank, browser::Browser, service::Service};

async fn open(engine: Engine) -> TestResult<(Bank, Service, Browser)> {
    let bank = Bank::open(engine).await?;
    let service = Service::start(resilient_admin::router(bank.db.clone()).insecure()).await?;
    let browser = Browser::open(&service.url()).await?;
    browser.until_text("#link", "Live").await?;
    Ok((bank, service, browser))
}

/// A number in the row of a method.
fn cell(method: &str, label: &str) -> String {
    format!(
        "Number((document.querySelector('#methods-table tr[data-method={}] td[data-label={}]')\
         ?.innerText ?? '0').replaceAll(',', '').split(' ')[0])",
        json!(method),
        json!(label),
    )
}

async fn numbers_change_while_a_load_runs(engine: Engine) -> TestResult {
    let (bank, _service, browser) = open(engine).await?;
    let load = bank.load(4, Duration::from_millis(5));
    let calls = cell("Accounts::balance", "Calls");
    browser.until("calls", &format!("{calls} > 50")).await?;
    let before = browser.run(&format!("return {calls}")).await?;
    browser
        .until("more calls", &format!("{calls} > {before} + 50"))
        .await?;
    // The charts have drawn something, and say the latest values.
    for chart in ["calls", "latency", "pool"] {
        let drawn = format!(
            "(() => {{ const c = document.querySelector('#chart-{chart} canvas'); if (!c) return false; \
             const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; \
             return d.some((v) => v !== 0); }})()"
        );
        browser.until(chart, &drawn).await?;
    }
    let rate = "Number(document.querySelector('#chart-calls .legend b').innerText) > 1";
    browser.until("a rate of calls", rate).await?;
    browser.until_text("#pool-gauge", "of 8").await?;
    // And what comes to rest is seen to.
    drop(load);
    let rest = "document.querySelector('#chart-calls .legend b').innerText === '0'";
    browser.until("no calls", rest).await?;
    browser.silent().await?;
    browser.close().await
}

async fn a_deadlock_names_both_methods_and_the_table(engine: Engine) -> TestResult {
    let (bank, _service, browser) = open(engine).await?;
    bank.deadlock().await?;
    for method in ["Accounts::transfer", "Accounts::add_interest"] {
        let node = format!(
            "document.querySelector('#deadlocks-graph svg [data-method={}]')",
            json!(method)
        );
        browser.until(method, &node).await?;
    }
    let over = "document.querySelector('#deadlocks-graph svg [data-tables=account]')";
    browser.until("the table", over).await?;
    assert_eq!(
        browser
            .run("return document.querySelectorAll('#deadlocks-graph .fight').length")
            .await?,
        2,
        "a line from each of the two"
    );
    // In words too, for those who do not see the picture.
    let said = "Accounts::add_interest and Accounts::transfer, over account";
    let label = "return document.querySelector('#deadlocks-graph svg').getAttribute('aria-label')";
    let label = browser.run(label).await?;
    assert!(
        label.as_str().is_some_and(|text| text.contains(said)),
        "{label}"
    );
    browser.until_text("#deadlocks-text", said).await?;
    browser.until_text("#log-list", "deadlock of").await?;
    // The retry that healed it is counted, and the table starts with whoever has one.
    browser
        .until_text("#methods-table tbody tr", "deadlock")
        .await?;
    browser.until_text("#chart-retries", "deadlock").await?;
    browser.silent().await?;
    browser.close().await
}

async fn a_leak_is_warned_of_until_it_is_over(engine: Engine) -> TestResult {
    let (bank, _service, browser) = open(engine).await?;
    let leak = bank.leak();
    browser
        .until_text("#leaks", "Suspected leak: 1 connection")
        .await?;
    browser
        .until_text("#leaks", "taken by Reports::export")
        .await?;
    browser
        .until_text("#sessions-table", "Reports::export")
        .await?;
    browser.until_text("#status", "Degraded").await?;
    browser.until_text("#reasons", "Reports::export").await?;
    leak.end().await?;
    let over = "!document.querySelector('#leaks').innerText.includes('Suspected')";
    browser.until("the end of the warning", over).await?;
    browser
        .until_text("#sessions-table", "No transaction is open")
        .await?;
    browser.silent().await?;
    browser.close().await
}

async fn an_alert_stands_and_is_over(engine: Engine) -> TestResult {
    let (bank, _service, browser) = open(engine).await?;
    browser
        .until_text("#alerts-active", "No alert stands")
        .await?;
    let leak = bank.leak();
    browser
        .until_text("#alerts-active", "a transaction has been open for")
        .await?;
    browser
        .until_text("#log-list", "a transaction has been open for")
        .await?;
    let said = "document.querySelector('#announced').textContent.includes('has been open for')";
    browser.until("that it is said aloud", said).await?;
    leak.end().await?;
    browser
        .until_text("#alerts-active", "No alert stands")
        .await?;
    browser
        .until_text("#alerts-history", "that is over")
        .await?;
    browser.until_text("#log-list", "over: ").await?;
    browser.silent().await?;
    browser.close().await
}

async fn violations_come_with_what_people_are_told(engine: Engine) -> TestResult {
    let (bank, _service, browser) = open(engine).await?;
    browser
        .until_text("#violations-table", "No constraint was violated")
        .await?;
    bank.violate().await?;
    bank.violate().await?;
    let row = "#violations-table tbody tr";
    browser
        .until_text(row, "that e-mail address is already registered")
        .await?;
    browser.until_text(row, "email_taken").await?;
    let count = "document.querySelector('#violations-table td[data-label=Times]').innerText === '2' || \
                 document.querySelector('#violations-table td[data-label=Times]').innerText === '3'";
    browser.until("the count", count).await?;
    // No value of a row is on the page.
    let text = browser.text("body").await?;
    assert!(!text.contains("ada"), "{text}");
    browser.silent().await?;
    browser.close().await
}

async fn diagnostics_run_once_and_then_not_too_soon(engine: Engine) -> TestResult {
    let (_bank, _service, browser) = open(engine).await?;
    browser.find("#diagnose").await?.click().await?;
    browser
        .until_text("#diagnostics-state", "looked at, in")
        .await?;
    browser.until_text("#diagnostics-result", "check").await?;
    browser.silent().await?;
    browser.find("#diagnose").await?.click().await?;
    browser
        .until_text("#diagnostics-state", "try again in")
        .await?;
    // The result of before is still there.
    assert!(browser.text("#diagnostics-result").await?.contains("check"));
    browser.close().await
}

engine_tests! {
    on_sqlite on_postgres on_mariadb:
    numbers_change_while_a_load_runs,
    a_leak_is_warned_of_until_it_is_over,
    violations_come_with_what_people_are_told,
}

engine_tests! {
    on_postgres on_mariadb:
    a_deadlock_names_both_methods_and_the_table,
}

engine_tests! {
    on_sqlite:
    an_alert_stands_and_is_over,
    diagnostics_run_once_and_then_not_too_soon,
}
