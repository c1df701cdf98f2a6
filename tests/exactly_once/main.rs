//! Exactly once, and what is said where it is not known: on real engines, and a small share of each
//! soak.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::missing_errors_doc,
    clippy::missing_panics_doc
)]

#[path = "../soak/bank.rs"]
mod bank;
#[path = "../soak/boundaries.rs"]
mod boundaries;
mod doubt;
#[path = "../soak/hooks.rs"]
mod hooks;
#[path = "../soak/lost_replies.rs"]
mod lost_replies;
mod markers;
#[path = "../soak/stand.rs"]
mod stand;
#[path = "../soak/tally.rs"]
mod tally;

use resilient_sea_orm::CommitMode;
use support::{Engine, TestResult, engine_tests};

use stand::Size;
use tally::{Report, heading};

fn share(work: u64) -> Size {
    Size {
        work,
        seed: 1,
        loud: false,
    }
}

/// The figures are shown where the test fails, or with `--nocapture`.
fn judge(report: &Report) {
    println!("{}\n{report}", heading());
    assert!(report.holds());
}

async fn lost_replies_are_found_out(engine: Engine) -> TestResult {
    judge(&lost_replies::run(engine, CommitMode::Verified, share(200)).await?);
    Ok(())
}

async fn lost_replies_are_unknown_unless_verified(engine: Engine) -> TestResult {
    judge(&lost_replies::run(engine, CommitMode::Reported, share(200)).await?);
    Ok(())
}

async fn what_is_reported_is_what_happened(engine: Engine) -> TestResult {
    judge(&boundaries::run(engine, share(150)).await?);
    Ok(())
}

async fn the_bank_survives_its_server(engine: Engine) -> TestResult {
    judge(&bank::run(engine, share(2_000)).await?);
    Ok(())
}

async fn hooks_fire_once_per_row(engine: Engine) -> TestResult {
    judge(&hooks::run(engine, share(2_000)).await?);
    Ok(())
}

engine_tests! { on_postgres on_mariadb:
    lost_replies_are_found_out,
    lost_replies_are_unknown_unless_verified,
    what_is_reported_is_what_happened,
    the_bank_survives_its_server,
    hooks_fire_once_per_row,
}
