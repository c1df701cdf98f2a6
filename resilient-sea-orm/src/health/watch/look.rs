//! One look at everything.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use resilient_core::{
    driver::Database,
    health::{CheckStrategy, alerts::AlertKind, monitor::Watch},
};

use super::{Verdict, alive, ask, feed, feed::Latest};
use crate::{ResilientConnection, pool::Pool};

/// What a recovery is called that closes dead connections.
const POOL: &str = "pool";

/// Looks at everything.
pub(super) struct Look {
    pool: Weak<Pool>,
    latest: Arc<Latest>,
    outage: Mutex<Outage>,
    /// Methods whose transactions were open when last looked.
    open: Mutex<BTreeSet<String>>,
}

/// Since the last look that found the database well.
#[derive(Clone, Copy, Debug, Default)]
struct Outage {
    failures: u32,
    attempts: u32,
    gave_up: bool,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Look {
    pub(super) fn new(pool: &Arc<Pool>, latest: Arc<Latest>) -> Self {
        Self {
            pool: Arc::downgrade(pool),
            latest,
            outage: Mutex::default(),
            open: Mutex::default(),
        }
    }

    fn outage(&self) -> MutexGuard<'_, Outage> {
        locked(&self.outage)
    }

    /// Checks, and heals what it can.
    async fn check(&self, db: &ResilientConnection) -> Result<(), String> {
        let before = *self.outage();
        // While it is away nothing is closed that could not be opened again.
        let dead = if before.failures == 0 {
            sweep(db, false).await
        } else {
            0
        };
        match ask(db, &CheckStrategy::Quick).await {
            Verdict::Well => {
                self.well(db, before, dead).await;
                Ok(())
            }
            Verdict::Full(reason) => Err(reason),
            Verdict::Ill(reason) => self.ill(db, before, dead, reason).await,
        }
    }

    /// It answers; `dead` connections were replaced just now.
    async fn well(&self, db: &ResilientConnection, before: Outage, dead: u32) {
        let dead = match before.failures {
            0 => dead,
            _ => sweep(db, true).await,
        };
        let limit = db.pool.health.connections.settings();
        if dead > 0 || before.failures >= limit.max_consecutive_failures.max(1) {
            let vitals = db.pool.context().vitals();
            vitals.recovered(POOL, before.attempts.saturating_add(1), Ok(()));
        }
        *self.outage() = Outage::default();
    }

    /// It does not. From so many times in a row on it is unhealthy, and recovery is tried.
    async fn ill(
        &self,
        db: &ResilientConnection,
        before: Outage,
        dead: u32,
        reason: String,
    ) -> Result<(), String> {
        let settings = db.pool.health.connections.settings();
        let mut now = Outage {
            failures: before.failures.saturating_add(1),
            ..before
        };
        *self.outage() = now;
        if now.failures < settings.max_consecutive_failures.max(1) {
            return Ok(());
        }
        let vitals = db.pool.context().vitals();
        let most = db.config().health.recovery_max_attempts;
        if now.attempts < most {
            now.attempts += 1;
            *self.outage() = now;
            let dead = dead + sweep(db, true).await;
            if let Verdict::Well = ask(db, &CheckStrategy::Quick).await {
                let before = Outage {
                    failures: 0,
                    attempts: now.attempts - 1,
                    ..now
                };
                self.well(db, before, dead.max(1)).await;
                return Ok(());
            }
        }
        if now.attempts >= most {
            if now.gave_up {
                // It still stands, and silence would clear it.
                let board = vitals.alerts();
                board.observe(AlertKind::RecoveryFailure, db.name(), 1.0);
            } else {
                now.gave_up = true;
                *self.outage() = now;
                vitals.recovered(POOL, now.attempts, Err(&reason));
            }
        }
        Err(reason)
    }
}

impl Watch for Look {
    async fn tick(&self) -> Result<(), String> {
        let Some(db) = alive(&self.pool) else {
            return Ok(());
        };
        // Before there is a connection of our own in use.
        feed::pool(&db);
        db.end_overdue_sessions();
        let result = self.check(&db).await;
        let failures = self.outage().failures;
        feed::failures(&db, failures);
        feed::deadlocks(&db);
        feed::transactions(&db, &mut locked(&self.open));
        self.latest.feed(&db);
        db.pool.context().vitals().judge();
        result
    }
}

/// Looks at idle connections: a few of them, or all after an outage. Answers how many were dead.
#[cfg(feature = "sqlx-dep")]
async fn sweep(db: &ResilientConnection, all: bool) -> u32 {
    let settings = db.pool.health.connections.settings();
    let reach = crate::health::sweep::Reach {
        tested: if all { u32::MAX } else { settings.batch_size },
        limit: settings.timeout.saturating_mul(5),
        fill: true,
    };
    db.look_at_connections(reach).await.failed
}

#[cfg(not(feature = "sqlx-dep"))]
async fn sweep(db: &ResilientConnection, _: bool) -> u32 {
    db.check_connections().await.failed
}
