//! The load against the service, with trouble, for some seconds.

use std::{
    process::{Command, Output},
    time::Duration,
};

use bank_service::{Service, Settings};
use resilient_sea_orm::config::Environment;
use sea_orm::ConnectionTrait;
use support::{Engine, TestDb, TestResult, engine_tests, wait_until};

fn load(arguments: &[&str], variables: &[(&str, &str)]) -> TestResult<Output> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bank-load"));
    for name in [
        "DATABASE_URL",
        "BIND",
        "ADMIN_READ_TOKEN",
        "ADMIN_ACT_TOKEN",
    ] {
        command.env_remove(name);
    }
    command.args(arguments).envs(variables.iter().copied());
    Ok(command.output()?)
}

fn text(output: &Output) -> String {
    let (said, failed) = (&output.stdout, &output.stderr);
    String::from_utf8_lossy(said).into_owned() + &String::from_utf8_lossy(failed)
}

/// The line of the summary that begins like this.
fn line<'a>(text: &'a str, name: &str) -> &'a str {
    let found = text.lines().find(|line| line.trim().starts_with(name));
    found.unwrap_or_else(|| panic!("no {name} in {text}"))
}

async fn the_demo_keeps_every_cent(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let variables = [("DATABASE_URL", test.url())];
    let output = load(&["--demo", "--seconds", "7", "--tasks", "8"], &variables)?;
    let said = text(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("No cent is missing"), "{said}");
    assert!(said.contains("The dashboard: http://127.0.0.1:"), "{said}");
    for kind in ["kills", "violations", "leaks", "slow"] {
        let made = line(&said, &format!("trouble: {kind}"));
        if kind == "kills" && engine == Engine::Sqlite {
            assert!(made.contains("no sessions that could be ended"), "{made}");
        } else {
            assert!(!made.contains(" 0 made"), "{made}");
            assert!(made.contains(" made, "), "{made}");
        }
    }
    assert!(
        line(&said, "trouble: deadlocks").contains("the payer's order"),
        "{said}"
    );
    let retries = line(&said, "retries by the service");
    assert!(!retries.contains("does not tell"), "{retries}");
    // SQLite has neither sessions that could be ended nor deadlocks.
    if engine != Engine::Sqlite {
        assert!(retries.contains(" × "), "{retries}");
    }
    assert!(test.rows("bank_transfer").await? > 0);
    Ok(())
}

/// A cent that comes from nowhere is found, and nothing is claimed to be well.
async fn a_wrong_cent_is_found(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let variables = [("DATABASE_URL", test.url()), ("BIND", "127.0.0.1:0")];
    let settings = Settings::of(&Environment::of(variables))?;
    let service = Service::start(&settings).await?;
    let url = format!("http://{}", service.address());
    let running = tokio::task::spawn_blocking(move || {
        load(
            &[
                "--url",
                &url,
                "--seconds",
                "6",
                "--rate",
                "40",
                "--trouble",
                "deadlocks,violations",
            ],
            &[],
        )
    });
    let moved = async || Ok(test.rows("bank_transfer").await? > 10);
    wait_until("transfers", Duration::from_secs(30), moved).await?;
    let more = "UPDATE bank_account SET cents = cents + 1 WHERE id = 2";
    test.admin().execute_unprepared(more).await?;
    let output = running.await??;
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("WRONG: account 2 holds"), "{said}");
    assert!(
        said.contains("the books do not balance, at accounts [2]"),
        "{said}"
    );
    assert!(!said.contains("No cent is missing"), "{said}");
    // The service has no TROUBLE=on, and no token was given: both are said.
    assert!(
        line(&said, "trouble: deadlocks").contains("TROUBLE=on"),
        "{said}"
    );
    assert!(
        line(&said, "retries by the service").contains("--token"),
        "{said}"
    );
    service.stop().await?;
    Ok(())
}

engine_tests! { the_demo_keeps_every_cent, a_wrong_cent_is_found }

#[test]
fn without_a_service_it_says_so() -> TestResult {
    // The port of nobody.
    let output = load(&["--url", "http://127.0.0.1:1", "--seconds", "1"], &[])?;
    let said = text(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("GET /audit at http://127.0.0.1:1: no answer"),
        "{said}"
    );
    Ok(())
}
