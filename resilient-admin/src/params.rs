//! What a query string may say.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Query};
use http::{StatusCode, request::Parts};
use resilient_core::health::Source;
use serde::Deserialize;

use crate::{Access, Problem, admin::State};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    database: Option<String>,
}

/// The database that a request names, if it names one. A parameter that is not known is refused:
/// it could be a misspelt name, and the answer another database's.
#[derive(Debug)]
pub(crate) struct Named(pub(crate) Option<(String, Arc<dyn Source>)>);

impl FromRequestParts<Arc<State>> for Named {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &Arc<State>,
    ) -> Result<Self, Self::Rejection> {
        let Ok(Query(params)) = Query::<Params>::try_from_uri(&parts.uri) else {
            let detail = "the query string may be `database=NAME`, once, and nothing else";
            return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
        };
        let Some(name) = params.database else {
            return Ok(Self(None));
        };
        // Whether there is one of that name is not for everybody: a probe asks for all.
        let access = parts.extensions.get::<Access>();
        if access.is_none_or(|access| *access < Access::Read) {
            let detail = "to ask for one database takes the permission to read";
            return Err(Problem::new(StatusCode::UNAUTHORIZED, detail));
        }
        match state.databases.source(&name) {
            Some(source) => Ok(Self(Some((name, source)))),
            None => Err(Problem::unknown_database(state.databases.names())),
        }
    }
}

/// The database that a request is about: the one that it names, else the first.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) name: String,
    pub(crate) source: Arc<dyn Source>,
}

impl FromRequestParts<Arc<State>> for Chosen {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &Arc<State>,
    ) -> Result<Self, Self::Rejection> {
        let Named(named) = Named::from_request_parts(parts, state).await?;
        if let Some((name, source)) = named {
            return Ok(Self { name, source });
        }
        // The first may be gone by the time it is looked up.
        let all = state.databases.names();
        let found = all.iter().find_map(|name| {
            let source = state.databases.source(name)?;
            let name = name.clone();
            Some(Self { name, source })
        });
        found.ok_or_else(|| Problem::unknown_database(all))
    }
}
