//! What stands before and behind every endpoint: permissions, limits, headers.

use std::sync::Arc;

use axum::{
    extract::{Request, State as Shared},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts};
use tokio::time::timeout;

use crate::{Access, Problem, access::bearer, admin::State, problem::PROBLEM_JSON, reports::JSON};

/// The most bytes of a request's body.
pub(crate) const BODY_LIMIT: usize = 4096;

/// What an endpoint asks of its callers.
#[derive(Clone)]
pub(crate) struct Guard {
    state: Arc<State>,
    needed: Access,
}

impl Guard {
    pub(crate) fn new(state: &Arc<State>, needed: Access) -> Self {
        Self {
            state: Arc::clone(state),
            needed,
        }
    }
}

/// Lets those through who may. What a request may do is left in its extensions.
pub(crate) async fn admit(Shared(guard): Shared<Guard>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let settings = &guard.state.settings;
    let (limit, public) = match guard.needed {
        // Probes are answered, whatever has become of whom an authoriser asks.
        Access::None => (settings.readiness_limit, true),
        _ => (settings.answer_limit, false),
    };
    let access = match timeout(limit, guard.state.authorizer.access(&parts)).await {
        Ok(access) => access,
        Err(_) if public => Access::None,
        Err(_) => {
            let detail = "it could not be found out in time what this request may do";
            let status = StatusCode::SERVICE_UNAVAILABLE;
            return Problem::later(status, detail, limit).into_response();
        }
    };
    if access < guard.needed {
        return refused(access, &parts);
    }
    let writes = !matches!(parts.method, Method::GET | Method::HEAD);
    if writes && bearer(&parts).is_none() && !is_same_origin(&parts) {
        let detail = "a page of another origin could have sent this: send a bearer token, or \
                      `Sec-Fetch-Site: same-origin`";
        return Problem::new(StatusCode::FORBIDDEN, detail).into_response();
    }
    parts.extensions.insert(access);
    next.run(Request::from_parts(parts, body)).await
}

fn refused(access: Access, parts: &Parts) -> Response {
    if access > Access::None {
        let detail = "this takes the permission to act";
        return Problem::new(StatusCode::FORBIDDEN, detail).into_response();
    }
    let detail = "this takes an authorisation that has the permission to do it";
    let mut response = Problem::new(StatusCode::UNAUTHORIZED, detail).into_response();
    if parts.headers.contains_key(header::AUTHORIZATION) {
        let challenge = "Bearer realm=\"resilient\", error=\"invalid_token\"";
        let challenge = HeaderValue::from_static(challenge);
        let headers = response.headers_mut();
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// How to authorise oneself, where nothing more is said about it.
const CHALLENGE: &str = "Bearer realm=\"resilient\"";

/// Whether a browser says that the page is ours. What says nothing is refused: only browsers
/// add cookies and the like to what others have them send, but old ones do not say for whom.
fn is_same_origin(parts: &Parts) -> bool {
    let text = |name: &str| {
        let value = parts.headers.get(name)?;
        value.to_str().ok()
    };
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin";
    }
    let (Some(origin), Some(host)) = (text("origin"), text("host")) else {
        return false;
    };
    let of_origin = origin.split_once("://").map(|(_, host)| host);
    of_origin.is_some_and(|of_origin| of_origin.eq_ignore_ascii_case(host))
}

/// Refuses bodies that are said to be too large, makes every error a problem document, and adds
/// the headers that every answer has.
pub(crate) async fn around(request: Request, next: Next) -> Response {
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let mut response = match length {
        Some(length) if length > BODY_LIMIT as u64 => {
            Problem::of_status(StatusCode::PAYLOAD_TOO_LARGE).into_response()
        }
        _ => next.run(request).await,
    };
    let status = response.status();
    if status.is_client_error() || status.is_server_error() {
        // What the router itself answers is text, or nothing.
        let told = response.headers().get(header::CONTENT_TYPE);
        let ours = told.is_some_and(|told| told == PROBLEM_JSON || told == JSON);
        if !ours {
            let allow = response.headers().get(header::ALLOW).cloned();
            response = Problem::of_status(status).into_response();
            if let Some(allow) = allow {
                response.headers_mut().insert(header::ALLOW, allow);
            }
        }
    }
    if status == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static(CHALLENGE);
        let headers = response.headers_mut();
        headers.entry(header::WWW_AUTHENTICATE).or_insert(challenge);
    }
    secure(response.headers_mut());
    response
}

/// Nothing may be loaded from anywhere.
const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; \
                       form-action 'none'";

fn secure(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(NOTHING));
}
