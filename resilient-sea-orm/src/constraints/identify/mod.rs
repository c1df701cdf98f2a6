//! Which constraint an error is about, beyond what the error says: from the catalogue, the
//! statement, and on SQLite by trying again what failed.
//!
//! Everything here is done after a violation, never before. What cannot be known for certain is
//! left open; and whatever goes wrong here is logged, and leaves the error as it was.

#[cfg(feature = "sqlx-sqlite")]
mod foreign_key;
#[cfg(feature = "sqlx-mysql")]
mod mysql;
#[cfg(feature = "sqlx-postgres")]
mod postgres;
mod probe;
#[cfg(feature = "sqlx-sqlite")]
mod sqlite;

use std::{sync::Arc, time::Duration};

use resilient_core::{
    Effect, Fault,
    constraint::{Constraint, Table},
    metrics,
};
use sea_orm::{DbBackend, DbErr, RuntimeErr};

use super::{Schema, known};
use crate::{
    extract,
    session::{Request, Session},
};
use probe::OnSession;

/// How long another connection than the statement's own may take to be had, and to answer.
const LIMIT: Duration = Duration::from_secs(1);

/// Names what a failed statement violated, if it violated anything; counts it; and keeps what
/// was found out for everybody who gets the error. Also answers whether it came to an end within
/// `limit`.
///
/// `session` is the one that the statement ran on, if it can still be asked; `request` is `None`
/// for a COMMIT.
///
/// # Cancel safety
/// Dropping the future leaves an exchange with the server unfinished, as dropping a statement
/// does: a transaction that the session is in must not be trusted afterwards. The same if it
/// did not come to an end.
pub(crate) async fn identify(
    schema: &Arc<Schema>,
    session: Option<&mut Session>,
    request: Option<Request<'_>>,
    error: &DbErr,
    fault: Fault,
    limit: Duration,
) -> (Fault, bool) {
    if fault.constraint_kind().is_none() {
        return (fault, true);
    }
    let fault = fault.with_database(&schema.name);
    let on_session = session.is_some();
    let asked = complete(schema, session, request, error, fault.clone());
    let (fault, finished) = match tokio::time::timeout(limit, asked).await {
        Ok(Ok(completed)) => (completed, true),
        Ok(Err(failed)) => {
            // What the question did to the transaction, if it was asked there.
            let effect = extract::fault(&failed).map(|failed| failed.effect());
            let fault = match effect.filter(|effect| on_session && *effect != Effect::Statement) {
                Some(effect) => fault.with_effect(effect),
                None => fault,
            };
            tracing::debug!(
                target: "resilient",
                fault = %fault,
                db.namespace = schema.name.as_str(),
                error = %crate::Error::from(failed),
                "the catalogue could not be asked about a violation",
            );
            (fault, true)
        }
        Err(_) => (fault, false),
    };
    metrics::global().violation(&schema.name, &fault);
    known::remember(error, &fault);
    (fault, finished)
}

async fn complete(
    schema: &Arc<Schema>,
    session: Option<&mut Session>,
    request: Option<Request<'_>>,
    error: &DbErr,
    fault: Fault,
) -> Result<Fault, DbErr> {
    let Some(backend) = backend(schema) else {
        return Ok(fault);
    };
    match backend {
        #[cfg(feature = "sqlx-postgres")]
        DbBackend::Postgres => postgres::complete(schema, session.as_deref(), request, fault).await,
        #[cfg(feature = "sqlx-mysql")]
        DbBackend::MySql => {
            let failed = mysql::Failed {
                request,
                message: message(error),
            };
            if let Some(session) = session {
                return mysql::complete(schema, &OnSession::new(session), failed, fault).await;
            }
            let asked = mysql::complete(schema, &schema.connection, failed, fault.clone());
            // A busy pool, or metadata that somebody has locked.
            let asked = tokio::time::timeout(LIMIT, asked).await;
            asked.unwrap_or(Ok(fault))
        }
        #[cfg(feature = "sqlx-sqlite")]
        DbBackend::Sqlite => sqlite::complete(schema, session, request, fault).await,
        _ => Ok(fault),
    }
}

/// What the server said.
fn message(error: &DbErr) -> Option<&str> {
    let (DbErr::Conn(RuntimeErr::SqlxError(e))
    | DbErr::Exec(RuntimeErr::SqlxError(e))
    | DbErr::Query(RuntimeErr::SqlxError(e))) = error
    else {
        return None;
    };
    match &**e {
        sqlx::Error::Database(e) => Some(e.message()),
        _ => None,
    }
}

/// The engine, where there is a real one: a mock's results are queued for the test's own
/// statements.
fn backend(schema: &Schema) -> Option<DbBackend> {
    use sea_orm::DatabaseConnectionType as Type;
    match schema.connection.inner {
        #[cfg(feature = "sqlx-postgres")]
        Type::SqlxPostgresPoolConnection(_) => Some(DbBackend::Postgres),
        #[cfg(feature = "sqlx-mysql")]
        Type::SqlxMySqlPoolConnection(_) => Some(DbBackend::MySql),
        #[cfg(feature = "sqlx-sqlite")]
        Type::SqlxSqlitePoolConnection(_) => Some(DbBackend::Sqlite),
        _ => None,
    }
}

/// The fault with what the catalogue knows about its constraint.
fn with_constraint(fault: Fault, table: &Table, constraint: &Constraint) -> Fault {
    let fault = fault
        .with_table(table.schema.as_deref(), &table.name)
        .with_visibility(table.visible)
        .with_constraint(constraint.name.as_deref());
    let fault = match &constraint.references {
        Some(parent) => {
            fault.with_reference(parent.schema.as_deref(), &parent.table, &parent.columns)
        }
        None => fault,
    };
    if constraint.expression {
        fault.with_expression_over(&constraint.columns)
    } else {
        fault.with_columns(&constraint.columns)
    }
}

/// The only item, if there is exactly one.
fn only<T>(mut items: impl Iterator<Item = T>) -> Option<T> {
    let first = items.next()?;
    items.next().is_none().then_some(first)
}
