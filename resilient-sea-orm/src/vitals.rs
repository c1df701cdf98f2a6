//! Where statements are measured, and the reports on that.

use std::time::Instant;

use resilient_core::{
    Failure, Fault, FaultKind,
    admission::AdmissionSnapshot,
    driver::Database,
    health::{
        HealthEvent, Sent,
        alerts::{AlertBoard, AlertReport},
        breaker::{BreakerReport, Permit},
        monitor::{Monitor, MonitorConfig, Watch},
        performance::{Dialect, PerformanceReport},
    },
    scope::Detached,
};
use sea_orm::{ConnectionTrait, DbBackend, DbErr};
use tokio::sync::broadcast;

use crate::{
    Error, ResilientConnection, advice, extract, keywords,
    pool::Pool,
    session::{Reply, Request},
};

/// How the database reads statements.
pub(crate) fn dialect(pool: &Pool) -> Dialect {
    use sea_orm::DatabaseConnectionType::Disconnected;
    // SeaORM panics when it is asked for the engine of no connection.
    if matches!(pool.connection.inner, Disconnected) {
        return Dialect::MySql;
    }
    match pool.connection.get_database_backend() {
        DbBackend::Postgres => Dialect::Postgres,
        DbBackend::Sqlite => Dialect::Sqlite,
        // Reads the fewest texts as certain.
        _ => Dialect::MySql,
    }
}

/// A statement that is being measured.
#[derive(Debug)]
pub(crate) struct Measured<'a> {
    pool: &'a Pool,
    started: Instant,
}

impl<'a> Measured<'a> {
    pub(crate) fn start(pool: &'a Pool) -> Self {
        let started = pool.context().vitals().now();
        Self { pool, started }
    }

    /// When it began.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// It was answered just now. Says when that was.
    pub(crate) fn done(self, request: Request<'_>, result: &Result<Reply, DbErr>) -> Instant {
        let now = self.pool.context().vitals().now();
        let fault = result.as_ref().err().and_then(extract::fault);
        let rows = result.as_ref().map_or(0, |reply| changed(request, reply));
        self.book_at(now, request.text(), fault.as_ref(), rows);
        now
    }

    /// It failed, or its first row has come.
    pub(crate) fn book(self, sql: &str, fault: Option<&Fault>, rows: u64) {
        let now = self.pool.context().vitals().now();
        self.book_at(now, sql, fault, rows);
    }

    fn book_at(self, now: Instant, sql: &str, fault: Option<&Fault>, rows: u64) {
        let sent = Sent {
            sql,
            dialect: dialect(self.pool),
            started: self.started,
        };
        self.pool
            .context()
            .vitals()
            .statement(sent, now, fault, rows);
    }
}

/// Rows that a statement changed. Those that it returned count only if there are so many that it
/// matters, and it wrote them.
fn changed(request: Request<'_>, reply: &Reply) -> u64 {
    const MANY: usize = 100;
    match reply {
        Reply::Done(done) => done.rows_affected(),
        Reply::All(rows) if rows.len() >= MANY && !keywords::only_reads(request.text()) => {
            rows.len() as u64
        }
        Reply::All(_) | Reply::One(_) => 0,
    }
}

/// Asks the circuit breaker for leave to send a statement on the pool.
pub(crate) fn admit(pool: &Pool) -> Result<Option<Permit<'_>>, Failure> {
    match pool.context().vitals().breaker() {
        None => Ok(None),
        Some(breaker) => match breaker.admit() {
            Ok(permit) => Ok(Some(permit)),
            Err(rejection) => Err(Failure::circuit_open(&rejection)),
        },
    }
}

/// The same in a call without a transaction, which fails of it and is not repeated.
pub(crate) fn admit_in<'p>(pool: &'p Pool, call: &Detached) -> Result<Option<Permit<'p>>, DbErr> {
    admit(pool).map_err(|failure| {
        call.refused(failure.clone());
        Error::from(failure).into()
    })
}

/// Tells the breaker how a statement on the pool went.
pub(crate) fn settle(pool: &Pool, permit: Option<Permit<'_>>, error: Option<&DbErr>) {
    let Some(permit) = permit else {
        return;
    };
    let Some(fault) = error.map(extract::fault) else {
        permit.succeeded();
        return;
    };
    match fault.map(|fault| fault.kind()) {
        // SeaORM's own errors say nothing about the server.
        None => drop(permit),
        // sqlx says this, too, when it tried to connect all the time.
        Some(FaultKind::PoolTimeout) if advice::unreachable(pool).is_some() => {
            permit.failed(FaultKind::ServerUnavailable);
        }
        Some(kind) => permit.failed(kind),
    }
}

impl ResilientConnection {
    /// How long statements and methods took, how often they failed, and which were slow, over the
    /// last hour and the last 24 hours.
    pub fn performance(&self) -> PerformanceReport {
        let vitals = self.pool.context.vitals();
        vitals.performance().report(self.name(), vitals.now())
    }

    /// How many transactions of each method are open and may be at a time, of the methods that
    /// were called.
    pub fn admission(&self) -> Vec<AdmissionSnapshot> {
        self.pool.context.admission()
    }

    /// The alerts that stand and those that are over.
    pub fn alerts(&self) -> AlertReport {
        self.pool.context.vitals().alert_report()
    }

    /// Where alerts of what only the caller can measure are fed in.
    pub fn alert_board(&self) -> &AlertBoard {
        self.pool.context.vitals().alerts()
    }

    /// The circuit breaker as it is now, if there is one.
    pub fn circuit_breaker(&self) -> Option<BreakerReport> {
        let breaker = self.pool.context.vitals().breaker();
        breaker.map(resilient_core::health::breaker::Breaker::report)
    }

    /// Hears what happens to this database's health from now on. A receiver that is more than
    /// 256 events behind misses the oldest, and is told how many.
    pub fn health_events(&self) -> broadcast::Receiver<HealthEvent> {
        self.pool.context.vitals().events().subscribe()
    }

    /// Starts a background task that looks after this database: `watch` at each tick, then the
    /// alerts. It runs until the monitor is shut down or dropped.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn monitor(&self, config: &MonitorConfig, watch: impl Watch) -> Monitor {
        let events = self.pool.context.vitals().events().clone();
        let guarded = Guarded {
            db: self.clone(),
            watch,
        };
        Monitor::start(self.name(), config, events, guarded)
    }

    /// The same with nothing but `SELECT 1`, which also probes for the circuit breaker.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn monitor_reachability(&self, config: &MonitorConfig) -> Monitor {
        self.monitor(config, Reachable(self.clone()))
    }
}

/// Judges the alerts after each tick of another watch.
struct Guarded<W> {
    db: ResilientConnection,
    watch: W,
}

impl<W: Watch> Watch for Guarded<W> {
    async fn tick(&self) -> Result<(), String> {
        use resilient_core::health::alerts::AlertKind;
        let result = self.watch.tick().await;
        let vitals = self.db.pool.context.vitals();
        let failed = f64::from(u8::from(result.is_err()));
        let board = vitals.alerts();
        board.observe(AlertKind::ConnectionFailure, self.db.name(), failed);
        vitals.judge();
        result
    }
}

/// Whether the server answers at all.
struct Reachable(ResilientConnection);

impl Watch for Reachable {
    async fn tick(&self) -> Result<(), String> {
        match self.0.execute_unprepared("SELECT 1").await {
            Ok(_) => Ok(()),
            // Without the server's own words, which can hold data.
            Err(error) => Err(Error::from(error).to_string()),
        }
    }
}
