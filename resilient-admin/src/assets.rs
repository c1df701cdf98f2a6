//! The dashboard's files. They hold no data, so everybody may have them.

use std::sync::Arc;

use axum::{
    Router,
    extract::{OriginalUri, Request},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderValue, Method, StatusCode, Uri, header};

use crate::{Problem, admin::State};

/// One file: its path below the mount, its media type, and what is in it.
struct Asset {
    path: &'static str,
    media_type: &'static str,
    bytes: &'static [u8],
}

macro_rules! assets {
    ($($path:literal: $media_type:literal),* $(,)?) => {
        &[$(Asset {
            path: concat!("/", $path),
            media_type: $media_type,
            bytes: include_bytes!(concat!("../dashboard/", $path)),
        }),*]
    };
}

/// All but the page itself. A file of the dashboard that is not listed here is not served.
const ASSETS: &[Asset] = assets! {
    "app.js": "text/javascript; charset=utf-8",
    "style.css": "text/css; charset=utf-8",
};

const PAGE: Asset = Asset {
    path: "/",
    media_type: "text/html; charset=utf-8",
    bytes: include_bytes!("../dashboard/index.html"),
};

/// What the page may load: its own files, and what it asks of the endpoints.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' \
                      data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

impl Asset {
    fn response(&self) -> Response {
        let headers = [
            (header::CONTENT_TYPE, self.media_type),
            (header::CONTENT_SECURITY_POLICY, POLICY),
        ];
        (headers, self.bytes).into_response()
    }
}

pub(crate) fn routes(mut router: Router<Arc<State>>) -> Router<Arc<State>> {
    for asset in ASSETS {
        router = router.route(asset.path, get(async || asset.response()));
    }
    router.route("/", get(page))
}

/// The page, at a path that ends with a slash: its own links are relative.
async fn page(OriginalUri(uri): OriginalUri) -> Response {
    let path = uri.path();
    if path.ends_with('/') {
        return PAGE.response();
    }
    // Relative, as a proxy may know it by another path.
    let last = path.rsplit('/').next().unwrap_or_default();
    match HeaderValue::from_str(&format!("./{last}/")) {
        Ok(location) => {
            let headers = [(header::LOCATION, location)];
            (StatusCode::PERMANENT_REDIRECT, headers).into_response()
        }
        Err(_) => Problem::of_status(StatusCode::NOT_FOUND).into_response(),
    }
}

/// What no route is for. A nested router's own root with a slash comes here too.
pub(crate) async fn fallback(uri: Uri, original: OriginalUri, request: Request) -> Response {
    if !matches!(uri.path(), "" | "/") {
        return Problem::of_status(StatusCode::NOT_FOUND).into_response();
    }
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return page(original).await;
    }
    let allow = [(header::ALLOW, "GET,HEAD")];
    let problem = Problem::of_status(StatusCode::METHOD_NOT_ALLOWED);
    (allow, problem).into_response()
}
