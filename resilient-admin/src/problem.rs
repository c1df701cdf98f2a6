//! Errors as problem documents, RFC 9457.

use std::time::Duration;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;

/// Why a request was not answered as asked, RFC 9457 (`application/problem+json`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Problem {
    /// What kind of problem: `about:blank`, so that the status says it.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What was wrong, and what to do.
    pub detail: String,
    /// The names of the databases there are, where one was asked for that there is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub databases: Option<Vec<String>>,
    /// After how many seconds to ask again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u64>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank".to_owned(),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            databases: None,
            retry_after_seconds: None,
        }
    }

    /// There is no database of this name. The name itself is the caller's, and not repeated.
    pub(crate) fn unknown_database(known: Vec<String>) -> Self {
        let detail = if known.is_empty() {
            "no database is registered"
        } else {
            "there is no database of this name; `databases` lists those there are"
        };
        Self {
            databases: Some(known),
            ..Self::new(StatusCode::NOT_FOUND, detail)
        }
    }

    /// To be asked again later.
    pub(crate) fn later(status: StatusCode, detail: &str, after: Duration) -> Self {
        // A whole number of seconds, at least one.
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        Self {
            retry_after_seconds: Some(seconds.max(1)),
            ..Self::new(status, detail)
        }
    }

    /// What a bare answer of the router means.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        let detail = match status {
            StatusCode::NOT_FOUND => "there is nothing at this path; openapi.json lists the paths",
            StatusCode::METHOD_NOT_ALLOWED => "the `Allow` header lists what this path answers to",
            StatusCode::PAYLOAD_TOO_LARGE => "the body is too large",
            StatusCode::UNSUPPORTED_MEDIA_TYPE => "the body has to be `application/json`",
            StatusCode::BAD_REQUEST => "the request is not understood",
            _ => "the request failed",
        };
        Self::new(status, detail)
    }
}

/// Serialises to JSON, or to a problem where that fails.
pub(crate) fn json<T: Serialize>(
    status: StatusCode,
    media_type: &'static str,
    value: &T,
) -> Response {
    let bytes = match serde_json::to_vec(value) {
        Ok(bytes) => bytes,
        Err(error) => {
            tracing::error!(target: "resilient", %error, "a report does not serialise");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status);
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = json(status, PROBLEM_JSON, &self);
        if let Some(seconds) = self.retry_after_seconds {
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

pub(crate) const PROBLEM_JSON: &str = "application/problem+json";
