//! What makes trouble on purpose, for `examples/load`. Only there if `TROUBLE` is on.

use std::time::Duration;

use resilient_sea_orm::prelude::*;
use sea_orm::{AccessMode, ConnectionTrait, DbBackend, TransactionTrait};

/// Makes trouble.
#[derive(Clone, Debug)]
pub struct Trouble {
    db: ResilientConnection,
}

impl Trouble {
    /// In this database.
    pub fn new(db: &ResilientConnection) -> Self {
        Self { db: db.clone() }
    }

    /// Begins a transaction that only reads and forgets to end it, for so long. It holds a
    /// connection, and nobody's locks.
    ///
    /// # Errors
    /// When no transaction can be begun.
    pub async fn leak(&self, time: Duration) -> Result<()> {
        let kept = self
            .db
            .begin_with_config(None, Some(AccessMode::ReadOnly))
            .await?;
        kept.execute_unprepared("SELECT COUNT(*) FROM bank_account")
            .await?;
        tokio::spawn(async move {
            tokio::time::sleep(time).await;
            if let Err(error) = kept.rollback().await {
                tracing::info!(%error, "the leaked transaction was ended by others");
            }
        });
        Ok(())
    }
}

#[resilient(read_only, retries = 0)]
impl Trouble {
    /// Keeps the server busy for about so long with one statement.
    ///
    /// # Errors
    /// The database's.
    pub async fn slow(&self, time: Duration) -> Result<()> {
        let seconds = time.as_secs_f64();
        let sql = match self.db.get_database_backend() {
            DbBackend::Postgres => format!("SELECT pg_sleep({seconds})"),
            DbBackend::MySql => format!("SELECT SLEEP({seconds})"),
            // It cannot sleep, and how fast it counts differs from machine to machine.
            _ => format!(
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) \
                 SELECT COUNT(*) FROM n",
                time.as_millis().saturating_mul(1_000).max(1)
            ),
        };
        self.db.execute_unprepared(&sql).await?;
        Ok(())
    }
}
