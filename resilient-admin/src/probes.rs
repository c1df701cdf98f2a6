//! `/livez` and `/readyz`: for whoever restarts processes, and routes to them.

use std::sync::Arc;

use axum::{
    extract::State as Shared,
    response::{IntoResponse, Response},
};
use futures_util::future::join_all;
use http::{Extensions, StatusCode};
use resilient_core::health::{Source, report::HealthSummary};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::timeout;

use crate::{Access, Problem, admin::State, params::Named, problem::json, reports::JSON};

/// That the process answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Liveness {
    /// `alive`.
    pub status: String,
}

/// Whether the databases can be used.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Readiness {
    /// Whether all of them can.
    pub status: ReadinessStatus,
    /// Each of them; only for those who may read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub databases: Option<Vec<ReadinessEntry>>,
}

/// Whether one database can be used.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct ReadinessEntry {
    /// The name that `?database=` takes.
    pub name: String,
    /// Whether it can be used.
    pub ready: bool,
    /// How it does; `None` if that could not be found out in time.
    pub summary: Option<HealthSummary>,
}

/// Whether requests can be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReadinessStatus {
    /// Yes.
    Ready,
    /// No.
    NotReady,
}

pub(crate) async fn livez() -> Response {
    let status = "alive".to_owned();
    json(StatusCode::OK, JSON, &Liveness { status })
}

pub(crate) async fn readyz(
    Shared(state): Shared<Arc<State>>,
    Named(named): Named,
    extensions: Extensions,
) -> Response {
    let asked = match named {
        Some(one) => vec![one],
        None => all(&state),
    };
    let limit = state.settings.readiness_limit;
    let entries = join_all(asked.into_iter().map(async |(name, source)| {
        let summary = timeout(limit, source.readiness()).await.ok();
        ReadinessEntry {
            ready: summary.as_ref().is_some_and(HealthSummary::is_usable),
            name,
            summary,
        }
    }))
    .await;
    // Nothing can be served without a database.
    let ready = !entries.is_empty() && entries.iter().all(|entry| entry.ready);
    let (status, code) = if ready {
        (ReadinessStatus::Ready, StatusCode::OK)
    } else {
        (ReadinessStatus::NotReady, StatusCode::SERVICE_UNAVAILABLE)
    };
    let may_read = extensions
        .get::<Access>()
        .is_some_and(|a| *a >= Access::Read);
    if !ready && !may_read {
        let detail = "a database cannot be used; who may read is told which, and why";
        return Problem::new(code, detail).into_response();
    }
    let databases = may_read.then_some(entries);
    json(code, JSON, &Readiness { status, databases })
}

fn all(state: &State) -> Vec<(String, Arc<dyn Source>)> {
    let names = state.databases.names().into_iter();
    names
        .filter_map(|name| Some((state.databases.source(&name)?, name)))
        .map(|(source, name)| (name, source))
        .collect()
}
