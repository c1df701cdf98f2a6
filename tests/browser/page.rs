//! The page itself: where it may be, what it asks for, and who can use it.

use std::time::Duration;

use serde_json::json;
use support::{Engine, TestResult, engine_tests};

use crate::{bank::Bank, browser::Browser, service::Service};

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";

async fn open(engine: Engine) -> TestResult<(Bank, Service, Browser)> {
    let bank = Bank::open(engine).await?;
    let service = Service::start(resilient_admin::router(bank.db.clone()).insecure()).await?;
    let browser = Browser::open(&service.url()).await?;
    browser.until_text("#link", "Live").await?;
    Ok((bank, service, browser))
}

async fn loads_below_any_path_and_asks_nobody_else(engine: Engine) -> TestResult {
    let (bank, service, browser) = open(engine).await?;
    browser.until_text("#status", "Healthy").await?;
    browser.until_text("#name", bank.db.name()).await?;
    browser
        .until_text("#deadlocks-text", "No deadlock so far")
        .await?;
    browser.until_text("#tables-table", "customer").await?;
    browser
        .until_text("#recommendations-list", "nothing to recommend")
        .await?;
    browser.silent().await?;
    let requests = browser.requests().await?;
    assert!(requests.len() > 10, "{requests:?}");
    for request in &requests {
        let own = request.as_str().starts_with(&service.url());
        assert!(own, "{request} is not below {}", service.url());
    }

    // Without a slash at its end it is the same page.
    let other = Browser::open(&service.other_url()).await?;
    other.until_text("#link", "Live").await?;
    other.silent().await?;
    other.close().await?;
    browser.close().await
}

async fn the_policy_allows_no_more_than_its_own_files(engine: Engine) -> TestResult {
    let (_bank, _service, browser) = open(engine).await?;
    let policy = browser
        .run_async("fetch('.').then((r) => arguments[0](r.headers.get('content-security-policy')))")
        .await?;
    let policy = policy.as_str().unwrap_or_default();
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(part), "{part} in {policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert!(!policy.contains("data:"), "{policy}");
    // It is obeyed: what comes from elsewhere does not run.
    let inline = "const s = document.createElement('script'); s.textContent = 'window.ran = 1'; \
                  document.body.append(s); return window.ran ?? 'refused'";
    assert_eq!(browser.run(inline).await?, "refused");
    browser.close().await
}

/// The methods' column of numbers, from top to bottom.
async fn column(browser: &Browser, label: &str) -> TestResult<Vec<f64>> {
    let script = format!(
        "return [...document.querySelectorAll('#methods-table td[data-label={label}]')]\
         .map((cell) => Number(cell.innerText.replaceAll(',', '').split(' ')[0]))",
        label = json!(label)
    );
    let values = browser.run(&script).await?;
    let values = values.as_array().cloned().unwrap_or_default();
    Ok(values
        .iter()
        .filter_map(serde_json::Value::as_f64)
        .collect())
}

async fn the_table_is_put_in_order_by_keyboard(engine: Engine) -> TestResult {
    let (bank, _service, browser) = open(engine).await?;
    let accounts = bank.accounts();
    for n in 0..3 {
        accounts.balance(1).await?;
        accounts.sign_up(&format!("{n}@example.org")).await?;
        accounts.balance(2).await?;
    }
    let rows = "document.querySelectorAll('#methods-table tbody tr').length >= 2";
    browser.until("two methods", rows).await?;
    let sorted = "document.querySelector('#methods-table th[aria-sort=descending]')?.innerText";
    let sorted_by = |name: &str| format!("{sorted}.startsWith({})", json!(name));
    browser
        .until("the first order", &sorted_by("Retries"))
        .await?;

    // From the top of the page, by Tab alone: the first is the link that skips the header.
    browser.press(TAB).await?;
    let focus = "return document.activeElement.innerText";
    assert_eq!(browser.run(focus).await?, "Skip to the numbers");
    browser.press(ENTER).await?;
    assert_eq!(
        browser.run("return document.activeElement.id").await?,
        "main"
    );
    let mut reached = false;
    for _ in 0..20 {
        browser.press(TAB).await?;
        reached = browser.run(focus).await? == "Calls";
        if reached {
            break;
        }
    }
    assert!(
        reached,
        "the button of the column Calls is not reached by Tab"
    );
    let outline = "return getComputedStyle(document.activeElement).outlineStyle";
    assert_eq!(browser.run(outline).await?, "solid", "the focus is seen");
    browser.press(ENTER).await?;
    browser.until("another order", &sorted_by("Calls")).await?;
    let calls = column(&browser, "Calls").await?;
    assert!(calls.len() >= 2, "{calls:?}");
    assert!(calls.is_sorted_by(|a, b| a >= b), "{calls:?}");
    browser.press(ENTER).await?;
    let ascending = "document.querySelector('#methods-table th[aria-sort=ascending]')";
    browser.until("the other way round", ascending).await?;
    let calls = column(&browser, "Calls").await?;
    assert!(calls.is_sorted(), "{calls:?}");
    // The focus stays where it is while numbers come in, and Tab leads out of the table.
    let _load = bank.load(2, Duration::from_millis(5));
    accounts.balance(1).await?;
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(
        browser
            .run(focus)
            .await?
            .as_str()
            .is_some_and(|t| t.starts_with("Calls"))
    );
    for _ in 0..6 {
        browser.press(TAB).await?;
    }
    let inside = "return document.activeElement.closest('#methods-table') !== null";
    assert_eq!(browser.run(inside).await?, false);
    browser.silent().await?;
    browser.close().await
}

async fn a_phone_shows_all_of_it_without_scrolling_sideways(engine: Engine) -> TestResult {
    let (bank, _service, browser) = open(engine).await?;
    bank.violate().await?;
    let leak = bank.leak();
    browser.width(360, 740).await?;
    browser
        .until_text("#violations-table", "email_taken")
        .await?;
    browser.until_text("#leaks", "Suspected leak").await?;
    let overflow = "const wide = [...document.querySelectorAll('body *')].filter((e) => \
                    e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.unseen, .canvas, thead')); \
                    return [document.documentElement.scrollWidth <= innerWidth, innerWidth, \
                    wide.map((e) => e.outerHTML.slice(0, 80))]";
    assert_eq!(browser.run(overflow).await?, json!([true, 360, []]));
    leak.end().await?;
    browser.close().await
}

async fn darkness_and_calm_are_respected(engine: Engine) -> TestResult {
    let (_bank, _service, browser) = open(engine).await?;
    let background = "return getComputedStyle(document.body).backgroundColor";
    let light = browser.run(background).await?;
    browser
        .prefer(&[
            ("prefers-color-scheme", "dark"),
            ("prefers-reduced-motion", "reduce"),
        ])
        .await?;
    let dark = browser.run(background).await?;
    assert_ne!(light, dark);
    let moving = "return [...document.querySelectorAll('body *')].filter((e) => \
                  getComputedStyle(e).transitionDuration !== '0s').length";
    assert_eq!(browser.run(moving).await?, 0);
    browser.silent().await?;
    browser.close().await
}

/// What axe-core finds wrong, in light and dark, wide and narrow.
async fn everybody_can_use_it(engine: Engine) -> TestResult {
    let (bank, _service, browser) = open(engine).await?;
    let _load = bank.load(2, Duration::from_millis(20));
    bank.violate().await?;
    let leak = bank.leak();
    browser.until_text("#leaks", "Suspected leak").await?;
    browser
        .until_text("#violations-table", "email_taken")
        .await?;
    browser.find("#diagnose").await?.click().await?;
    browser
        .until_text("#diagnostics-state", "was looked at")
        .await?;
    let axe = std::fs::read_to_string(crate::vendored::package("axe-core/axe.min.js")?)?;
    browser.run(&axe).await?;
    let check = "const done = arguments[0]; axe.run(document).then((found) => \
                 done(found.violations.map((v) => [v.id, v.help, v.nodes.map((n) => n.html.slice(0, 120))])), \
                 (error) => done(String(error)))";
    for (width, scheme) in [
        (1360, "light"),
        (1360, "dark"),
        (360, "light"),
        (360, "dark"),
    ] {
        browser.width(width, 900).await?;
        browser.prefer(&[("prefers-color-scheme", scheme)]).await?;
        let found = browser.run_async(check).await?;
        assert_eq!(found, json!([]), "{width} pixels, {scheme}: {found:#}");
    }
    leak.end().await?;
    browser.close().await
}

engine_tests! {
    on_sqlite:
    loads_below_any_path_and_asks_nobody_else,
    the_policy_allows_no_more_than_its_own_files,
    the_table_is_put_in_order_by_keyboard,
    a_phone_shows_all_of_it_without_scrolling_sideways,
    darkness_and_calm_are_respected,
    everybody_can_use_it,
}
