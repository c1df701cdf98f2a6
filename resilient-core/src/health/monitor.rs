//! The background task that looks after one database.

use std::{
    collections::BTreeMap,
    fmt,
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    task::Poll,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::{Instant, timeout, timeout_at},
};

use super::{Events, HealthEvent};

/// What a monitor does at each tick.
pub trait Watch: Send + Sync + 'static {
    /// What its events and log lines call it; `health` by default.
    #[allow(
        clippy::unnecessary_literal_bound,
        reason = "others have a name of their own"
    )]
    fn name(&self) -> &str {
        "health"
    }

    /// Looks at the database once, heals what it can, and says why it is unhealthy, if it is.
    ///
    /// A tick may fail, panic or hang: the next one comes all the same. When the monitor is shut
    /// down, a tick in progress is dropped.
    ///
    /// # Errors
    /// Why the database is not healthy, in words for people and without data of users.
    fn tick(&self) -> impl Future<Output = Result<(), String>> + Send;
}

/// How often a monitor looks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct MonitorConfig {
    /// From the beginning of one tick to that of the next; 30 s by default. It does not drift;
    /// ticks that are missed, as one took longer, are left out.
    pub interval: Duration,
    /// The first tick comes after a random part of this, so that many processes that start
    /// together do not ask together; the interval, at most 5 s, by default.
    pub jitter: Option<Duration>,
    /// How long one tick may take; 60 s by default.
    pub tick_limit: Duration,
}

impl Default for MonitorConfig {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(30),
            jitter: None,
            tick_limit: Duration::from_mins(1),
        }
    }
}

impl MonitorConfig {
    /// Looks once in so long, at least a millisecond.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// The first tick comes within this time.
    #[must_use]
    pub fn jitter(mut self, jitter: Duration) -> Self {
        self.jitter = Some(jitter);
        self
    }

    /// How long one tick may take.
    #[must_use]
    pub fn tick_limit(mut self, limit: Duration) -> Self {
        self.tick_limit = limit;
        self
    }
}

/// What a monitor has done so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct MonitorReport {
    /// Whether its task runs.
    pub running: bool,
    /// Ticks begun.
    pub ticks: u64,
    /// Ticks that found the database unhealthy.
    pub failed: u64,
    /// Ticks that panicked.
    pub panicked: u64,
    /// Ticks that did not end in time.
    pub timed_out: u64,
    /// Ticks left out, as the one before took too long.
    pub skipped: u64,
    /// Times that the database became healthy again.
    pub recovered: u64,
    /// Why it is unhealthy, if it is.
    pub unhealthy: Option<String>,
    /// What was done beside, on schedules of their own, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub beside: BTreeMap<String, MonitorReport>,
}

#[derive(Debug, Default)]
struct Shared {
    running: AtomicBool,
    ticks: AtomicU64,
    failed: AtomicU64,
    panicked: AtomicU64,
    timed_out: AtomicU64,
    skipped: AtomicU64,
    recovered: AtomicU64,
    unhealthy: Mutex<Option<String>>,
}

/// A running monitor. Dropping it ends its task at the next occasion;
/// [`shutdown`](Self::shutdown) also waits for that.
pub struct Monitor {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor")
            .field("report", &self.report())
            .finish_non_exhaustive()
    }
}

impl Monitor {
    /// Starts a task that watches `database` and tells `events` what it sees.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(
        database: impl Into<String>,
        config: &MonitorConfig,
        events: Events,
        watch: impl Watch,
    ) -> Self {
        let interval = config.interval.max(Duration::from_millis(1));
        let jitter = config
            .jitter
            .unwrap_or(interval.min(Duration::from_secs(5)));
        let first = Instant::now() + jitter.mul_f64(fastrand::f64());
        let shared = Arc::new(Shared::default());
        shared.running.store(true, Relaxed);
        let (stop, stopped) = watch::channel(false);
        let task = Task {
            database: database.into(),
            watch: Arc::new(watch),
            events,
            shared: Arc::clone(&shared),
            interval,
            limit: config.tick_limit,
            outage: None,
        };
        Self {
            shared,
            stop,
            task: Some(tokio::spawn(task.run(first, stopped))),
        }
    }

    /// What it has done so far.
    pub fn report(&self) -> MonitorReport {
        let shared = &self.shared;
        let read = |n: &AtomicU64| n.load(Relaxed);
        MonitorReport {
            running: shared.running.load(Relaxed),
            ticks: read(&shared.ticks),
            failed: read(&shared.failed),
            panicked: read(&shared.panicked),
            timed_out: read(&shared.timed_out),
            skipped: read(&shared.skipped),
            recovered: read(&shared.recovered),
            unhealthy: shared.unhealthy().clone(),
            beside: BTreeMap::new(),
        }
    }

    /// Ends the task, a tick in progress included, and waits until it has ended.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        if let Some(task) = self.task.take() {
            // It does not panic, and if it was aborted with its runtime, it has ended too.
            let _ = task.await;
        }
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Shared {
    fn unhealthy(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.unhealthy
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that the task has ended, however it did.
struct Running(Arc<Shared>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.store(false, Relaxed);
    }
}

/// Since when the database is unhealthy, and how many ticks found it so.
#[derive(Clone, Copy)]
struct Outage {
    since: Instant,
    ticks: u64,
}

struct Task<W> {
    database: String,
    watch: Arc<W>,
    events: Events,
    shared: Arc<Shared>,
    interval: Duration,
    limit: Duration,
    outage: Option<Outage>,
}

/// How a tick ended.
enum Tick {
    Stopped,
    Healthy,
    Unhealthy(String),
    Broken(String),
}

impl<W: Watch> Task<W> {
    async fn run(mut self, first: Instant, mut stopped: watch::Receiver<bool>) {
        let _running = Running(Arc::clone(&self.shared));
        let mut next = first;
        loop {
            // Also when the monitor is gone, and its sender with it.
            if timeout_at(next, stopped.changed()).await.is_ok() {
                return;
            }
            match self.tick(&mut stopped).await {
                Tick::Stopped => return,
                Tick::Healthy => self.healthy(),
                Tick::Unhealthy(reason) => self.unhealthy(reason),
                Tick::Broken(reason) => {
                    tracing::error!(target: "resilient", reason, db.namespace = self.database, "monitor");
                    let database = self.database.clone();
                    self.events
                        .send(HealthEvent::MonitorFailed { database, reason });
                }
            }
            next += self.interval;
            let now = Instant::now();
            while next <= now {
                next += self.interval;
                self.shared.skipped.fetch_add(1, Relaxed);
            }
        }
    }

    /// Runs one tick as a task of its own, which may panic without harm.
    async fn tick(&self, stopped: &mut watch::Receiver<bool>) -> Tick {
        self.shared.ticks.fetch_add(1, Relaxed);
        let watch = Arc::clone(&self.watch);
        // Dropping the set ends the task in it.
        let mut set = JoinSet::new();
        set.spawn(async move { watch.tick().await });
        let joined = {
            let mut ended = pin!(timeout(self.limit, set.join_next()));
            let mut stop = pin!(stopped.changed());
            poll_fn(|cx| {
                if let Poll::Ready(joined) = ended.as_mut().poll(cx) {
                    return Poll::Ready(Some(joined));
                }
                stop.as_mut().poll(cx).map(|_| None)
            })
            .await
        };
        let tick = match joined {
            None => Tick::Stopped,
            Some(Err(_)) => {
                self.shared.timed_out.fetch_add(1, Relaxed);
                Tick::Broken(format!("a tick took longer than {:?}", self.limit))
            }
            Some(Ok(Some(Ok(Ok(()))))) => Tick::Healthy,
            Some(Ok(Some(Ok(Err(reason))))) => Tick::Unhealthy(reason),
            Some(Ok(Some(Err(_)) | None)) => {
                self.shared.panicked.fetch_add(1, Relaxed);
                Tick::Broken("a tick panicked".to_owned())
            }
        };
        // Waits until what was ended has let go of its connection.
        set.shutdown().await;
        tick
    }

    fn healthy(&mut self) {
        let Some(outage) = self.outage.take() else {
            return;
        };
        *self.shared.unhealthy() = None;
        self.shared.recovered.fetch_add(1, Relaxed);
        let down = outage.since.elapsed();
        let check = self.watch.name();
        tracing::info!(target: "resilient", check, checks = outage.ticks, db.namespace = self.database, "database recovered");
        self.events.send(HealthEvent::CheckRecovered {
            database: self.database.clone(),
            check: self.watch.name().to_owned(),
            failed_checks: outage.ticks,
            down_ms: u64::try_from(down.as_millis()).unwrap_or(u64::MAX),
        });
    }

    fn unhealthy(&mut self, reason: String) {
        self.shared.failed.fetch_add(1, Relaxed);
        *self.shared.unhealthy() = Some(reason.clone());
        if let Some(outage) = &mut self.outage {
            outage.ticks += 1;
            return;
        }
        self.outage = Some(Outage {
            since: Instant::now(),
            ticks: 1,
        });
        let check = self.watch.name();
        tracing::warn!(target: "resilient", check, reason, db.namespace = self.database, "database unhealthy");
        self.events.send(HealthEvent::CheckFailed {
            database: self.database.clone(),
            check: check.to_owned(),
            reason,
        });
    }
}

#[cfg(test)]
mod tests;
