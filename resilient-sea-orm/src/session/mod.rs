//! One connection, owned through sqlx, so that nothing but the framework begins or ends
//! transactions on it.

mod control;
mod driver;

use std::{
    future::Future,
    mem,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use resilient_core::{
    Effect,
    health::{Lease, speaks_against_others},
    time::{Spare, in_time, in_time_with},
    turns::HeldTurns,
};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult,
    QueryResult, Statement,
};

#[cfg(feature = "sqlx-dep")]
use control::executed;
#[cfg(feature = "sqlx-dep")]
pub(crate) use control::sqlx_control;

use crate::{commit::MarkerTable, constraints::Schema, control::Restore, handover::Handover};

/// What a statement asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Request<'a> {
    Execute(&'a Statement),
    Unprepared(&'a str),
    One(&'a Statement),
    All(&'a Statement),
}

impl Request<'_> {
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Execute(s) | Self::One(s) | Self::All(s) => &s.sql,
            Self::Unprepared(sql) => sql,
        }
    }
}

/// What it got.
#[derive(Debug)]
pub(crate) enum Reply {
    Done(ExecResult),
    One(Option<QueryResult>),
    All(Vec<QueryResult>),
}

/// Each request gets its own kind of reply.
macro_rules! reply_as {
    ($name:ident, $kind:ident, $type:ty) => {
        pub(crate) fn $name(self) -> Result<$type, DbErr> {
            match self {
                Self::$kind(value) => Ok(value),
                other => Err(DbErr::Custom(format!("unexpected reply {other:?}"))),
            }
        }
    };
}

impl Reply {
    reply_as!(done, Done, ExecResult);
    reply_as!(one, One, Option<QueryResult>);
    reply_as!(all, All, Vec<QueryResult>);
}

/// A connection that is checked out of its pool.
#[derive(Debug)]
pub struct Session {
    /// Before the connection, which somebody else may lease as soon as it is given back.
    lease: Option<Lease>,
    pub(crate) wire: Wire,
    restore: Restore,
    pub(crate) schema: Arc<Schema>,
    markers: Arc<MarkerTable>,
    /// The transaction has changed the schema, which others do not see before it commits.
    pub(crate) changed_schema: bool,
    /// Who may wait for it.
    pub(crate) handover: Option<Arc<Handover>>,
    /// How often it was handed over since it was in the pool.
    pub(crate) handed: u8,
    /// The end of a transaction was the last thing that it answered.
    settled: bool,
    #[cfg(feature = "testing")]
    pub(crate) faults: Option<Arc<crate::testing::Slot>>,
    #[cfg(feature = "testing")]
    pub(crate) late: Option<crate::testing::Late>,
    /// Of the limits on waits for its answers.
    timer: Spare,
    /// The turns that its transaction or statement has.
    turns: Option<HeldTurns>,
}

#[derive(Debug)]
pub(crate) enum Wire {
    #[cfg(feature = "sqlx-postgres")]
    Postgres(sqlx::pool::PoolConnection<sqlx::Postgres>),
    #[cfg(feature = "sqlx-mysql")]
    MySql(sqlx::pool::PoolConnection<sqlx::MySql>),
    #[cfg(feature = "sqlx-sqlite")]
    Sqlite(sqlx::pool::PoolConnection<sqlx::Sqlite>),
    /// What has no sqlx pool: mocks and proxies. SeaORM's own transaction stands in.
    SeaOrm {
        db: DatabaseConnection,
        transaction: Option<DatabaseTransaction>,
    },
}

impl Session {
    pub(crate) fn new(
        wire: Wire,
        lease: Option<Lease>,
        schema: &Arc<Schema>,
        markers: &Arc<MarkerTable>,
    ) -> Self {
        Self {
            wire,
            lease,
            restore: Restore::default(),
            schema: Arc::clone(schema),
            markers: Arc::clone(markers),
            changed_schema: false,
            handover: None,
            handed: 0,
            settled: false,
            timer: Spare::default(),
            turns: None,
            #[cfg(feature = "testing")]
            faults: None,
            #[cfg(feature = "testing")]
            late: None,
        }
    }

    /// The same connection in the next one's hands.
    pub(crate) fn taken_over(mut self, method: Option<&'static str>) -> Self {
        #[cfg(feature = "sqlx-dep")]
        if let Some(lease) = &self.lease {
            crate::health::hold(lease, method);
        }
        let _ = method;
        self.restore = Restore::default();
        self.changed_schema = false;
        self.settled = false;
        self
    }

    /// It has these turns until it is given back.
    pub(crate) fn hold(&mut self, turns: Option<HeldTurns>) {
        self.turns = turns;
    }

    /// A statement has done well; if it changed the schema, what was read of it is forgotten.
    pub(crate) fn note(&mut self, sql: &str) {
        self.changed_schema |= self.schema.note(sql);
    }

    pub(crate) fn backend(&self) -> DbBackend {
        match &self.wire {
            #[cfg(feature = "sqlx-postgres")]
            Wire::Postgres(_) => DbBackend::Postgres,
            #[cfg(feature = "sqlx-mysql")]
            Wire::MySql(_) => DbBackend::MySql,
            #[cfg(feature = "sqlx-sqlite")]
            Wire::Sqlite(_) => DbBackend::Sqlite,
            Wire::SeaOrm { db, .. } => db.get_database_backend(),
        }
    }

    /// The same for what runs outside of transactions, where nobody else looks at faults.
    pub(crate) fn failed(&mut self, error: &DbErr) {
        use resilient_core::driver::Session as _;
        if crate::extract::fault(error).is_some_and(|fault| speaks_against_others(&fault, false)) {
            self.distrust();
        }
    }

    pub(crate) async fn send(&mut self, request: Request<'_>) -> Result<Reply, DbErr> {
        let sent = Instant::now();
        let result = self.pass(request).await;
        self.measured(sent.elapsed());
        self.mark(&result);
        result
    }

    /// A statement of the caller's own, which a fault plan may strike. Whoever
    /// [measures](Self::measured) it says how long it took.
    pub(crate) async fn submit(&mut self, request: Request<'_>) -> Result<Reply, DbErr> {
        #[cfg(feature = "testing")]
        if let Some(faults) = &self.faults
            && let Some(strike) = faults.at(crate::testing::Point::Statement, request.text())
        {
            let result = Box::pin(self.disturbed(strike, request)).await;
            self.mark(&result);
            return result;
        }
        // Boxed with this feature, as each `async fn` in between makes the futures of callers
        // deeper.
        #[cfg(feature = "testing")]
        let result = Box::pin(self.pass(request)).await;
        #[cfg(not(feature = "testing"))]
        let result = self.pass(request).await;
        self.mark(&result);
        result
    }

    /// [`submit`](Self::submit) within a limit.
    pub(crate) async fn submit_in_time(
        &mut self,
        limit: Duration,
        request: Request<'_>,
    ) -> Result<Reply, DbErr> {
        let mut timer = mem::take(&mut self.timer);
        let answer = in_time_with(&mut timer, limit, self.submit(request)).await;
        self.timer = timer;
        answer.unwrap_or_else(|| Err(silence(limit)))
    }

    /// A statement was answered, or given up, after so long.
    pub(crate) fn measured(&self, took: Duration) {
        if let Some(lease) = &self.lease {
            lease.sent(took);
        }
    }

    /// Notes whether the connection is lost.
    pub(crate) fn mark(&self, result: &Result<Reply, DbErr>) {
        if let (Some(lease), Err(error)) = (&self.lease, result)
            && crate::extract::fault(error).is_some_and(|f| f.effect() == Effect::Connection)
        {
            lease.broken();
        }
    }

    /// The number in the last row that a text of statements gives, without preparing any of them.
    #[cfg(feature = "sqlx-dep")]
    pub(crate) async fn last_number(&mut self, sql: String) -> Result<Option<i64>, DbErr> {
        macro_rules! number {
            ($conn:expr) => {{
                use sqlx::{Executor, Row};
                let rows = $conn
                    .fetch_all(sqlx::raw_sql(sqlx::AssertSqlSafe(sql)))
                    .await;
                let number = rows.and_then(|rows| match rows.last() {
                    Some(row) => row.try_get(0).map(Some),
                    None => Ok(None),
                });
                number.map_err(query_err)
            }};
        }
        match &mut self.wire {
            #[cfg(feature = "sqlx-postgres")]
            Wire::Postgres(conn) => number!(conn),
            #[cfg(feature = "sqlx-mysql")]
            Wire::MySql(conn) => number!(conn),
            #[cfg(feature = "sqlx-sqlite")]
            Wire::Sqlite(conn) => number!(conn),
            Wire::SeaOrm { .. } => Ok(None),
        }
    }

    pub(crate) async fn pass(&mut self, request: Request<'_>) -> Result<Reply, DbErr> {
        match &mut self.wire {
            #[cfg(feature = "sqlx-postgres")]
            Wire::Postgres(conn) => sqlx_send!(sqlx::Postgres, conn, request),
            #[cfg(feature = "sqlx-mysql")]
            Wire::MySql(conn) => sqlx_send!(sqlx::MySql, conn, request),
            #[cfg(feature = "sqlx-sqlite")]
            Wire::Sqlite(conn) => sqlx_send!(sqlx::Sqlite, conn, request),
            Wire::SeaOrm { db, transaction } => match transaction {
                Some(transaction) => through(transaction, request).await,
                None => through(db, request).await,
            },
        }
    }
}

/// Rows as schema discovery reads them.
#[cfg(all(feature = "schema-sync", feature = "sqlx-dep"))]
impl Session {
    pub(crate) async fn schema_rows(
        &mut self,
        statement: &Statement,
    ) -> Result<Vec<sea_schema::sqlx_types::SqlxRow>, DbErr> {
        macro_rules! rows {
            ($conn:expr, $kind:ident) => {{
                use sqlx::Executor;
                let named = crate::named::Remembers::remembers(&**$conn);
                let rows = $conn.fetch_all(sqlx_query!(statement, named)).await;
                let rows = rows.map_err(query_err)?.into_iter();
                Ok(rows.map(sea_schema::sqlx_types::SqlxRow::$kind).collect())
            }};
        }
        match &mut self.wire {
            #[cfg(feature = "sqlx-postgres")]
            Wire::Postgres(conn) => rows!(conn, Postgres),
            #[cfg(feature = "sqlx-mysql")]
            Wire::MySql(conn) => rows!(conn, MySql),
            #[cfg(feature = "sqlx-sqlite")]
            Wire::Sqlite(conn) => rows!(conn, Sqlite),
            Wire::SeaOrm { .. } => Ok(Vec::new()),
        }
    }
}

pub(crate) async fn through(
    db: &impl ConnectionTrait,
    request: Request<'_>,
) -> Result<Reply, DbErr> {
    Ok(match request {
        Request::Execute(s) => Reply::Done(db.execute_raw(s.clone()).await?),
        Request::Unprepared(sql) => Reply::Done(db.execute_unprepared(sql).await?),
        Request::One(s) => Reply::One(db.query_one_raw(s.clone()).await?),
        Request::All(s) => Reply::All(db.query_all_raw(s.clone()).await?),
    })
}

/// The statement as sqlx runs it; the same for each engine but for its types.
#[cfg(feature = "sqlx-dep")]
macro_rules! sqlx_query {
    ($statement:expr, $named:expr) => {{
        let values = $statement
            .values
            .clone()
            .unwrap_or(sea_orm::Values(Vec::new()));
        sqlx::query_with(
            sqlx::AssertSqlSafe($statement.sql.as_str()),
            sea_query_sqlx::SqlxValues(values),
        )
        .persistent($named)
    }};
}

#[cfg(feature = "sqlx-dep")]
macro_rules! sqlx_send {
    ($database:ty, $conn:expr, $request:expr) => {{
        use sqlx::Executor;
        let named = crate::named::Remembers::remembers(&**$conn);
        match $request {
            Request::Execute(s) => executed::<$database, _>($conn, sqlx_query!(s, named))
                .await
                .map(|done| Reply::Done(done.into()))
                .map_err(exec_err),
            Request::Unprepared(sql) => {
                executed::<$database, _>($conn, sqlx::raw_sql(sqlx::AssertSqlSafe(sql)))
                    .await
                    .map(|done| Reply::Done(done.into()))
                    .map_err(exec_err)
            }
            Request::One(s) => $conn
                .fetch_optional(sqlx_query!(s, named))
                .await
                .map(|row| Reply::One(row.map(Into::into)))
                .map_err(query_err),
            Request::All(s) => $conn
                .fetch_all(sqlx_query!(s, named))
                .await
                .map(|rows| Reply::All(rows.into_iter().map(Into::into).collect()))
                .map_err(query_err),
        }
    }};
}

#[cfg(feature = "sqlx-dep")]
pub(crate) use sqlx_query as query;
#[cfg(feature = "sqlx-dep")]
use {sqlx_query, sqlx_send};

#[cfg(feature = "sqlx-dep")]
fn exec_err(error: sqlx::Error) -> DbErr {
    DbErr::Exec(sea_orm::RuntimeErr::SqlxError(std::sync::Arc::new(error)))
}

#[cfg(feature = "sqlx-dep")]
pub(crate) fn query_err(error: sqlx::Error) -> DbErr {
    DbErr::Query(sea_orm::RuntimeErr::SqlxError(std::sync::Arc::new(error)))
}

/// Runs `operation` for at most `limit`; silence is an error like any other.
///
/// Not an `async fn`, which would hold `operation` twice.
pub(crate) fn limited<T>(
    limit: Duration,
    operation: impl Future<Output = Result<T, DbErr>>,
) -> impl Future<Output = Result<T, DbErr>> {
    in_time(limit, operation).map(move |answer| answer.unwrap_or_else(|| Err(silence(limit))))
}

/// The error of an answer that did not come: one that is classified as a lost connection,
/// also after it went through the hands of the user.
pub(crate) fn silence(limit: Duration) -> DbErr {
    let text = format!("no answer within {limit:?}: the connection is given up");
    #[cfg(feature = "sqlx-dep")]
    return query_err(sqlx::Error::Io(std::io::Error::new(
        std::io::ErrorKind::TimedOut,
        text,
    )));
    #[cfg(not(feature = "sqlx-dep"))]
    DbErr::Conn(sea_orm::RuntimeErr::Internal(text))
}
