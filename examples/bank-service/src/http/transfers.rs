//! `POST /transfers` and `GET /transfers/{id}`.

use axum::{
    Json as Answer,
    extract::State,
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::IntoResponse,
};
use resilient_sea_orm::CommitToken;
use serde::Deserialize;
use uuid::Uuid;

use super::{
    Bank,
    input::{InPath, InQuery, Json},
};
use crate::{
    entities::transfer,
    problem::Problem,
    repositories::{Became, Locks, Made, Order},
};

/// No transfer is larger, in cents.
const LARGEST: i64 = 100_000_000_000;

/// A transfer as it is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    from: i64,
    to: i64,
    cents: i64,
}

/// How a transfer is to be made.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct How {
    /// `unsorted` makes deadlocks, and is only there if trouble is on.
    order: Option<String>,
}

/// 201 if the money moved now, 200 if it had moved by an earlier request with this key, 422 if it
/// cannot be moved, 503 if nobody could tell or the database cannot do it.
pub(super) async fn make(
    State(bank): State<Bank>,
    InQuery(how): InQuery<How>,
    headers: HeaderMap,
    Json(wanted): Json<Wanted>,
) -> Result<impl IntoResponse, Problem> {
    let locks = locks(&bank, how.order.as_deref())?;
    let order = Order {
        key: key(&headers)?,
        from: wanted.from,
        to: wanted.to,
        cents: wanted.cents,
    };
    if order.from == order.to {
        let detail = "the two accounts are the same";
        return Err(Problem::refused("same_account", "to", detail));
    }
    if !(1..=LARGEST).contains(&order.cents) {
        let detail = "a transfer is of 1 to 100000000000 cents";
        return Err(Problem::refused("amount_out_of_range", "cents", detail));
    }
    let made = bank.transfers.make(&order, locks).await;
    let (status, made) = match made.map_err(|error| Problem::of_transfer(error, &order.key))? {
        Made::Now(made) => (StatusCode::CREATED, made),
        Made::Before(made) => (StatusCode::OK, made),
    };
    let place = format!("/transfers/{}", made.id);
    let place: [(HeaderName, String); 1] = [(header::LOCATION, place)];
    Ok((status, place, Answer(made)))
}

/// How the outcome of a transfer is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// What the answer "unknown" came with; with it the answer is final.
    commit: Option<String>,
}

/// 200 with the transfer; 404 if it is not stored, with `commit` for ever.
pub(super) async fn show(
    State(bank): State<Bank>,
    InPath(id): InPath<Uuid>,
    InQuery(asked): InQuery<Asked>,
) -> Result<Answer<transfer::Model>, Problem> {
    let id = id.to_string();
    let Some(token) = asked.commit else {
        let found = bank.transfers.find(&id).await;
        let found = found.map_err(|error| Problem::of_read(&error))?;
        return found.map(Answer).ok_or_else(|| {
            Problem::not_found("no such transfer is stored now")
                .suggest("if one may be under way, send it again with its Idempotency-Key")
        });
    };
    let token: CommitToken = token.parse().map_err(|_| {
        Problem::refused("not_a_commit", "commit", "commit is 32 hexadecimal digits")
    })?;
    let became = bank.transfers.became(&id, token).await;
    match became.map_err(|error| Problem::of_asking(&error, &id))? {
        Became::Stored(made) => Ok(Answer(made)),
        Became::NotStored => Err(Problem::new(
            StatusCode::NOT_FOUND,
            "not_stored",
            "that attempt is not stored, and never will be",
        )),
        Became::OfSomethingElse => Err(Problem::refused(
            "not_its_commit",
            "commit",
            "that commit was of something else than this transfer",
        )),
    }
}

fn locks(bank: &Bank, order: Option<&str>) -> Result<Locks, Problem> {
    match order {
        None | Some("sorted") => Ok(Locks::Sorted),
        Some("unsorted") if bank.trouble.is_some() => Ok(Locks::Unsorted),
        Some(_) => Err(Problem::refused(
            "order_not_allowed",
            "order",
            "order is sorted, or unsorted if the service was started with TROUBLE=on",
        )),
    }
}

/// The client's key: a UUID, so that every engine finds the same keys equal.
fn key(headers: &HeaderMap) -> Result<String, Problem> {
    let mut keys = headers.get_all("idempotency-key").iter();
    let (key, more) = (keys.next(), keys.next());
    let Some(key) = key.filter(|_| more.is_none()) else {
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "idempotency_key_missing",
            "a transfer needs one header Idempotency-Key",
        )
        .suggest("make a UUID for each transfer, and send the same one with each retry"));
    };
    // The draft writes it as a string in quotes.
    let text = key.to_str().unwrap_or_default().trim_matches('"');
    Uuid::parse_str(text)
        .map(|key| key.to_string())
        .map_err(|_| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "idempotency_key_not_allowed",
                "an Idempotency-Key is a UUID",
            )
        })
}
