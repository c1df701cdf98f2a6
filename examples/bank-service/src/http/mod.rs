//! What the bank answers over HTTP.

mod accounts;
mod input;
mod probes;
pub(crate) mod stopping;
mod transfers;
mod trouble;
mod users;

use std::any::Any;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::StatusCode,
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use resilient_sea_orm::ResilientConnection;
use tower_http::{catch_panic::CatchPanicLayer, trace::TraceLayer};

use crate::{
    problem::Problem,
    repositories::{Accounts, Audit, Transfers, Users},
    trouble::Trouble,
};
use stopping::Stopping;

/// No request of the bank is larger, in bytes.
const LARGEST_BODY: usize = 16 * 1024;

/// What handlers work with.
#[derive(Clone, Debug)]
pub(crate) struct Bank {
    db: ResilientConnection,
    stopping: Stopping,
    users: Users,
    accounts: Accounts,
    transfers: Transfers,
    audit: Audit,
    trouble: Option<Trouble>,
}

impl Bank {
    pub(crate) fn new(db: &ResilientConnection, stopping: &Stopping, trouble: bool) -> Self {
        Self {
            db: db.clone(),
            stopping: stopping.clone(),
            users: Users::new(db),
            accounts: Accounts::new(db),
            transfers: Transfers::new(db),
            audit: Audit::new(db),
            trouble: trouble.then(|| Trouble::new(db)),
        }
    }
}

/// Every address of the bank, with `ops` below `/ops`.
pub(crate) fn router(bank: Bank, ops: Router) -> Router {
    let stopping = bank.stopping.clone();
    Router::new()
        .route("/users", post(users::sign_up))
        .route("/accounts/{id}", get(accounts::show))
        .route("/accounts/{id}/statement", get(accounts::statement))
        .route("/transfers", post(transfers::make))
        .route("/transfers/{id}", get(transfers::show))
        .route("/audit", get(accounts::audit))
        .route("/trouble/leak", post(trouble::leak))
        .route("/trouble/slow", post(trouble::slow))
        .route("/livez", get(probes::live))
        .route("/readyz", get(probes::ready))
        .fallback(async || Problem::not_found("there is nothing at this address"))
        .method_not_allowed_fallback(async || {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "this address has other methods; the header Allow lists them",
            )
        })
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(bank)
        // Not `nest`, for which `/ops/` would be another address than `/ops`.
        .nest_service("/ops", ops)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(
            stopping,
            stopping::until_cut,
        ))
        .layer(TraceLayer::new_for_http())
}

/// A bug of ours. The transaction it happened in is rolled back.
fn panicked(_: Box<dyn Any + Send>) -> Response {
    tracing::error!("a handler has panicked");
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "something is wrong on our side",
    )
    .into_response()
}
