//! The dashboard's files. They hold no data, so everybody may have them.

use std::sync::Arc;

use axum::{
    Router,
    extract::OriginalUri,
    response::{IntoResponse, Response},
    routing::{any, get},
};
use http::{HeaderName, StatusCode, header};

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
    "api.js": "text/javascript; charset=utf-8",
    "app.js": "text/javascript; charset=utf-8",
    "charts.js": "text/javascript; charset=utf-8",
    "deadlocks.js": "text/javascript; charset=utf-8",
    "diagnose.js": "text/javascript; charset=utf-8",
    "dom.js": "text/javascript; charset=utf-8",
    "format.js": "text/javascript; charset=utf-8",
    "history.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "methods.js": "text/javascript; charset=utf-8",
    "panels.js": "text/javascript; charset=utf-8",
    "stream.js": "text/javascript; charset=utf-8",
    "style.css": "text/css; charset=utf-8",
    "vendor/uPlot.LICENSE": "text/plain; charset=utf-8",
    "vendor/uPlot.iife.min.js": "text/javascript; charset=utf-8",
    "vendor/uPlot.min.css": "text/css; charset=utf-8",
};

const PAGE: Asset = Asset {
    path: "/",
    media_type: "text/html; charset=utf-8",
    bytes: include_bytes!("../dashboard/index.html"),
};

/// What the page may load: its own files, and what it asks of the endpoints.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

impl Asset {
    fn headers(&self) -> [(HeaderName, &'static str); 2] {
        [
            (header::CONTENT_TYPE, self.media_type),
            (header::CONTENT_SECURITY_POLICY, POLICY),
        ]
    }

    fn response(&self) -> Response {
        (self.headers(), self.bytes).into_response()
    }
}

pub(crate) fn routes(mut router: Router<Arc<State>>) -> Router<Arc<State>> {
    for asset in ASSETS {
        router = router.route(asset.path, get(async || asset.response()));
    }
    // Also as a route, as a router within a router within a router has no fallback.
    router
        .route("/", get(page))
        .route("/{*path}", any(fallback))
}

/// The page. Its links are relative to a path that ends with a slash; where it is asked for
/// without one, as the root of a nested router is, they are told the last segment.
async fn page(OriginalUri(uri): OriginalUri) -> Response {
    let path = uri.path();
    if path.ends_with('/') {
        return PAGE.response();
    }
    let last = path.rsplit('/').next().unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte);
    let (Ok(page), true) = (str::from_utf8(PAGE.bytes), last.bytes().all(plain)) else {
        return Problem::of_status(StatusCode::NOT_FOUND).into_response();
    };
    let links = ASSETS
        .iter()
        .map(|asset| asset.path.trim_start_matches('/'));
    let page = links.fold(page.to_owned(), |page, link| {
        page.replace(&format!("\"{link}\""), &format!("\"./{last}/{link}\""))
    });
    (PAGE.headers(), page).into_response()
}

/// What no route is for.
pub(crate) async fn fallback() -> Problem {
    Problem::of_status(StatusCode::NOT_FOUND)
}
