//! Transaction control on a connection, and what its failures mean.

use std::sync::Arc;

use resilient_core::{DriverError, Effect, Fault, FaultKind, driver::Control};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, Statement,
    TransactionOptions, TransactionTrait,
};

use super::{Reply, Request, Session, Wire};
use crate::{commit::MarkerTable, control::Restore};

#[cfg(feature = "sqlx-dep")]
pub(crate) async fn sqlx_control<DB: sqlx::Database>(
    conn: &mut DB::Connection,
    steps: &[Control],
    backend: DbBackend,
    markers: &MarkerTable,
    restore: &mut Restore,
    apart: bool,
) -> Result<(), DriverError>
where
    for<'c> &'c mut DB::Connection: sqlx::Executor<'c, Database = DB>,
{
    let text = crate::control::sql(steps, backend, markers, restore);
    let judged = |error| control_error(&Arc::new(error), steps, backend, markers);
    if apart {
        for statement in crate::control::separate(&text) {
            let statement = sqlx::raw_sql(sqlx::AssertSqlSafe(statement));
            executed::<DB, _>(conn, statement).await.map_err(judged)?;
        }
    } else {
        let text = sqlx::raw_sql(sqlx::AssertSqlSafe(text));
        executed::<DB, _>(conn, text).await.map_err(judged)?;
    }
    Ok(())
}

/// The same as sqlx's `execute`, without the boxes and streams that it wraps around the answers.
#[cfg(feature = "sqlx-dep")]
pub(super) async fn executed<'c, 'q, DB, Q>(
    conn: &'c mut DB::Connection,
    query: Q,
) -> Result<DB::QueryResult, sqlx::Error>
where
    DB: sqlx::Database,
    &'c mut DB::Connection: sqlx::Executor<'c, Database = DB>,
    Q: sqlx::Execute<'q, DB> + 'q,
    'q: 'c,
{
    use futures_util::TryStreamExt;
    use sqlx::Executor;
    let mut answers = conn.fetch_many(query);
    let mut all = DB::QueryResult::default();
    while let Some(answer) = answers.try_next().await? {
        if let sqlx::Either::Left(done) = answer {
            all.extend([done]);
        }
    }
    Ok(all)
}

/// What a failure of these steps means.
#[cfg(feature = "sqlx-dep")]
pub(crate) fn control_error(
    error: &Arc<sqlx::Error>,
    steps: &[Control],
    backend: DbBackend,
    markers: &MarkerTable,
) -> DriverError {
    let db_err = DbErr::Query(sea_orm::RuntimeErr::SqlxError(Arc::clone(error)));
    let commit = matches!(steps, [step] if step.is_commit());
    let ends = commit || steps == [Control::RollbackChecked];
    if ends && backend == DbBackend::MySql && guard_is_gone(error) {
        let unknown = Fault::new(FaultKind::CommitUnknown, Effect::Transaction);
        return DriverError::new(unknown, db_err).with_advice(
            "the transaction had ended before: a statement in it, a stored routine perhaps, \
             committed it or swallowed an error that rolled it back",
        );
    }
    let phase = if commit {
        resilient_core::classify::Phase::Commit
    } else {
        resilient_core::classify::Phase::Statement
    };
    let fault = crate::extract::sqlx_fault(error, phase, None);
    let marked = matches!(steps, [Control::CommitVerified(_)]);
    let (fault, advice) = if marked {
        markers.judge(fault, backend)
    } else {
        (fault, None)
    };
    let error = DriverError::new(fault, db_err);
    match advice {
        Some(advice) => error.with_advice(advice),
        None => error,
    }
}

/// Whether MySQL says that a savepoint does not exist (`ER_SP_DOES_NOT_EXIST`).
#[cfg(feature = "sqlx-dep")]
fn guard_is_gone(error: &sqlx::Error) -> bool {
    #[cfg(feature = "sqlx-mysql")]
    if let sqlx::Error::Database(e) = error
        && let Some(e) = e.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>()
    {
        return e.number() == 1305;
    }
    let _ = error;
    false
}

/// SeaORM's own transaction, for mocks and proxies. A mock is not sent savepoints: they would
/// use up the results that the test has queued.
async fn sea_orm_control(
    db: &DatabaseConnection,
    transaction: &mut Option<DatabaseTransaction>,
    steps: &[Control],
    markers: &MarkerTable,
    restore: &mut Restore,
) -> Result<(), DbErr> {
    for step in steps {
        match step {
            Control::Begin(options) => {
                let options = TransactionOptions {
                    isolation_level: options.isolation.map(crate::connection::sea_orm_isolation),
                    access_mode: options.read_only.then_some(sea_orm::AccessMode::ReadOnly),
                    sqlite_transaction_mode: None,
                };
                *transaction = Some(db.begin_with_options(options).await?);
            }
            Control::Commit | Control::CommitVerified(_) => {
                if let Some(transaction) = transaction.take() {
                    if let (Control::CommitVerified(token), false) = (step, db.is_mock_connection())
                    {
                        let sql = markers.mark(*token, db.get_database_backend());
                        transaction.execute_unprepared(&sql).await?;
                    }
                    transaction.commit().await?;
                }
            }
            Control::Rollback | Control::RollbackChecked => {
                if let Some(transaction) = transaction.take() {
                    transaction.rollback().await?;
                }
            }
            savepoint => {
                if let (Some(transaction), false) = (&transaction, db.is_mock_connection()) {
                    let backend = db.get_database_backend();
                    let sql = crate::control::sql(&[*savepoint], backend, markers, restore);
                    transaction.execute_unprepared(&sql).await?;
                }
            }
        }
    }
    Ok(())
}

impl Session {
    #[cfg(feature = "testing")]
    pub(crate) fn control_error(&self, error: &Arc<sqlx::Error>, steps: &[Control]) -> DriverError {
        control_error(error, steps, self.backend(), &self.markers)
    }

    /// Whether the server is a node of a Galera cluster, which is asked once.
    #[cfg(feature = "sqlx-mysql")]
    async fn in_cluster(&mut self) -> Result<bool, DriverError> {
        if self.backend() != DbBackend::MySql || matches!(self.wire, Wire::SeaOrm { .. }) {
            return Ok(false);
        }
        if let Some(known) = self.markers.in_cluster.get() {
            return Ok(*known);
        }
        let sql = "SHOW GLOBAL VARIABLES WHERE Variable_name='wsrep_on' AND Value='ON'";
        let statement = Statement::from_string(DbBackend::MySql, sql);
        let reply = self.pass(Request::All(&statement)).await;
        let rows = reply.and_then(Reply::all);
        let rows = rows.map_err(|error| crate::pool::driver_error(&error))?;
        Ok(*self.markers.in_cluster.get_or_init(|| !rows.is_empty()))
    }

    /// Finds out where the table of markers is. Where it cannot, the marker will say so.
    pub(crate) async fn find_markers(&mut self) {
        let backend = self.backend();
        let Some(sql) = self.markers.ask_home(backend) else {
            return;
        };
        if matches!(self.wire, Wire::SeaOrm { .. }) {
            return;
        }
        let statement = Statement::from_string(backend, sql);
        let reply = self.pass(Request::One(&statement)).await;
        if let Ok(Some(row)) = reply.and_then(Reply::one)
            && let Ok(Some(home)) = row.try_get::<Option<String>>("", "home")
        {
            self.markers.settle(home);
        }
    }

    pub(crate) async fn pass_control(&mut self, steps: &[Control]) -> Result<(), DriverError> {
        if matches!(steps, [Control::CommitVerified(_)]) {
            Box::pin(self.find_markers()).await;
        }
        #[cfg(feature = "sqlx-mysql")]
        let apart = {
            let begins = matches!(steps, [Control::Begin(_), ..]);
            // Before the transaction, so that its COMMIT is not in doubt for the sake of this.
            let cluster = if begins {
                match self.markers.in_cluster.get() {
                    Some(known) => *known,
                    None => Box::pin(self.in_cluster()).await?,
                }
            } else {
                self.markers.in_cluster.get() == Some(&true)
            };
            cluster && steps.iter().any(Control::is_commit)
        };
        let (restore, markers) = (&mut self.restore, &*self.markers);
        match &mut self.wire {
            #[cfg(feature = "sqlx-postgres")]
            Wire::Postgres(conn) => {
                sqlx_control::<sqlx::Postgres>(
                    conn,
                    steps,
                    DbBackend::Postgres,
                    markers,
                    restore,
                    false,
                )
                .await
            }
            #[cfg(feature = "sqlx-mysql")]
            Wire::MySql(conn) => {
                sqlx_control::<sqlx::MySql>(conn, steps, DbBackend::MySql, markers, restore, apart)
                    .await
            }
            #[cfg(feature = "sqlx-sqlite")]
            Wire::Sqlite(conn) => {
                sqlx_control::<sqlx::Sqlite>(
                    conn,
                    steps,
                    DbBackend::Sqlite,
                    markers,
                    restore,
                    false,
                )
                .await
            }
            Wire::SeaOrm { db, transaction } => {
                Box::pin(sea_orm_control(db, transaction, steps, markers, restore))
                    .await
                    .map_err(|error| crate::pool::driver_error(&error))
            }
        }
    }
}
