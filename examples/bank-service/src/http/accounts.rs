//! `GET /accounts/{id}`, its statement, and the audit of all of them.

use axum::{Json, extract::State};
use serde::Deserialize;
use uuid::Uuid;

use super::{
    Bank,
    input::{InPath, InQuery},
};
use crate::{
    entities::account,
    problem::Problem,
    repositories::{Books, Statement},
};

/// 200 with the account, 404.
pub(super) async fn show(
    State(bank): State<Bank>,
    InPath(id): InPath<i64>,
) -> Result<Json<account::Model>, Problem> {
    let found = bank.accounts.find(id).await;
    let found = found.map_err(|error| Problem::of_read(&error))?;
    found.map(Json).ok_or_else(no_account)
}

/// Which part of a statement.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    /// How many transfers at most; 50 by default, 200 at most.
    limit: Option<u64>,
    /// The one that they come before.
    before: Option<Uuid>,
}

/// 200 with the account and its last transfers, 404.
pub(super) async fn statement(
    State(bank): State<Bank>,
    InPath(id): InPath<i64>,
    InQuery(page): InQuery<Page>,
) -> Result<Json<Statement>, Problem> {
    let limit = page.limit.unwrap_or(50);
    if !(1..=200).contains(&limit) {
        let detail = "the limit of a statement is from 1 to 200 transfers";
        return Err(Problem::refused("limit_out_of_range", "limit", detail));
    }
    let before = page.before.map(|before| before.to_string());
    let found = (bank.accounts.statement(id, before.as_deref(), limit)).await;
    let found = found.map_err(|error| Problem::of_read(&error))?;
    found.map(Json).ok_or_else(no_account)
}

/// 200 with what all accounts and transfers add up to.
pub(super) async fn audit(State(bank): State<Bank>) -> Result<Json<Books>, Problem> {
    let books = bank.audit.books().await;
    books.map(Json).map_err(|error| Problem::of_read(&error))
}

fn no_account() -> Problem {
    Problem::not_found("there is no such account")
}
