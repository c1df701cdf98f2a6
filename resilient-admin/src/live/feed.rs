//! The one task that feeds all who listen to a database.

use std::{
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::{FutureExt, future};
use resilient_core::health::{Source, Sources};
use tokio::{
    sync::{broadcast, broadcast::error::RecvError},
    task::AbortHandle,
    time::{MissedTickBehavior, interval, timeout},
};

use super::{Frame, frame, lagged, snapshot::Before};
use crate::admin::{End, Settings};

/// How many frames a listener can be behind before it misses some.
const CAPACITY: usize = 64;

/// How often it is asked whether the database is still the same one.
const SAME_EVERY: Duration = Duration::from_secs(1);

/// What feeds a database's listeners. It ends with the last one who holds it.
pub(super) struct Feed {
    wire: Arc<Wire>,
    task: AbortHandle,
}

/// What the task sends by. It does not keep the task alive.
struct Wire {
    frames: broadcast::Sender<Frame>,
    /// For those who come later. Locked while something is sent, so that nobody gets a frame
    /// twice, or misses one.
    latest: Mutex<Option<Bytes>>,
    next: AtomicU64,
    ended: AtomicBool,
}

impl Wire {
    fn latest(&self) -> MutexGuard<'_, Option<Bytes>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn id(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn send(&self, frame: Frame) {
        let _latest = self.latest();
        // An error says that nobody listens, so that the task is about to end.
        let _ = self.frames.send(frame);
    }

    fn send_snapshot(&self, snapshot: Bytes) {
        let mut latest = self.latest();
        *latest = Some(snapshot.clone());
        let _ = self.frames.send(Some(snapshot));
    }
}

/// Says that the feed has ended, however it did.
struct Ending(Arc<Wire>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::Release);
        self.0.send(None);
    }
}

impl Feed {
    pub(super) fn start(
        name: &str,
        databases: &Arc<dyn Sources>,
        settings: &Settings,
        end: Option<End>,
    ) -> Self {
        let wire = Arc::new(Wire {
            frames: broadcast::Sender::new(CAPACITY),
            latest: Mutex::default(),
            next: AtomicU64::new(1),
            ended: AtomicBool::new(false),
        });
        let task = Task {
            name: name.to_owned(),
            databases: Arc::clone(databases),
            wire: Arc::clone(&wire),
            interval: settings.interval,
            readiness_limit: settings.readiness_limit,
        };
        let ending = Ending(Arc::clone(&wire));
        let run = async move {
            let _ending = ending;
            // The one that ends has found the database gone, or another one under its name:
            // listeners are to ask anew, and not to get the half of it.
            let (snapshots, events) = (pin!(task.snapshots()), pin!(task.events()));
            let all = pin!(future::select(snapshots, events).map(drop));
            match end {
                Some(end) => drop(future::select(end, all).await),
                None => all.await,
            }
        };
        let task = tokio::spawn(run).abort_handle();
        Self { wire, task }
    }

    /// Everything from now on, and the last snapshot; `None` if nothing will come any more.
    pub(super) fn listen(&self) -> Option<(broadcast::Receiver<Frame>, Option<Bytes>)> {
        let latest = self.wire.latest();
        let frames = self.wire.frames.subscribe();
        // It says so before it sends the end, which takes the lock: one of the two is seen.
        (!self.has_ended()).then(|| (frames, latest.clone()))
    }

    pub(super) fn has_ended(&self) -> bool {
        self.wire.ended.load(Ordering::Acquire)
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Task {
    name: String,
    databases: Arc<dyn Sources>,
    wire: Arc<Wire>,
    interval: Duration,
    readiness_limit: Duration,
}

impl Task {
    /// Not kept: a stream must not keep a database open.
    fn source(&self) -> Option<Arc<dyn Source>> {
        self.databases.source(&self.name)
    }

    /// Sends a snapshot at each tick, until the database is gone.
    async fn snapshots(&self) {
        let mut ticks = interval(self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut before = Before::default();
        loop {
            ticks.tick().await;
            let Some(source) = self.source() else {
                return;
            };
            let summary = timeout(self.readiness_limit, source.readiness()).await;
            let snapshot = before.next(&self.name, &*source, summary.ok());
            drop(source);
            if let Some(frame) = frame(self.wire.id(), "snapshot", &snapshot) {
                self.wire.send_snapshot(frame);
            }
        }
    }

    /// Hands on what happens, until the database is gone.
    async fn events(&self) {
        'database: while let Some(source) = self.source() {
            let (id, mut events) = (source.id(), source.events());
            drop(source);
            loop {
                match timeout(SAME_EVERY, events.recv()).await {
                    Ok(Ok(event)) => {
                        let frame = frame(self.wire.id(), "health", &event);
                        if frame.is_some() {
                            self.wire.send(frame);
                        }
                    }
                    Ok(Err(RecvError::Lagged(missed))) => self.wire.send(Some(lagged(missed))),
                    // The database was closed; its name may have come to mean another one.
                    Ok(Err(RecvError::Closed)) => {
                        tokio::time::sleep(SAME_EVERY).await;
                        continue 'database;
                    }
                    Err(_) => {
                        if self.source().is_none_or(|source| source.id() != id) {
                            continue 'database;
                        }
                    }
                }
            }
        }
    }
}
