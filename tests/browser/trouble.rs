//! Tokens, outages and lost streams: the page says what is wrong, and comes back.

use resilient_admin::{BearerTokens, Databases};
use support::{Engine, Server, TestDb, TestResult, engine_tests};

use crate::{bank::Bank, browser::Browser, service::Service};

const READ: &str = "a-token-that-may-read";
const ACT: &str = "a-token-that-may-act-too";

async fn nobody_reads_without_a_token(engine: Engine) -> TestResult {
    let bank = Bank::open(engine).await?;
    let tokens = BearerTokens::new().read(READ)?.act(ACT)?;
    let admin = resilient_admin::router(bank.db.clone()).authorize(tokens);
    let service = Service::start(admin).await?;
    let browser = Browser::open(&service.url()).await?;
    browser
        .until_text("#access", "only shown to those who have a token")
        .await?;
    // Nothing else is on the page, and the form has the focus.
    assert!(!browser.find("#verdict").await?.is_displayed().await?);
    assert_eq!(
        browser.run("return document.activeElement.id").await?,
        "token"
    );

    // What no header can hold is not sent, and not kept.
    browser.press("a-token-with-ümlaut\u{e007}").await?;
    browser
        .until_text("#access", "only printable ASCII characters")
        .await?;
    let kept = "return [document.activeElement.id, document.querySelector('#token').value, \
                sessionStorage.length]";
    assert_eq!(
        browser.run(kept).await?,
        serde_json::json!(["token", "", 0])
    );
    browser.press("no-such-token-at-all\u{e007}").await?;
    browser
        .until_text("#access", "does not accept this token")
        .await?;
    browser.press(&format!("{READ}\u{e007}")).await?;
    browser.until_text("#link", "Live").await?;
    browser.until_text("#status", "Healthy").await?;

    // It outlives a reload, and is in no other storage than that of this tab.
    browser.reload().await?;
    browser.until_text("#link", "Live").await?;
    let kept =
        "return [sessionStorage.length, localStorage.length, document.cookie, location.href]";
    let kept = browser.run(kept).await?;
    assert_eq!(kept, serde_json::json!([1, 0, "", service.url()]));

    // To read is not to act.
    browser.find("#diagnose").await?.click().await?;
    browser
        .until_text("#diagnostics-state", "Not permitted")
        .await?;
    browser.find("#forget").await?.click().await?;
    browser.until_text("#access", "only shown to those").await?;
    browser.press(&format!("{ACT}\u{e007}")).await?;
    browser.until_text("#link", "Live").await?;
    browser.find("#diagnose").await?.click().await?;
    browser
        .until_text("#diagnostics-state", "looked at, in")
        .await?;
    browser.close().await
}

async fn a_database_that_is_down_is_shown_and_comes_back(engine: Engine) -> TestResult {
    let server = Server::start_private(engine, &[])?;
    let bank = Bank::on(TestDb::on(&server).await?, support::unique_name()).await?;
    let service = Service::start(resilient_admin::router(bank.db.clone()).insecure()).await?;
    let browser = Browser::open(&service.url()).await?;
    browser.until_text("#status", "Healthy").await?;
    server.kill()?;
    browser.until_text("#status", "Unhealthy").await?;
    browser.until_text("#reasons", "check failed").await?;
    browser.until_text("#log-list", "check failed").await?;
    // The numbers of the process go on.
    browser.until_text("#link", "Live").await?;
    server.restart()?;
    browser.until_text("#status", "Healthy").await?;
    browser
        .until_text("#log-list", "is well again after")
        .await?;
    browser.silent().await?;
    browser.close().await
}

async fn a_lost_stream_is_said_and_found_again(engine: Engine) -> TestResult {
    let bank = Bank::open(engine).await?;
    let admin = || resilient_admin::router(bank.db.clone()).insecure();
    let service = Service::start(admin()).await?;
    let browser = Browser::open(&service.url()).await?;
    browser.until_text("#status", "Healthy").await?;
    browser.silent().await?;
    let address = service.stop().await?;
    browser
        .until_text("#link", "Reconnecting; the numbers are of")
        .await?;
    browser.until_text("#status", "Not reachable").await?;
    browser
        .until("old numbers", "document.body.hasAttribute('data-stale')")
        .await?;
    let service = Service::at(address, admin()).await?;
    browser.until_text("#link", "Live").await?;
    browser.until_text("#status", "Healthy").await?;
    browser
        .until("fresh numbers", "!document.body.hasAttribute('data-stale')")
        .await?;
    browser
        .until_text("#log-list", "connected to the server again")
        .await?;
    // What it wrote to the console is the browser's word on the requests that failed.
    let console = browser.console().await?;
    let other: Vec<_> = console
        .iter()
        .filter(|line| !line.contains("net::ERR_"))
        .collect();
    assert!(other.is_empty(), "{other:#?}");
    drop(service);
    browser.close().await
}

async fn one_of_several_databases_is_chosen(engine: Engine) -> TestResult {
    let (first, second) = (Bank::open(engine).await?, Bank::open(engine).await?);
    second.violate().await?;
    let databases = Databases::new()
        .with("orders", first.db.clone())
        .with("customers", second.db.clone());
    let service = Service::start(resilient_admin::router(databases).insecure()).await?;
    let browser = Browser::open(&service.url()).await?;
    browser
        .until("the choice", "!document.querySelector('#switch').hidden")
        .await?;
    browser
        .until_text("#violations-table", "No constraint was violated")
        .await?;
    let select = browser.find("#database").await?;
    select.select_by_value("customers").await?;
    browser
        .until_text("#violations-table", "email_taken")
        .await?;
    browser.until_text("#name", "customers").await?;
    // The address says which, so that it can be kept.
    browser.reload().await?;
    browser
        .until_text("#violations-table", "email_taken")
        .await?;
    browser.silent().await?;

    // One that is gone is said to be, and the others are offered.
    let gone = Browser::open(&format!("{}?database=%3Cb%3Egone", service.url())).await?;
    gone.until_text("#reasons", "no database of this name")
        .await?;
    gone.until(
        "the choice",
        "document.querySelectorAll('#database option').length === 3",
    )
    .await?;
    gone.find("#database")
        .await?
        .select_by_value("orders")
        .await?;
    gone.until_text("#link", "Live").await?;
    gone.until_text("#status", "Healthy").await?;
    gone.close().await?;
    browser.close().await
}

engine_tests! {
    on_sqlite:
    nobody_reads_without_a_token,
    a_lost_stream_is_said_and_found_again,
    one_of_several_databases_is_chosen,
}

engine_tests! {
    on_postgres on_mariadb:
    a_database_that_is_down_is_shown_and_comes_back,
}
