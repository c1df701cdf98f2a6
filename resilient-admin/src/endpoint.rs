//! The one list of endpoints: routes, permissions and the `OpenAPI` document are made of it.

use std::sync::Arc;

use axum::routing::{MethodRouter, get, post};
use resilient_core::{
    health::{
        alerts::AlertReport,
        constraints::ConstraintsHealth,
        deadlocks::DeadlockReport,
        report::{Diagnostics, HealthReport, SessionsHealth, TablesHealth},
    },
    metrics::Snapshot,
};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::{
    Access, ConnectionPool, DatabaseList, Liveness, Readiness, admin::State, diagnostics, live,
    probes, reports,
};

/// What an endpoint answers with 200.
#[derive(Clone, Copy)]
pub(crate) enum Answers {
    /// JSON of this schema.
    Json(fn(&mut SchemaGenerator) -> Schema),
    /// JSON of no schema of ours.
    AnyJson,
    /// Text of this media type.
    Text(&'static str),
    /// Server-sent events.
    Events,
}

/// Which database an endpoint is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum About {
    /// None.
    Process,
    /// The one of `?database=`, else the first.
    OneOrFirst,
    /// The one of `?database=`, else all of them.
    OneOrAll,
}

/// One endpoint.
pub(crate) struct Endpoint {
    pub(crate) path: &'static str,
    pub(crate) method: &'static str,
    /// What its callers need.
    pub(crate) access: Access,
    pub(crate) about: About,
    pub(crate) answers: Answers,
    pub(crate) summary: &'static str,
    /// Which errors it can answer, those of permission and query aside.
    pub(crate) errors: &'static [u16],
    pub(crate) route: fn() -> MethodRouter<Arc<State>>,
}

impl Endpoint {
    /// Whether it answers everybody the same, so that nobody has to be asked.
    pub(crate) fn is_open(&self) -> bool {
        self.access == Access::None && self.about == About::Process
    }
}

fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

const fn read(
    path: &'static str,
    answers: Answers,
    summary: &'static str,
    route: fn() -> MethodRouter<Arc<State>>,
) -> Endpoint {
    Endpoint {
        path,
        method: "get",
        access: Access::Read,
        about: About::OneOrFirst,
        answers,
        summary,
        errors: &[],
        route,
    }
}

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        access: Access::None,
        about: About::Process,
        ..read(
            "/livez",
            Answers::Json(of::<Liveness>),
            "That the process answers.",
            || get(probes::livez),
        )
    },
    Endpoint {
        access: Access::None,
        about: About::OneOrAll,
        errors: &[401, 503],
        ..read(
            "/readyz",
            Answers::Json(of::<Readiness>),
            "Whether the databases can be used; details only for those who may read.",
            || get(probes::readyz),
        )
    },
    Endpoint {
        about: About::Process,
        ..read("/openapi.json", Answers::AnyJson, "This document.", || {
            get(reports::description)
        })
    },
    Endpoint {
        about: About::Process,
        ..read(
            "/admin/databases",
            Answers::Json(of::<DatabaseList>),
            "The databases there are.",
            || get(reports::databases),
        )
    },
    Endpoint {
        errors: &[503],
        ..read(
            "/admin/database/health",
            Answers::Json(of::<HealthReport>),
            "How the database does and what to do about it, as of a few seconds ago. It comes \
             also when the database is down, and says so.",
            || get(reports::health),
        )
    },
    Endpoint {
        about: About::OneOrAll,
        ..read(
            "/admin/database/metrics",
            Answers::Json(of::<Snapshot>),
            "Counters since the start. Methods are those of the process; `database` chooses among \
             connections and violations.",
            || get(reports::metrics),
        )
    },
    Endpoint {
        about: About::Process,
        ..read(
            "/admin/database/openmetrics",
            Answers::Text(reports::OPENMETRICS),
            "The counters as OpenMetrics text.",
            || get(reports::openmetrics),
        )
    },
    Endpoint {
        method: "post",
        access: Access::Act,
        errors: &[413, 415, 429, 503],
        ..read(
            "/admin/database/diagnostics",
            Answers::Json(of::<Diagnostics>),
            "Looks at everything there is, which costs the database something: one at a time, \
             and not more often than the router allows.",
            || post(diagnostics::diagnostics),
        )
    },
    read(
        "/admin/database/deadlocks",
        Answers::Json(of::<DeadlockReport>),
        "The deadlocks so far: who with whom, over which tables, and what to do.",
        || get(reports::deadlocks),
    ),
    read(
        "/admin/database/connection-pool",
        Answers::Json(of::<ConnectionPool>),
        "The pool, its connections, the circuit breaker and admission.",
        || get(reports::connection_pool),
    ),
    read(
        "/admin/database/sessions",
        Answers::Json(of::<SessionsHealth>),
        "The transactions that are open: whose, and for how long.",
        || get(reports::sessions),
    ),
    Endpoint {
        errors: &[503],
        ..read(
            "/admin/database/constraints",
            Answers::Json(of::<ConstraintsHealth>),
            "The declared constraints, how the live schema differs, and how often each was \
             violated.",
            || get(reports::constraints),
        )
    },
    Endpoint {
        errors: &[503],
        ..read(
            "/admin/database/tables",
            Answers::Json(of::<TablesHealth>),
            "The declared tables: rows, deleted rows, missing indexes.",
            || get(reports::tables),
        )
    },
    read(
        "/admin/database/alerts",
        Answers::Json(of::<AlertReport>),
        "The alerts that stand and those that are over.",
        || get(reports::alerts),
    ),
    Endpoint {
        errors: &[503],
        ..read(
            "/admin/database/events",
            Answers::Events,
            "Snapshots at an interval, and events as they happen.",
            || get(live::events),
        )
    },
];
