//! `/livez` and `/readyz`, for whoever starts this process and sends requests its way.

use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use resilient_sea_orm::CheckStrategy;
use serde_json::json;

use super::Bank;
use crate::problem::Problem;

/// 200 for as long as the process can answer at all.
pub(super) async fn live() -> impl IntoResponse {
    Json(json!({ "status": "alive" }))
}

/// 200 while requests can be served; 503 when the database does not answer within the check's
/// timeout, and once the service is ending.
pub(super) async fn ready(State(bank): State<Bank>) -> Result<impl IntoResponse, Problem> {
    let not = |code, detail| Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, detail);
    if bank.stopping.has_begun() {
        return Err(not("stopping", "the service is ending"));
    }
    let check = bank.db.check_health(CheckStrategy::Quick).await;
    if check.is_usable() {
        Ok(Json(json!({ "status": "ready" })))
    } else {
        Err(not("database_down", "the database does not answer"))
    }
}
