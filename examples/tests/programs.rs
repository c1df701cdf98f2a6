//! Every example on every engine, as its reader would run it.

use std::{path::PathBuf, process::Command};

use support::{Engine, TestDb, TestResult, engine_tests};

/// The program that `cargo test` has built beside this test.
fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("this test is a file");
    let profile = test.ancestors().nth(2).expect("target/debug/deps/test");
    profile.join("examples").join(name)
}

async fn succeeds(engine: Engine, name: &str, arguments: &[&str]) -> TestResult {
    let test = TestDb::new(engine).await?;
    let output = Command::new(program(name))
        .arg("--database-url")
        .arg(test.url())
        .args(arguments)
        .output()?;
    let (said, failed) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{name}: {said}\n{failed}");
    assert!(!said.is_empty());
    Ok(())
}

async fn quickstart(engine: Engine) -> TestResult {
    succeeds(engine, "quickstart", &["--transfers", "200"]).await
}

async fn signup(engine: Engine) -> TestResult {
    succeeds(engine, "signup", &[]).await
}

async fn health(engine: Engine) -> TestResult {
    succeeds(engine, "health", &[]).await?;
    succeeds(engine, "health", &["--json"]).await?;
    succeeds(engine, "health", &["--diagnostics"]).await
}

async fn outbox(engine: Engine) -> TestResult {
    succeeds(engine, "outbox", &[]).await
}

engine_tests! { quickstart, signup, health, outbox }
