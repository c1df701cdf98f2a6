//! `GET /admin/database/events`: what happens, as it happens, for any number of listeners.

mod feed;
pub(crate) mod snapshot;

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use axum::{
    body::Body,
    extract::State as Shared,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderName, HeaderValue, StatusCode, header};
use resilient_core::health::Sources;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, broadcast, broadcast::error::RecvError},
    time::timeout,
};

use self::{feed::Feed, snapshot::Missed};
use crate::{
    Problem,
    admin::{End, Settings, State},
    params::Chosen,
};

/// All event streams of a router.
pub(crate) struct Hub {
    databases: Arc<dyn Sources>,
    settings: Settings,
    end: Option<End>,
    places: Arc<Semaphore>,
    /// By the name that was asked for. Those who listen keep a feed alive.
    feeds: Mutex<HashMap<String, Weak<Feed>>>,
}

impl Hub {
    pub(crate) fn new(databases: Arc<dyn Sources>, settings: &Settings, end: Option<End>) -> Self {
        let places = settings.max_streams.min(Semaphore::MAX_PERMITS);
        Self {
            databases,
            settings: settings.clone(),
            end,
            places: Arc::new(Semaphore::new(places)),
            feeds: Mutex::default(),
        }
    }

    /// The feed of this database, started if nobody listens to it yet.
    fn feed(&self, name: &str) -> Arc<Feed> {
        let mut feeds = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        let known = feeds.get(name).and_then(Weak::upgrade);
        if let Some(feed) = known.filter(|feed| !feed.has_ended()) {
            return feed;
        }
        feeds.retain(|_, feed| feed.strong_count() > 0);
        let feed = Feed::start(name, &self.databases, &self.settings, self.end.clone());
        let feed = Arc::new(feed);
        feeds.insert(name.to_owned(), Arc::downgrade(&feed));
        feed
    }
}

/// What is sent to all listeners alike; `None` is the end.
type Frame = Option<Bytes>;

/// An event as it is sent.
fn frame(id: u64, event: &str, data: &impl serde::Serialize) -> Option<Bytes> {
    let data = match serde_json::to_string(data) {
        Ok(data) => data,
        Err(error) => {
            tracing::error!(target: "resilient", %error, event, "an event does not serialise");
            return None;
        }
    };
    // JSON on one line has no line breaks of its own.
    Some(format!("id: {id}\nevent: {event}\ndata: {data}\n\n").into())
}

/// One who listens.
struct Listener {
    frames: broadcast::Receiver<Frame>,
    first: Option<Bytes>,
    keep_alive: Duration,
    _feed: Arc<Feed>,
    _place: OwnedSemaphorePermit,
}

impl Listener {
    /// What to send next; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        match timeout(self.keep_alive, self.frames.recv()).await {
            Ok(Ok(frame)) => frame,
            Ok(Err(RecvError::Lagged(missed))) => Some(lagged(missed)),
            Ok(Err(RecvError::Closed)) => None,
            Err(_) => Some(Bytes::from_static(b": nothing happened\n\n")),
        }
    }
}

/// Tells of what somebody missed. Without an id, as it is no event of its own.
fn lagged(missed: u64) -> Bytes {
    let data = serde_json::json!(Missed { missed });
    format!("event: lagged\ndata: {data}\n\n").into()
}

/// How long a browser waits before it connects again.
const RETRY: &[u8] = b"retry: 3000\n\n";

pub(crate) async fn events(
    Shared(state): Shared<Arc<State>>,
    chosen: Chosen,
) -> Result<Response, Problem> {
    let hub = &state.hub;
    let place = Arc::clone(&hub.places).try_acquire_owned().map_err(|_| {
        let detail = "there are as many event streams as the router allows";
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Problem::later(status, detail, Duration::from_secs(30))
    })?;
    let feed = hub.feed(&chosen.name);
    let listener = feed.listen().map(|(frames, first)| Listener {
        frames,
        first,
        keep_alive: state.settings.keep_alive,
        _feed: Arc::clone(&feed),
        _place: place,
    });
    // Without a listener the service is about to end, and so is the stream.
    let rest = stream::unfold(listener, async |listener| {
        let mut listener = listener?;
        Some((listener.next().await?, Some(listener)))
    });
    let all = stream::once(async { Bytes::from_static(RETRY) }).chain(rest);
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/event-stream"),
        ),
        // Proxies pass on what comes as it comes.
        (
            HeaderName::from_static("x-accel-buffering"),
            HeaderValue::from_static("no"),
        ),
    ];
    let body = Body::from_stream(all.map(Ok::<_, Infallible>));
    Ok((headers, body).into_response())
}
