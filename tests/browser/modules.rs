//! The page's modules by themselves, in the browser that runs them: what takes days to happen, and
//! what a server of ours never sends.

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

/// Runs a script that has a module's exports in `m`, and answers what it returns.
async fn with(browser: &Browser, module: &str, script: &str) -> TestResult<serde_json::Value> {
    let script = format!(
        "const done = arguments[0]; import(new URL('{module}', location.href)).then(async (m) => \
         {{ {script} }}).then(done, (error) => done(String(error)))"
    );
    browser.run_async(&script).await
}

/// A stream's text comes in any pieces, with any ends of lines.
async fn a_stream_is_read_in_any_pieces(engine: Engine) -> TestResult {
    let (_bank, _service, browser) = open(engine).await?;
    let script = r#"
        const text = ": comment\r\nretry: 5\r\n\r\nid: 1\nevent: a\ndata: {\"x\":\ndata: 1}\n\n" +
            "event: none\n\ndata:no space\r\rdata: ü€\u{1f600}\n\nevent: cut\ndata: of";
        const whole = [];
        new m.Parser((name, data) => whole.push([name, data])).feed(text);
        let same = 0;
        for (let size = 1; size <= text.length; size += 1) {
            const found = [];
            const parser = new m.Parser((name, data) => found.push([name, data]));
            for (let at = 0; at < text.length; at += size) parser.feed(text.slice(at, at + size));
            if (JSON.stringify(found) === JSON.stringify(whole)) same += 1;
        }
        return [whole, same === text.length];"#;
    let found = with(&browser, "stream.js", script).await?;
    let events = json!([
        ["a", "{\"x\":\n1}"],
        ["message", "no space"],
        ["message", "ü€\u{1f600}"],
    ]);
    assert_eq!(found, json!([events, true]));

    // Whoever never ends a line is not listened to for ever.
    let script = r#"
        const parser = new m.Parser(() => {});
        let fed = 0;
        try { for (; fed < 100; fed += 1) parser.feed("x".repeat(100_000)); }
        catch (error) { return [error.message, fed < 50]; }"#;
    let found = with(&browser, "stream.js", script).await?;
    assert_eq!(found, json!(["an event is too long", true]));
    browser.silent().await?;
    browser.close().await
}

/// Two days of snapshots: half an hour of points is kept, and rates are those of the last ones.
async fn a_page_that_stays_open_does_not_grow(engine: Engine) -> TestResult {
    let (_bank, _service, browser) = open(engine).await?;
    let script = r#"
        const history = new m.History();
        const start = Date.UTC(2026, 0, 1);
        let calls = 0, most = 0;
        for (let s = 0; s < 2 * 86_400; s += 2) {
            calls += 20;
            const method = { calls, failed: 0, retries: { deadlock: calls / 10 } };
            history.add(start + s * 1000, { "A::a": method }, { in_use: 1, open: 2, waiting: 0 }, null);
            most = Math.max(most, history.points.length);
        }
        const { points } = history;
        const columns = history.columns((p) => p.calls);
        return [most, points.at(-1).at - points[0].at, history.lately("calls"), points.at(-1).byFault,
                columns.length, columns[0].length === columns[1].length];"#;
    let found = with(&browser, "history.js", script).await?;
    assert_eq!(
        found,
        json!([901, 1_800_000, 10, { "deadlock": 1 }, 2, true])
    );

    // A process that began anew has small counters; no rate is negative, and the gap is seen.
    let script = r#"
        const history = new m.History();
        const add = (at, calls) => history.add(at, { "A::a": { calls, failed: 0, retries: {} } }, null, null);
        add(1_000, 100); add(3_000, 120); add(5_000, 4); add(7_000, 8); add(100_000, 10);
        return history.points.map((p) => p.calls ?? null);"#;
    let found = with(&browser, "history.js", script).await?;
    assert_eq!(
        found,
        json!([null, 10, null, null, 2, null, null]),
        "a gap is a point without a value"
    );
    browser.silent().await?;
    browser.close().await
}

/// Names are whatever a program's author calls a method: they are texts, and fit.
async fn names_are_never_markup(engine: Engine) -> TestResult {
    let (_bank, _service, browser) = open(engine).await?;
    let name = format!("<img src=x onerror=window.ran=1>{}", "VeryLong".repeat(40));
    let script = format!(
        r##"
        const name = {name};
        const pair = (a, b) => ({{ methods: [a, b], tables: [name], count: 3, last_hour: 1, severity: "high", gaps: false }});
        m.showDeadlocks({{ total: 9, last_hour: 9, last_24_hours: 9, severity: "high",
            pairs: [pair(name, "B::b"), pair("B::b", "B::b"), ...Array.from({{ length: 40 }}, (_, n) => pair("?", `M${{n}}`))],
            last: [{{ at_unix_ms: 0, participants: [{{ pid: 1, method: name, statement: name, waits_for: null, victim: true }}] }}],
            advice: [{{ methods: [name, name], text: name }}] }});
        await new Promise((resolve) => setTimeout(resolve, 300));
        const said = document.querySelector("#deadlocks-text").innerText;
        const wide = [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".unseen, .canvas, thead")).map((e) => e.outerHTML.slice(0, 60));
        return [document.querySelectorAll("img").length, window.ran ?? "no", said.includes("<img src=x"),
                document.querySelectorAll("#deadlocks-graph .over").length,
                document.documentElement.scrollWidth <= innerWidth, wide];"##,
        name = json!(name)
    );
    for width in [1360, 360] {
        browser.width(width, 800).await?;
        let found = with(&browser, "deadlocks.js", &script).await?;
        assert_eq!(found, json!([0, "no", true, 8, true, []]), "{width} pixels");
    }
    browser.silent().await?;
    browser.close().await
}

engine_tests! {
    on_sqlite:
    a_stream_is_read_in_any_pieces,
    a_page_that_stays_open_does_not_grow,
    names_are_never_markup,
}
