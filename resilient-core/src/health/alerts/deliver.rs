//! How word of an alert gets out: a callback, the channel of events, and the log.

use std::{
    collections::VecDeque,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
};

use super::{Alert, Change};
use crate::health::{Events, HealthEvent};

/// Called with each change of an alert, in order, one at a time, by whoever caused it: it should
/// be quick. A panic of it is logged and harms nothing.
#[derive(Clone)]
pub struct AlertCallback(Arc<Callback>);

type Callback = dyn Fn(Change, &Alert) + Send + Sync;

impl AlertCallback {
    /// Wraps a function.
    pub fn new(callback: impl Fn(Change, &Alert) + Send + Sync + 'static) -> Self {
        Self(Arc::new(callback))
    }
}

impl fmt::Debug for AlertCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AlertCallback(..)")
    }
}

/// Changes on their way out.
///
/// They are queued in the order they were decided on, and sent by one thread at a time outside
/// of the board's lock: a callback may look at the board, and even observe.
#[derive(Debug)]
pub(super) struct Deliveries {
    queue: Mutex<VecDeque<(Change, Alert)>>,
    sending: Mutex<()>,
    callbacks: Vec<AlertCallback>,
    events: Events,
}

impl Deliveries {
    pub(super) fn new(callbacks: Vec<AlertCallback>, events: Events) -> Self {
        Self {
            queue: Mutex::default(),
            sending: Mutex::default(),
            callbacks,
            events,
        }
    }

    /// Queues a change; under the board's lock.
    pub(super) fn push(&self, change: Change, alert: Alert) {
        self.queue().push_back((change, alert));
    }

    /// Sends what is queued, unless somebody is at it already, who then sends this too.
    pub(super) fn flush(&self) {
        while !self.queue().is_empty() {
            let Ok(_sending) = self.sending.try_lock() else {
                return;
            };
            while let Some((change, alert)) = { self.queue().pop_front() } {
                self.send(change, &alert);
            }
        }
    }

    fn queue(&self) -> std::sync::MutexGuard<'_, VecDeque<(Change, Alert)>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, change: Change, alert: &Alert) {
        log(change, alert);
        for callback in &self.callbacks {
            if catch_unwind(AssertUnwindSafe(|| (callback.0)(change, alert))).is_err() {
                tracing::error!(target: "resilient", kind = %alert.kind, "an alert callback panicked");
            }
        }
        let alert = alert.clone();
        self.events.send(match change {
            Change::Raised => HealthEvent::AlertRaised { alert },
            Change::Escalated => HealthEvent::AlertEscalated { alert },
            Change::Cleared => HealthEvent::AlertCleared { alert },
        });
    }
}

fn log(change: Change, alert: &Alert) {
    macro_rules! event {
        ($level:ident, $text:literal) => {
            tracing::$level!(
                target: "resilient",
                kind = alert.kind.as_str(),
                severity = %alert.severity,
                subject = alert.subject,
                value = alert.value,
                threshold = alert.threshold,
                db.namespace = alert.database,
                concat!($text, ": {}"),
                alert.message,
            )
        };
    }
    match change {
        Change::Raised => event!(warn, "alert raised"),
        Change::Escalated => event!(error, "alert critical"),
        Change::Cleared => event!(info, "alert cleared"),
    }
}
