//! The end of the service, as requests see it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::sync::watch;

use crate::problem::Problem;

/// How far the end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// Not begun.
    Open,
    /// Nothing more is accepted; what was accepted goes on.
    Draining,
    /// What still goes on is cut off.
    Cut,
}

/// How far the end has come, and who is still being served.
#[derive(Clone, Debug)]
pub(crate) struct Stopping {
    phase: watch::Sender<Phase>,
    cut: Arc<AtomicUsize>,
}

impl Stopping {
    pub(crate) fn new() -> Self {
        Self {
            phase: watch::Sender::new(Phase::Open),
            cut: Arc::default(),
        }
    }

    /// Accepts nothing more, and ends event streams.
    pub(crate) fn begin(&self) {
        self.phase.send_replace(Phase::Draining);
    }

    /// Cuts off the requests that are still being worked on.
    pub(crate) fn cut_off(&self) {
        self.phase.send_replace(Phase::Cut);
    }

    pub(crate) fn has_begun(&self) -> bool {
        *self.phase.borrow() >= Phase::Draining
    }

    /// How many requests were cut off.
    pub(crate) fn were_cut(&self) -> usize {
        self.cut.load(Ordering::Relaxed)
    }

    /// Until the end has begun.
    pub(crate) async fn begun(&self) {
        self.at(Phase::Draining).await;
    }

    async fn at(&self, phase: Phase) {
        let mut seen = self.phase.subscribe();
        // An error would mean that the sender is gone, and `self` is one.
        let _always = seen.wait_for(|now| *now >= phase).await;
    }
}

/// Serves a request until it is cut off: then its work is dropped, and so rolled back unless it
/// was being stored, and it is answered all the same.
pub(crate) async fn until_cut(
    State(stopping): State<Stopping>,
    request: Request,
    next: Next,
) -> Response {
    tokio::select! {
        response = next.run(request) => response,
        () = stopping.at(Phase::Cut) => {
            stopping.cut.fetch_add(1, Ordering::Relaxed);
            Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "cut_off",
                "the service has ended before this was done; it may be stored or not",
            )
            .suggest("send the same request again, a transfer with the same Idempotency-Key")
            .into_response()
        }
    }
}
