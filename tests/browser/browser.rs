//! A headless Chromium, and what tests ask of it.

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use fantoccini::{
    Client, ClientBuilder, Locator, elements::Element, wd::WebDriverCompatibleCommand,
};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use support::TestResult;
use tokio::sync::{Semaphore, SemaphorePermit};
use url::Url;

use crate::PATIENCE;

/// Browsers are large: more at a time would only wait for each other.
static PLACES: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(2));

/// One browser window with a profile of its own.
pub struct Browser {
    client: Client,
    _place: SemaphorePermit<'static>,
}

/// A command of `chromedriver` beyond the standard.
#[derive(Debug)]
struct Vendor {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Vendor {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        base.join(&format!(
            "session/{}/{}",
            session.unwrap_or_default(),
            self.path
        ))
    }

    fn method_and_body(&self, _: &Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.body.to_string()))
    }
}

impl Browser {
    /// Opens a page in a new window.
    pub async fn open(url: &str) -> TestResult<Self> {
        let place = PLACES.acquire().await?;
        let driver = tokio::task::spawn_blocking(support::webdriver).await??;
        let capabilities = json!({
            "goog:chromeOptions": { "args": support::browser_arguments() },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        });
        let Value::Object(capabilities) = capabilities else {
            unreachable!("an object was written above");
        };
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let client = builder.capabilities(capabilities).connect(&driver).await?;
        let browser = Self {
            client,
            _place: place,
        };
        browser.width(1360, 900).await?;
        browser.client.goto(url).await?;
        Ok(browser)
    }

    async fn vendor(&self, path: &'static str, body: Value) -> TestResult<Value> {
        Ok(self.client.issue_cmd(Vendor { path, body }).await?)
    }

    /// A command of Chromium's own protocol.
    pub async fn cdp(&self, command: &str, parameters: Value) -> TestResult<Value> {
        let body = json!({ "cmd": command, "params": parameters });
        self.vendor("goog/cdp/execute", body).await
    }

    /// Shows the page in a window of this size, in pixels.
    pub async fn width(&self, width: u32, height: u32) -> TestResult {
        let size = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500,
        });
        self.cdp("Emulation.setDeviceMetricsOverride", size).await?;
        Ok(())
    }

    /// Sets what the person in front of it prefers: `("prefers-color-scheme", "dark")`.
    pub async fn prefer(&self, features: &[(&str, &str)]) -> TestResult {
        let features: Vec<_> = features
            .iter()
            .map(|(name, value)| json!({ "name": name, "value": value }))
            .collect();
        let media = json!({ "features": features });
        self.cdp("Emulation.setEmulatedMedia", media).await?;
        Ok(())
    }

    /// What the page has written to its console since the last call, errors of loading included.
    pub async fn console(&self) -> TestResult<Vec<String>> {
        let entries = self.vendor("se/log", json!({ "type": "browser" })).await?;
        let entries = entries.as_array().cloned().unwrap_or_default();
        Ok(entries.iter().map(ToString::to_string).collect())
    }

    /// The address of every request since the last call.
    pub async fn requests(&self) -> TestResult<Vec<Url>> {
        let body = json!({ "type": "performance" });
        let entries = self.vendor("se/log", body).await?;
        let mut found = Vec::new();
        for entry in entries.as_array().into_iter().flatten() {
            let message: Value = serde_json::from_str(entry["message"].as_str().unwrap_or("{}"))?;
            let message = &message["message"];
            if message["method"] == "Network.requestWillBeSent"
                && let Some(url) = message["params"]["request"]["url"].as_str()
            {
                found.push(Url::parse(url)?);
            }
        }
        Ok(found)
    }

    /// What a script returns.
    pub async fn run(&self, script: &str) -> TestResult<Value> {
        Ok(self.client.execute(script, Vec::new()).await?)
    }

    /// What a script answers later by its last argument, a function.
    pub async fn run_async(&self, script: &str) -> TestResult<Value> {
        Ok(self.client.execute_async(script, Vec::new()).await?)
    }

    /// Waits until an expression is true in the page.
    pub async fn until(&self, what: &str, expression: &str) -> TestResult {
        let start = Instant::now();
        let script = format!("return Boolean({expression})");
        while self.run(&script).await? != true {
            if start.elapsed() > PATIENCE {
                let text = self.text("body").await?;
                let console = self.console().await?;
                return Err(format!(
                    "waited in vain for {what}; console: {console:?}; the page says:\n{text}"
                )
                .into());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    /// Waits until the text of an element has this in it.
    pub async fn until_text(&self, css: &str, text: &str) -> TestResult {
        let expression = format!(
            "document.querySelector({})?.innerText.includes({})",
            json!(css),
            json!(text)
        );
        let what = format!("{text:?} in {css}");
        self.until(&what, &expression).await
    }

    /// The text of an element as it is seen; empty where there is none.
    pub async fn text(&self, css: &str) -> TestResult<String> {
        let script = format!(
            "return document.querySelector({})?.innerText ?? ''",
            json!(css)
        );
        Ok(self
            .run(&script)
            .await?
            .as_str()
            .unwrap_or_default()
            .to_owned())
    }

    pub async fn find(&self, css: &str) -> TestResult<Element> {
        Ok(self.client.find(Locator::Css(css)).await?)
    }

    /// Types into whatever has the focus.
    pub async fn press(&self, keys: &str) -> TestResult {
        self.client.active_element().await?.send_keys(keys).await?;
        Ok(())
    }

    pub async fn reload(&self) -> TestResult {
        Ok(self.client.refresh().await?)
    }

    /// The whole page as PNG, in a window of this width.
    pub async fn picture(&self, width: u32) -> TestResult<Vec<u8>> {
        self.width(width, 900).await?;
        let height = self
            .run("return document.documentElement.scrollHeight")
            .await?;
        let height = u32::try_from(height.as_u64().unwrap_or(900))?;
        self.width(width, height).await?;
        // The charts follow the new size in the next frames.
        self.run_async("requestAnimationFrame(() => setTimeout(arguments[0], 500))")
            .await?;
        Ok(self.client.screenshot().await?)
    }

    /// Fails if the page has written anything to its console.
    pub async fn silent(&self) -> TestResult {
        let console = self.console().await?;
        assert!(console.is_empty(), "{console:#?}");
        Ok(())
    }

    pub async fn close(self) -> TestResult {
        Ok(self.client.close().await?)
    }
}
