//! The monitor that looks after a database: what it does, when, and how it is switched on.

mod beside;
mod feed;
mod look;
mod options;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use resilient_core::{
    FaultKind,
    driver::Database,
    health::{
        CheckOptions, CheckReport, CheckStatus, CheckStrategy,
        monitor::{Monitor, MonitorConfig, MonitorReport, Watch},
    },
};

pub use self::options::MonitorOptions;
use self::{beside::Beside, feed::Latest, look::Look};
use crate::{Error, ResilientConnection, advice, pool::Pool, vitals};

/// Where a database's monitor is kept, so that it ends with the database.
#[derive(Debug, Default)]
pub(crate) struct WatchSlot(Mutex<Option<Watching>>);

impl WatchSlot {
    fn lock(&self) -> MutexGuard<'_, Option<Watching>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The running monitor: the look at everything, and what has a schedule of its own.
#[derive(Debug)]
struct Watching {
    look: Monitor,
    beside: Vec<(String, Monitor)>,
}

impl ResilientConnection {
    /// Starts a background task that looks after this database once in `DB_HEALTH_CHECK_INTERVAL`
    /// (30 s by default): checks it, replaces connections that have served their time or died,
    /// ends transactions that are open for too long, and feeds the alerts. `docs/monitoring.md`
    /// says what that costs.
    ///
    /// It ends with the last clone of this connection, with [`close`](Self::close), or with
    /// [`stop_monitoring`](Self::stop_monitoring). One that runs already is ended first.
    ///
    /// ```
    /// use std::time::Duration;
    /// use resilient_sea_orm::{CheckStrategy, ResilientConnection, health::MonitorOptions};
    /// # async fn example(db: ResilientConnection) {
    /// db.start_monitoring_with(
    ///     MonitorOptions::new()
    ///         .interval(Duration::from_secs(10))
    ///         .check(CheckStrategy::Write, Duration::from_secs(60)),
    /// );
    /// let mut events = db.health_events();
    /// while let Ok(event) = events.recv().await {
    ///     println!("{event:?}");
    /// }
    /// # }
    /// ```
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start_monitoring(&self) {
        self.start_monitoring_with(MonitorOptions::new());
    }

    /// The same with intervals and checks of its own.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start_monitoring_with(&self, mut options: MonitorOptions) {
        let context = &self.pool.context;
        let vitals = context.vitals();
        let settings = self.pool.health.connections.settings();
        let config = options.timing(settings.interval);
        vitals.alerts().heard_every(config.interval);
        let latest = Arc::new(Latest::default());
        let start = |config: &MonitorConfig, watch: Beside| {
            let name = watch.name().to_owned();
            let monitor = Monitor::start(self.name(), config, vitals.events().clone(), watch);
            (name, monitor)
        };
        let make = |what| Beside::new(&self.pool, &latest, what);
        let mut beside = Vec::new();
        for (name, scheduled) in options.take_checks() {
            let timing = options.beside(scheduled.every);
            beside.push(start(&timing, make(beside::Work::check(name, scheduled))));
        }
        #[cfg(feature = "sqlx-dep")]
        if context.config().soft_delete.enable_monitoring {
            let timing = options.beside(options.tables_every);
            beside.push(start(&timing, make(beside::Work::Tables)));
        }
        if let Some(breaker) = &vitals.config().breaker {
            let every = breaker.open_for.min(config.interval);
            let timing = options.beside(every.max(Duration::from_millis(10)));
            beside.push(start(&timing, make(beside::Work::Probe)));
        }
        let look = Look::new(&self.pool, latest);
        let look = Monitor::start(self.name(), &config, vitals.events().clone(), look);
        // What ran before ends as it is dropped.
        let before = self.pool.watch.lock().replace(Watching { look, beside });
        drop(before);
    }

    /// Ends the monitor and waits until its task has ended; whether one was running.
    ///
    /// # Cancel safety
    /// The monitor ends also if this is dropped; only nobody waits for it.
    pub async fn stop_monitoring(&self) -> bool {
        let Some(watching) = self.pool.watch.lock().take() else {
            return false;
        };
        watching.look.shutdown().await;
        for (_, monitor) in watching.beside {
            monitor.shutdown().await;
        }
        true
    }

    /// What the monitor has done so far; `None` if none was started.
    pub fn monitoring(&self) -> Option<MonitorReport> {
        let slot = self.pool.watch.lock();
        let watching = slot.as_ref()?;
        let mut report = watching.look.report();
        let beside = watching.beside.iter();
        report.beside = beside
            .map(|(name, monitor)| (name.clone(), monitor.report()))
            .collect::<BTreeMap<_, _>>();
        Some(report)
    }

    /// Starts the monitor where there is something to monitor: never on a mock, whose answers it
    /// would take.
    pub(crate) fn monitor_in_background(&self) {
        let runtime = tokio::runtime::Handle::try_current().is_ok();
        if runtime && advice::gauge(&self.pool).is_some() {
            self.start_monitoring();
        }
    }
}

/// The database while somebody else still has it, and has not closed it.
fn alive(pool: &Weak<Pool>) -> Option<ResilientConnection> {
    let db = ResilientConnection {
        pool: pool.upgrade()?,
    };
    if advice::is_closed(&db.pool) {
        // Closed through SeaORM: nothing is left to look after. This ends the caller's task.
        let watching = db.pool.watch.lock().take();
        drop(watching);
        return None;
    }
    Some(db)
}

/// What a check came to.
enum Verdict {
    Well,
    /// Our own pool is exhausted, which says nothing about the server.
    Full(String),
    Ill(String),
}

/// Checks as the circuit breaker allows, and tells it how that went: while it is open, this is
/// its probe.
async fn ask(db: &ResilientConnection, strategy: &CheckStrategy) -> Verdict {
    let breaker = db.pool.context().vitals().breaker();
    let shut = breaker.and_then(|breaker| {
        let report = breaker.report();
        (report.open_for_ms.is_some() && !breaker.wants_probe()).then_some(report)
    });
    if let Some(report) = shut {
        let fault = report.last_fault.map_or("a fault", FaultKind::as_str);
        return Verdict::Ill(format!("the circuit breaker is open after {fault}"));
    }
    let permit = match vitals::admit(&db.pool) {
        Ok(permit) => permit,
        Err(failure) => return Verdict::Ill(Error::from(failure).to_string()),
    };
    let options = CheckOptions {
        force: true,
        ..CheckOptions::default()
    };
    let report = db.check_health_with(strategy.clone(), options).await;
    let verdict = verdict(&report);
    if let Some(permit) = permit {
        match (&verdict, report.fault) {
            (Verdict::Well, _) => permit.succeeded(),
            (_, Some(fault)) => permit.failed(fault),
            (_, None) => drop(permit),
        }
    }
    verdict
}

fn verdict(report: &CheckReport) -> Verdict {
    let reason = || report.reason.clone().unwrap_or_default();
    match report.status {
        CheckStatus::Healthy | CheckStatus::Slow => Verdict::Well,
        CheckStatus::Unhealthy if report.fault == Some(FaultKind::PoolTimeout) => {
            Verdict::Full(reason())
        }
        CheckStatus::Unhealthy => Verdict::Ill(reason()),
    }
}
