//! What calls were told, against what the database holds.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use resilient_sea_orm::{Error, prelude::*};
use sea_orm::{DbBackend, Statement};
use support::{TestDb, TestResult};

/// The answers of all calls, by their numbers.
#[derive(Debug)]
pub struct Tally {
    next: AtomicU64,
    told: Mutex<HashMap<u64, Told>>,
    /// Why outcomes are unknown.
    reasons: Mutex<Vec<String>>,
    started: Instant,
}

/// What a call was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    Stored,
    NotStored,
    Unknown,
    /// Its future was dropped.
    Nothing,
}

impl<T> From<&Result<T, Error>> for Told {
    fn from(result: &Result<T, Error>) -> Self {
        match result {
            Ok(_) => Self::Stored,
            Err(error) if error.outcome() == Outcome::Unknown => Self::Unknown,
            Err(_) => Self::NotStored,
        }
    }
}

impl Tally {
    pub fn new() -> Self {
        Self {
            next: AtomicU64::new(1),
            told: Mutex::default(),
            reasons: Mutex::default(),
            started: Instant::now(),
        }
    }

    /// A number that no other call has.
    pub fn next(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    pub fn tell(&self, call: u64, told: Told) {
        let mut all = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(all.insert(call, told), None, "call {call} has ended twice");
    }

    /// The same by a call's result.
    pub fn end<T>(&self, call: u64, result: &Result<T, Error>) {
        let told = Told::from(result);
        if let (Told::Unknown, Err(error)) = (told, result) {
            let mut reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
            reasons.push(format!("call {call}: {error}"));
        }
        self.tell(call, told);
    }

    /// How many calls have ended.
    pub fn ended(&self) -> u64 {
        let all = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        all.len() as u64
    }

    /// Compares with the table `ledger`, once nothing can change it any more.
    pub async fn compare(self, name: &'static str, test: &TestDb) -> TestResult<Report> {
        let stored = ledger(test).await?;
        let told = self
            .told
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let mut report = Report {
            name,
            engine: test.engine().to_string(),
            took: self.started.elapsed(),
            calls: told.len(),
            reasons: self
                .reasons
                .into_inner()
                .unwrap_or_else(PoisonError::into_inner),
            ..Report::default()
        };
        for (call, told) in &told {
            let rows = stored.get(call).copied().unwrap_or(0);
            report.duplicated += usize::from(rows > 1);
            match told {
                Told::Stored => report.stored += 1,
                Told::NotStored => report.not_stored += 1,
                Told::Unknown => report.unknown += 1,
                Told::Nothing => report.dropped += 1,
            }
            report.lost += usize::from(*told == Told::Stored && rows == 0);
            report.phantom += usize::from(*told == Told::NotStored && rows > 0);
        }
        report.phantom += stored
            .keys()
            .filter(|call| !told.contains_key(call))
            .count();
        Ok(report)
    }
}

/// How many rows each call has stored.
pub async fn ledger(test: &TestDb) -> TestResult<HashMap<u64, u64>> {
    let sql = "SELECT call_id, COUNT(*) AS n FROM ledger GROUP BY call_id";
    let admin = test.admin();
    let backend = match test.engine() {
        support::Engine::Postgres => DbBackend::Postgres,
        support::Engine::Sqlite => DbBackend::Sqlite,
        _ => DbBackend::MySql,
    };
    let rows = sea_orm::ConnectionTrait::query_all_raw(admin, Statement::from_string(backend, sql));
    let mut stored = HashMap::new();
    for row in rows.await? {
        let (call, n): (i64, i64) = (row.try_get("", "call_id")?, row.try_get("", "n")?);
        stored.insert(u64::try_from(call)?, u64::try_from(n)?);
    }
    Ok(stored)
}

/// The figures of one run. Calls that were told one thing while the database holds another are
/// `lost`, `duplicated` and `phantom`.
#[derive(Debug, Default)]
pub struct Report {
    pub name: &'static str,
    pub engine: String,
    pub took: Duration,
    pub calls: usize,
    pub stored: usize,
    pub not_stored: usize,
    pub unknown: usize,
    pub dropped: usize,
    /// Told that it is stored, and it is not.
    pub lost: usize,
    /// Stored more than once.
    pub duplicated: usize,
    /// Told that it is not stored, and it is.
    pub phantom: usize,
    /// Why outcomes are unknown.
    pub reasons: Vec<String>,
    /// Whatever else went wrong.
    pub violations: Vec<String>,
    /// Faults, kills and the like, as text.
    pub faults: String,
}

impl Report {
    /// Notes a violation unless `holds`.
    pub fn check(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.violations.push(what());
        }
    }

    /// Unknown outcomes are violations where the commits were verified.
    pub fn none_unknown(&mut self) {
        self.reasons.truncate(10);
        let (unknown, reasons) = (self.unknown, self.reasons.join("\n    "));
        self.check(unknown == 0, || format!("{unknown} unknown: {reasons}"));
    }

    pub fn holds(&self) -> bool {
        self.lost + self.duplicated + self.phantom == 0 && self.violations.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<22} {:<9} {:>7} {:>7} {:>7} {:>7} {:>7} {:>5} {:>5} {:>7} {:>7.1}  {}  {}",
            self.name,
            self.engine,
            self.calls,
            self.stored,
            self.not_stored,
            self.unknown,
            self.dropped,
            self.lost,
            self.duplicated,
            self.phantom,
            self.took.as_secs_f64(),
            if self.holds() { "ok" } else { "VIOLATED" },
            self.faults
        )?;
        for violation in &self.violations {
            write!(f, "\n    {violation}")?;
        }
        Ok(())
    }
}

/// The first line of a table of [`Report`]s.
pub fn heading() -> String {
    format!(
        "{:<22} {:<9} {:>7} {:>7} {:>7} {:>7} {:>7} {:>5} {:>5} {:>7} {:>7}",
        "soak",
        "engine",
        "calls",
        "stored",
        "not",
        "unknown",
        "dropped",
        "lost",
        "twice",
        "phantom",
        "seconds"
    )
}
