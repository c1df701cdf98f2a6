//! `POST /users`.

use axum::{
    extract::State,
    http::{HeaderName, StatusCode, header},
    response::IntoResponse,
};

use super::{Bank, input::Json};
use crate::{
    problem::Problem,
    repositories::{SignUp, SignedUp},
};

/// 201 with the user and their account; 409 and 422 say what cannot be had, and why.
pub(super) async fn sign_up(
    State(bank): State<Bank>,
    Json(wanted): Json<SignUp>,
) -> Result<impl IntoResponse, Problem> {
    check(&wanted)?;
    let new = bank.users.sign_up(&wanted).await;
    new.map(created).map_err(|error| Problem::of_write(&error))
}

/// What the database need not be asked for.
fn check(wanted: &SignUp) -> Result<(), Problem> {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if wanted.handle.len() > 40 || !wanted.handle.chars().all(letters) {
        let detail = "a handle has at most 40 of a to z, 0 to 9 and _";
        return Err(Problem::refused("handle_not_allowed", "handle", detail));
    }
    // Whether mail arrives there is for a mail to find out.
    let parts = wanted.email.split_once('@');
    let plausible = parts.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
    let plain = wanted.email.chars().all(|c| c.is_ascii_graphic());
    if wanted.email.len() > 190 || !plausible || !plain {
        let detail = "an e-mail address is name@host, without spaces, of at most 190 characters";
        return Err(Problem::refused("email_not_allowed", "email", detail));
    }
    Ok(())
}

fn created(new: SignedUp) -> (StatusCode, [(HeaderName, String); 1], axum::Json<SignedUp>) {
    let place = format!("/accounts/{}", new.account.id);
    (
        StatusCode::CREATED,
        [(header::LOCATION, place)],
        axum::Json(new),
    )
}
