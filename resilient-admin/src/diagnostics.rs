//! `POST /admin/database/diagnostics`: rarely, and one at a time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    body::Bytes,
    extract::{State as Shared, rejection::BytesRejection},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::time::{Instant, timeout};

use crate::{
    Problem,
    admin::State,
    params::Chosen,
    problem::json,
    reports::{JSON, too_long},
};

/// What the body may say; it may also be empty.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// How long all of it may take, in seconds; the router's limit by default, and at most.
    #[serde(default)]
    #[schemars(range(min = 1))]
    limit_seconds: Option<u32>,
}

/// Beyond the time that diagnostics have themselves.
const GRACE: Duration = Duration::from_secs(5);

pub(crate) async fn diagnostics(
    Shared(state): Shared<Arc<State>>,
    chosen: Chosen,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let body = body.map_err(|refused| Problem::of_status(refused.status()))?;
    let wanted = read(&headers, &body)?;
    let most = state.settings.diagnostics_limit;
    let limit = match wanted.limit_seconds {
        Some(seconds) => Duration::from_secs(seconds.into()).min(most),
        None => most,
    };
    let every = state.settings.diagnostics_every;
    let _turn = state.turns.take(chosen.source.id(), every)?;
    let found = timeout(limit + GRACE, chosen.source.diagnostics(limit)).await;
    Ok(match found {
        Ok(found) => json(StatusCode::OK, JSON, &found),
        Err(_) => too_long().into_response(),
    })
}

fn read(headers: &HeaderMap, body: &[u8]) -> Result<Wanted, Problem> {
    if body.is_empty() {
        return Ok(Wanted::default());
    }
    let told = headers.get(header::CONTENT_TYPE);
    let told = told.and_then(|told| told.to_str().ok()).unwrap_or_default();
    let essence = told.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case(JSON) {
        return Err(Problem::of_status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    // An array would do for a struct too.
    let object: Result<Map<String, Value>, _> = serde_json::from_slice(body);
    let wanted = object.and_then(|object| serde_json::from_value(Value::Object(object)));
    wanted
        .ok()
        .filter(|wanted: &Wanted| wanted.limit_seconds != Some(0))
        .ok_or_else(|| {
            let detail = "the body may be empty, or `{\"limit_seconds\": N}` with N of 1 or more";
            Problem::new(StatusCode::BAD_REQUEST, detail)
        })
}

/// Whose diagnostics run, and when they were begun. By database, so there are few.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<HashMap<u64, Begun>>);

#[derive(Debug)]
struct Begun {
    at: Instant,
    running: bool,
}

/// The only one for its database.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    turns: &'a Turns,
    database: u64,
}

impl Turns {
    fn all(&self) -> MutexGuard<'_, HashMap<u64, Begun>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A turn, if none is taken and the last one was begun long enough ago.
    pub(crate) fn take(&self, database: u64, every: Duration) -> Result<Turn<'_>, Problem> {
        let now = Instant::now();
        let mut all = self.all();
        // Databases come and go; of one whose time is over, nothing has to be known.
        all.retain(|_, begun| begun.running || now.duration_since(begun.at) < every);
        let status = StatusCode::TOO_MANY_REQUESTS;
        if let Some(begun) = all.get(&database) {
            let left = every.saturating_sub(now.duration_since(begun.at));
            let detail = if begun.running {
                "diagnostics of this database are being made"
            } else {
                "diagnostics of this database were made just now"
            };
            return Err(Problem::later(status, detail, left));
        }
        let begun = Begun {
            at: now,
            running: true,
        };
        all.insert(database, begun);
        Ok(Turn {
            turns: self,
            database,
        })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(begun) = self.turns.all().get_mut(&self.database) {
            begun.running = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn one_at_a_time_and_rarely() {
        let turns = Turns::default();
        let first = turns.take(1, EVERY).unwrap();
        let other = turns.take(2, EVERY).unwrap();
        assert_eq!(turns.take(1, EVERY).unwrap_err().status, 429);
        tokio::time::advance(EVERY * 2).await;
        let still_running = turns.take(1, EVERY).unwrap_err();
        assert_eq!(still_running.retry_after_seconds, Some(1));
        drop((first, other));
        drop(turns.take(1, EVERY).unwrap());
        tokio::time::advance(EVERY / 2).await;
        let too_soon = turns.take(1, EVERY).unwrap_err();
        assert_eq!(too_soon.retry_after_seconds, Some(5));
        tokio::time::advance(EVERY / 2).await;
        drop(turns.take(1, EVERY).unwrap());
    }
}
