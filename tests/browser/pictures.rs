//! The pictures of `docs/dashboard.md`, of a bank under load and in real trouble.

use std::{env, fs, path::Path, time::Duration};

use support::{Engine, TestDb, TestResult};

use crate::{bank::Bank, browser::Browser, service::Service};

/// A picture's most bytes.
const LARGEST: usize = 300_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn are_taken_of_real_trouble_on_postgres() -> TestResult {
    let bless = env::var_os("RESILIENT_BLESS").is_some();
    let bank = Bank::on(TestDb::new(Engine::Postgres).await?, "bank".to_owned()).await?;
    let service = Service::start(resilient_admin::router(bank.db.clone()).insecure()).await?;
    let browser = Browser::open(&service.url()).await?;
    let _load = bank.load(3, Duration::from_millis(15));
    let leak = bank.leak();
    // As many rounds as the charts need to tell of something.
    for round in 0..if bless { 12 } else { 1 } {
        bank.deadlock().await?;
        if round % 4 == 0 {
            bank.violate().await?;
        }
        tokio::time::sleep(Duration::from_secs(u64::from(bless) * 2)).await;
    }
    browser.until_text("#leaks", "Suspected leak").await?;
    browser
        .until(
            "the graph",
            "document.querySelector('#deadlocks-graph svg')",
        )
        .await?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/images");
    for (name, width, scheme) in [
        ("light", 1360, "light"),
        ("dark", 1360, "dark"),
        ("phone", 360, "light"),
    ] {
        browser.prefer(&[("prefers-color-scheme", scheme)]).await?;
        let picture = browser.picture(width).await?;
        assert!(picture.len() < LARGEST, "{name}: {} bytes", picture.len());
        let path = folder.join(format!("dashboard-{name}.png"));
        if bless {
            fs::write(&path, picture)?;
        } else {
            assert!(path.is_file(), "no {}: RESILIENT_BLESS=1", path.display());
        }
    }
    browser.silent().await?;
    leak.end().await?;
    browser.close().await
}
