//! Configurations that cannot be used, and those that can.

use std::time::Duration;

use bank_service::{Settings, settings::LogFormat};
use resilient_sea_orm::config::Environment;
use support::{Engine, TestDb, TestResult, engine_tests};

use crate::{process::program, rig::Bank};

fn read(variables: &[(&str, &str)]) -> Result<Settings, String> {
    let variables = variables.iter().copied();
    Settings::of(&Environment::of(variables)).map_err(|error| error.to_string())
}

#[test]
fn each_message_names_variable_value_and_what_is_allowed() {
    for (name, value, message) in [
        (
            "BIND",
            "8080",
            r#"BIND is "8080"; allowed is an address and port, such as 127.0.0.1:8080"#,
        ),
        (
            "DRAIN_SECONDS",
            "soon",
            r#"DRAIN_SECONDS is "soon"; allowed is a whole number of seconds from 0 to 3600"#,
        ),
        (
            "DRAIN_SECONDS",
            "3601",
            "DRAIN_SECONDS is 3601; allowed is a whole number of seconds from 0 to 3600",
        ),
        (
            "LOG_FORMAT",
            "xml",
            r#"LOG_FORMAT is "xml"; allowed is text or json"#,
        ),
        (
            "TROUBLE",
            "maybe",
            r#"TROUBLE is "maybe"; allowed is on or off"#,
        ),
        (
            "DATABASE_URL",
            "oracle://app:hunter2@host/db",
            r#"DATABASE_URL is an address that begins with "oracle"; allowed is sqlite:, postgres:, postgresql:, mysql: or mariadb: and what follows"#,
        ),
        (
            "ADMIN_READ_TOKEN",
            "hunter2",
            "ADMIN_READ_TOKEN is 7 characters long, or has others than these; allowed is 16 or more visible ASCII characters without spaces",
        ),
    ] {
        let said = read(&[(name, value)]).expect_err(value);
        assert_eq!(said, message);
        assert!(!said.contains("hunter2"));
    }
    let same = [
        ("ADMIN_READ_TOKEN", "0123456789abcdef"),
        ("ADMIN_ACT_TOKEN", "0123456789abcdef"),
    ];
    let said = read(&same).expect_err("one token for both");
    assert!(
        said.starts_with("ADMIN_ACT_TOKEN is the same as ADMIN_READ_TOKEN; "),
        "{said}"
    );
    let said = read(&[("DB_POOL_SIZE", "0")]).expect_err("no pool");
    assert!(
        said.contains(r#"DB_POOL_SIZE (pool.size) is "0"; allowed is a whole number"#),
        "{said}"
    );
}

#[test]
fn what_is_not_said_has_its_default() {
    let settings = read(&[]).expect("defaults");
    assert_eq!(settings.database_url, "sqlite:bank-service.db?mode=rwc");
    assert_eq!(settings.bind.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.drain, Duration::from_secs(10));
    assert_eq!(settings.log_format, LogFormat::Text);
    assert!(!settings.trouble);
    // Made up, each time anew, and long enough that nobody guesses it.
    let other = read(&[]).expect("defaults");
    let token = settings.tokens.generated().expect("one that was made up");
    assert!(token.len() >= 32);
    assert_ne!(Some(token), other.tokens.generated());
    assert!(!format!("{settings:?}{:?}", settings.tokens).contains(token));
    let given = read(&[("ADMIN_READ_TOKEN", "0123456789abcdef")]).expect("one token");
    assert_eq!(given.tokens.generated(), None);
    assert!(given.tokens.act.is_none());
}

fn fails(variables: &[(&str, &str)]) -> TestResult<String> {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let variables: Vec<_> = variables.iter().map(own).collect();
    let output = program(&variables).output()?;
    assert_eq!(output.status.code(), Some(1));
    Ok(String::from_utf8(output.stderr)?)
}

#[test]
fn the_program_says_so_and_ends() -> TestResult {
    let said = fails(&[("BIND", "here")])?;
    assert_eq!(
        said,
        "bank-service: BIND is \"here\"; allowed is an address and port, such as 127.0.0.1:8080\n"
    );
    Ok(())
}

#[test]
fn a_database_that_is_not_there_is_named_without_its_password() -> TestResult {
    // The port of nobody.
    let url = "postgres://app:hunter2@127.0.0.1:1/bank";
    let said = fails(&[("DATABASE_URL", url), ("DB_CONNECT_TIMEOUT", "2")])?;
    assert!(
        said.contains("the database of DATABASE_URL cannot be used"),
        "{said}"
    );
    assert!(!said.contains("hunter2"), "{said}");
    Ok(())
}

/// The engine's own name is a scheme too, and really leads there.
async fn mariadb_is_reached_by_its_own_name(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let rest = test.url().strip_prefix("mysql:").expect("its scheme");
    let url = format!("mariadb:{rest}");
    let bank = Bank::at(test, &url).await?;
    let account = bank.account(7).await?;
    assert_eq!(bank.cents(account).await?, 7);
    bank.close().await
}

engine_tests! { on_mariadb: mariadb_is_reached_by_its_own_name }
