//! What is measured goes to the alerts, and is told again as long as it stands: an alert of which
//! nothing is heard is taken to be over.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use resilient_core::{
    driver::Database,
    health::{alerts::AlertKind, deadlocks::Severity, tables::TableReport},
};

use crate::ResilientConnection;

/// How full the pool is, and who keeps a connection for too long.
pub(super) fn pool(db: &ResilientConnection) {
    let pool = db.pool_status();
    // One connection in use is no pressure, even where the pool has no more.
    let calm = pool.in_use <= 1 && pool.waiting == 0;
    let value = if calm { 0.0 } else { pool.utilisation };
    let leak = pool.suspected_leaks.first();
    let cause = leak.map(resilient_core::health::ConnectionReport::held_text);
    let board = db.pool.context().vitals().alerts();
    board.observe_with(
        AlertKind::PoolUtilisation,
        db.name(),
        value,
        cause.as_deref(),
    );
}

/// How many checks have failed in a row.
pub(super) fn failures(db: &ResilientConnection, in_a_row: u32) {
    let board = db.pool.context().vitals().alerts();
    board.observe(AlertKind::ConnectionFailure, db.name(), f64::from(in_a_row));
}

/// How severe the deadlocks of the last hour are: of each pair of methods, or of all together
/// where no pair is to blame.
pub(super) fn deadlocks(db: &ResilientConnection) {
    const KIND: AlertKind = AlertKind::DeadlockSeverity;
    let report = db.deadlocks();
    if report.total == 0 {
        return;
    }
    let board = db.pool.context().vitals().alerts();
    let level = |last_hour: u64, severity: Severity| {
        if last_hour == 0 {
            0.0
        } else {
            f64::from(severity.level())
        }
    };
    let mut blamed = false;
    for pair in &report.pairs {
        let value = level(pair.last_hour, pair.severity);
        blamed |= board.passes(KIND, value);
        let over = (!pair.tables.is_empty()).then(|| format!("over {}", pair.tables.join(", ")));
        board.observe_with(KIND, &pair.methods.join(" / "), value, over.as_deref());
    }
    let all = if blamed {
        0.0
    } else {
        level(report.last_hour, report.severity)
    };
    board.observe(KIND, db.name(), all);
}

/// The oldest open transaction of each method. `before` are the methods of the last time.
pub(super) fn transactions(db: &ResilientConnection, before: &mut BTreeSet<String>) {
    const KIND: AlertKind = AlertKind::LongTransaction;
    let mut oldest: BTreeMap<String, f64> = BTreeMap::new();
    for session in db.sessions() {
        let age = oldest
            .entry(session.method.unwrap_or("begin()").to_owned())
            .or_default();
        *age = age.max(session.age_seconds);
    }
    let board = db.pool.context().vitals().alerts();
    for method in before.iter().filter(|gone| !oldest.contains_key(*gone)) {
        board.resolve(KIND, method);
    }
    for (method, age) in &oldest {
        board.observe(KIND, method, *age);
    }
    *before = oldest.into_keys().collect();
}

/// What was measured last on a slower schedule. It is told at each look, so that neither
/// silence clears it nor a clean-up goes unnoticed for long.
#[derive(Debug, Default)]
pub(super) struct Latest(Mutex<BTreeMap<(AlertKind, String), f64>>);

impl Latest {
    fn with<T>(&self, f: impl FnOnce(&mut BTreeMap<(AlertKind, String), f64>) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A scheduled check has failed so many times in a row by now.
    pub(super) fn check(&self, db: &ResilientConnection, name: &str, in_a_row: u32) {
        let (kind, subject) = (AlertKind::ConnectionFailure, format!("check {name}"));
        let value = f64::from(in_a_row);
        let board = db.pool.context().vitals().alerts();
        board.observe(kind, &subject, value);
        self.with(|all| all.insert((kind, subject), value));
    }

    /// The deleted rows of these tables were counted.
    #[cfg_attr(not(feature = "sqlx-dep"), allow(dead_code))]
    pub(super) fn tables(&self, db: &ResilientConnection, reports: &[TableReport]) {
        let board = db.pool.context().vitals().alerts();
        for report in reports {
            let subject = match &report.schema {
                Some(schema) => format!("{schema}.{}", report.table),
                None => report.table.clone(),
            };
            #[allow(clippy::cast_precision_loss)]
            let old = report.old_deleted_rows.map(|rows| rows as f64);
            for (kind, value) in [
                (AlertKind::DeletionRatio, report.deletion_ratio),
                (AlertKind::OldDeletedRows, old),
            ] {
                let Some(value) = value else { continue };
                board.observe(kind, &subject, value);
                self.with(|all| all.insert((kind, subject.clone()), value));
            }
        }
    }

    /// Tells all of it again.
    pub(super) fn feed(&self, db: &ResilientConnection) {
        let board = db.pool.context().vitals().alerts();
        // Callbacks of alerts must not find it locked.
        for ((kind, subject), value) in self.with(|all| all.clone()) {
            board.observe(kind, &subject, value);
        }
    }
}
