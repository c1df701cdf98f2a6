//! What a failure on a session means: to its transaction, and which constraint it was about.

use std::{sync::Arc, time::Duration};

use resilient_core::{DriverError, Effect, Fault};
use sea_orm::DbErr;

#[cfg(feature = "sqlx-sqlite")]
use crate::session::Wire;
use crate::{
    advice, constraints,
    session::{Request, Session},
};

/// How long the transaction, with its locks, waits to be told what was violated.
const NAMING_LIMIT: Duration = Duration::from_secs(5);

impl Session {
    /// What a statement's failure means to the transaction, and what it violated.
    ///
    /// SQLite ends a transaction on its own account for some errors (`ON CONFLICT ROLLBACK`, a
    /// full disk), under the same codes as otherwise. A BEGIN tells: it fails inside one.
    pub(crate) async fn diagnose(
        &mut self,
        error: &DbErr,
        request: Request<'_>,
        limit: Duration,
    ) -> DriverError {
        let fault = self.verdict(error, limit).await;
        let limit = limit.min(NAMING_LIMIT);
        let named = self.identify(fault, error, Some(request), limit).await;
        advice::on_statement(crate::pool::or_unknown(named, error))
    }

    #[cfg_attr(
        not(feature = "sqlx-sqlite"),
        allow(clippy::unused_async, unused_variables)
    )]
    async fn verdict(&mut self, error: &DbErr, limit: Duration) -> Option<Fault> {
        #[cfg(feature = "sqlx-sqlite")]
        if let Wire::Sqlite(conn) = &mut self.wire {
            let open = tokio::time::timeout(limit, sqlite_transaction_open(conn)).await;
            return match open.ok().flatten() {
                Some(open) => crate::extract::fault_with(error, open),
                None => crate::extract::fault(error).map(|f| f.with_effect(Effect::Unknown)),
            };
        }
        crate::extract::fault(error)
    }

    /// Names what was violated, if that is what happened. `request` is `None` for COMMIT.
    async fn identify(
        &mut self,
        fault: Option<Fault>,
        error: &DbErr,
        request: Option<Request<'_>>,
        limit: Duration,
    ) -> Option<Fault> {
        let fault = fault?;
        if fault.constraint_kind().is_none() {
            return Some(fault);
        }
        let schema = Arc::clone(&self.schema);
        let stands = matches!(fault.effect(), Effect::Statement | Effect::Aborted);
        let session = (stands || request.is_none()).then_some(&mut *self);
        let (fault, finished) =
            constraints::identify(&schema, session, request, error, fault, limit).await;
        // The question may still be being answered, and nobody knows what it leaves. A refused
        // COMMIT is refused all the same.
        Some(match (finished, request) {
            (false, Some(_)) => fault.with_effect(Effect::Unknown),
            _ => fault,
        })
    }

    /// What a refused COMMIT violated.
    pub(crate) async fn diagnose_commit(&mut self, error: DriverError) -> DriverError {
        let source = error.source.clone();
        let Some(db_err) = source.as_deref().and_then(|e| e.downcast_ref::<DbErr>()) else {
            return error;
        };
        let named = self.identify(Some(error.fault.clone()), db_err, None, NAMING_LIMIT);
        match named.await {
            Some(fault) => DriverError { fault, ..error },
            None => error,
        }
    }
}

/// Whether the connection is inside a transaction; `None` where that cannot be told.
#[cfg(feature = "sqlx-sqlite")]
async fn sqlite_transaction_open(conn: &mut sqlx::SqliteConnection) -> Option<bool> {
    use sqlx::Executor;
    match conn.execute(sqlx::raw_sql("BEGIN")).await {
        Ok(_) => {
            let ended = conn.execute(sqlx::raw_sql("ROLLBACK")).await;
            ended.is_ok().then_some(false)
        }
        Err(sqlx::Error::Database(e)) if e.code().as_deref() == Some("1") => Some(true),
        Err(_) => None,
    }
}
