//! What the monitor does on schedules of their own, beside its look at everything.

use std::sync::{
    Arc, Weak,
    atomic::{AtomicU32, Ordering::Relaxed},
};

use resilient_core::{
    driver::Database,
    health::{CheckOptions, CheckStrategy, monitor::Watch},
};

use super::{
    Verdict, alive, ask,
    feed::Latest,
    options::{Closure, Scheduled},
    verdict,
};
use crate::{ResilientConnection, pool::Pool};

/// One of these schedules.
pub(super) struct Beside {
    pool: Weak<Pool>,
    latest: Arc<Latest>,
    work: Work,
}

pub(super) enum Work {
    Check {
        name: String,
        strategy: CheckStrategy,
        closure: Option<Closure>,
        failed: AtomicU32,
    },
    /// Counts deleted rows.
    #[cfg(feature = "sqlx-dep")]
    Tables,
    /// Probes for the circuit breaker as soon as it may, so that no caller has to.
    Probe,
}

impl Work {
    pub(super) fn check(name: String, scheduled: Scheduled) -> Self {
        Self::Check {
            name,
            strategy: scheduled.strategy,
            closure: scheduled.closure,
            failed: AtomicU32::new(0),
        }
    }
}

impl Beside {
    pub(super) fn new(pool: &Arc<Pool>, latest: &Arc<Latest>, work: Work) -> Self {
        Self {
            pool: Arc::downgrade(pool),
            latest: Arc::clone(latest),
            work,
        }
    }
}

impl Watch for Beside {
    fn name(&self) -> &str {
        match &self.work {
            Work::Check { name, .. } => name,
            #[cfg(feature = "sqlx-dep")]
            Work::Tables => "soft deletes",
            Work::Probe => "circuit breaker",
        }
    }

    async fn tick(&self) -> Result<(), String> {
        let Some(db) = alive(&self.pool) else {
            return Ok(());
        };
        match &self.work {
            Work::Check {
                name,
                strategy,
                closure,
                failed,
            } => {
                // Counted before it is tried, as it may panic.
                let in_a_row = failed.fetch_add(1, Relaxed).saturating_add(1);
                let result = check(&db, strategy, closure.as_ref()).await;
                if result.is_ok() {
                    failed.store(0, Relaxed);
                }
                let in_a_row = if result.is_ok() { 0 } else { in_a_row };
                self.latest.check(&db, name, in_a_row);
                result
            }
            #[cfg(feature = "sqlx-dep")]
            Work::Tables => tables(&db, &self.latest).await,
            Work::Probe => {
                probe(&db).await;
                Ok(())
            }
        }
    }
}

async fn check(
    db: &ResilientConnection,
    strategy: &CheckStrategy,
    closure: Option<&Closure>,
) -> Result<(), String> {
    let verdict = match (strategy, closure) {
        (CheckStrategy::Custom(name), Some(closure)) => {
            let options = CheckOptions {
                force: true,
                ..CheckOptions::default()
            };
            let made = || closure();
            verdict(&db.check_health_custom(name, options, made).await)
        }
        _ => ask(db, strategy).await,
    };
    match verdict {
        Verdict::Well => Ok(()),
        Verdict::Full(reason) | Verdict::Ill(reason) => Err(reason),
    }
}

#[cfg(feature = "sqlx-dep")]
async fn tables(db: &ResilientConnection, latest: &Latest) -> Result<(), String> {
    use crate::health::tables::{TableOptions, TableThresholds, soft_deleted};
    let thresholds = TableThresholds {
        fair_ratio: db.config().soft_delete.deletion_ratio_alert_threshold,
        ..TableThresholds::default()
    };
    let options = TableOptions::new().thresholds(thresholds);
    match soft_deleted(db, &options).await {
        Ok(reports) => {
            latest.tables(db, &reports);
            Ok(())
        }
        // That the database is away is said by the look at everything.
        Err(error) if error.is_transient() => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// Probes until the breaker has what it wants, or one fails.
async fn probe(db: &ResilientConnection) {
    let Some(breaker) = db.pool.context().vitals().breaker() else {
        return;
    };
    while breaker.wants_probe() {
        if !matches!(ask(db, &CheckStrategy::Quick).await, Verdict::Well) {
            return;
        }
    }
}
