//! The endpoints that answer reports.

use std::{future::Future, sync::Arc, time::Duration};

use axum::{
    extract::State as Shared,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};
use resilient_core::{
    admission::AdmissionSnapshot,
    health::{ConnectionReport, PoolReport, breaker::BreakerReport},
    metrics,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    Problem,
    admin::State,
    openapi,
    params::{Chosen, Named},
    problem::json,
};

/// The databases there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct DatabaseList {
    /// Each of them; the first is meant where a request names none.
    pub databases: Vec<DatabaseEntry>,
}

/// One database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct DatabaseEntry {
    /// The name that `?database=` takes.
    pub name: String,
    /// Its name in metrics and reports.
    pub connection: String,
}

/// A pool, its connections, and what stands before them.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct ConnectionPool {
    /// The database's name.
    pub database: String,
    /// How full the pool is, and who waits.
    pub pool: PoolReport,
    /// The pooled connections that are known.
    pub connections: Vec<ConnectionReport>,
    /// The circuit breaker, if there is one.
    pub breaker: Option<BreakerReport>,
    /// How many transactions of each method are open and may be.
    pub admission: Vec<AdmissionSnapshot>,
}

pub(crate) const JSON: &str = "application/json";
pub(crate) const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

fn ok<T: Serialize>(value: &T) -> Response {
    json(StatusCode::OK, JSON, value)
}

/// Waits for an answer as long as that is allowed.
async fn within<T: Serialize>(limit: Duration, answer: impl Future<Output = T>) -> Response {
    match tokio::time::timeout(limit, answer).await {
        Ok(report) => ok(&report),
        Err(_) => too_long().into_response(),
    }
}

pub(crate) fn too_long() -> Problem {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let detail = "the database did not answer in time";
    Problem::later(status, detail, Duration::from_secs(5))
}

type Admin = Shared<Arc<State>>;

pub(crate) async fn databases(Shared(state): Admin) -> Response {
    let names = state.databases.names().into_iter();
    let databases = names.filter_map(|name| {
        let connection = state.databases.source(&name)?.name().to_owned();
        Some(DatabaseEntry { name, connection })
    });
    ok(&DatabaseList {
        databases: databases.collect(),
    })
}

pub(crate) async fn health(Shared(state): Admin, chosen: Chosen) -> Response {
    let settings = &state.settings;
    let report = chosen.source.health(settings.max_age);
    within(settings.answer_limit, report).await
}

pub(crate) async fn tables(Shared(state): Admin, chosen: Chosen) -> Response {
    let settings = &state.settings;
    let tables = chosen.source.tables(settings.max_age);
    within(settings.answer_limit, tables).await
}

pub(crate) async fn constraints(Shared(state): Admin, chosen: Chosen) -> Response {
    let settings = &state.settings;
    let constraints = chosen.source.constraints(settings.max_age);
    within(settings.answer_limit, constraints).await
}

pub(crate) async fn connection_pool(chosen: Chosen) -> Response {
    let source = &chosen.source;
    ok(&ConnectionPool {
        database: source.name().to_owned(),
        pool: source.pool(),
        connections: source.connections(),
        breaker: source.breaker(),
        admission: source.admission(),
    })
}

pub(crate) async fn sessions(chosen: Chosen) -> Response {
    ok(&chosen.source.sessions())
}

pub(crate) async fn deadlocks(chosen: Chosen) -> Response {
    ok(&chosen.source.deadlocks())
}

pub(crate) async fn alerts(chosen: Chosen) -> Response {
    ok(&chosen.source.alerts())
}

pub(crate) async fn metrics(named: Named) -> Response {
    let mut snapshot = metrics::global().snapshot();
    if let Named(Some((_, source))) = named {
        let here = |name: &String| name == source.name();
        snapshot.connections.retain(|name, _| here(name));
        snapshot.databases.retain(|name, _| here(name));
        snapshot.violations.retain(|one| here(&one.connection));
    }
    ok(&snapshot)
}

/// The process's numbers for a scraper. They are of all databases, told apart by labels.
pub(crate) async fn openmetrics() -> Response {
    let headers = [(header::CONTENT_TYPE, OPENMETRICS)];
    (headers, metrics::global().openmetrics()).into_response()
}

pub(crate) async fn description() -> Response {
    ok(&*openapi::DOCUMENT)
}
