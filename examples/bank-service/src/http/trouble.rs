//! `POST /trouble/…`: trouble on purpose, if the service was started with `TROUBLE=on`.

use std::time::Duration;

use axum::{extract::State, http::StatusCode};
use serde::Deserialize;

use super::{Bank, input::InQuery};
use crate::{problem::Problem, trouble::Trouble};

/// How long.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Time {
    /// In milliseconds, a minute at most.
    ms: u64,
}

impl Time {
    fn checked(&self) -> Result<Duration, Problem> {
        if self.ms <= 60_000 {
            return Ok(Duration::from_millis(self.ms));
        }
        let detail = "ms is from 0 to 60000";
        Err(Problem::refused("ms_out_of_range", "ms", detail))
    }
}

/// 202: a transaction was begun, and will stay open for so long.
pub(super) async fn leak(
    State(bank): State<Bank>,
    InQuery(time): InQuery<Time>,
) -> Result<StatusCode, Problem> {
    let leaked = maker(&bank)?.leak(time.checked()?).await;
    leaked.map_err(|error| Problem::of_read(&error))?;
    Ok(StatusCode::ACCEPTED)
}

/// 204: the server was kept busy for about so long.
pub(super) async fn slow(
    State(bank): State<Bank>,
    InQuery(time): InQuery<Time>,
) -> Result<StatusCode, Problem> {
    let slept = maker(&bank)?.slow(time.checked()?).await;
    slept.map_err(|error| Problem::of_read(&error))?;
    Ok(StatusCode::NO_CONTENT)
}

fn maker(bank: &Bank) -> Result<&Trouble, Problem> {
    let maker = bank.trouble.as_ref();
    maker.ok_or_else(|| {
        Problem::not_found("there is nothing at this address")
            .suggest("start the service with TROUBLE=on to make trouble")
    })
}
