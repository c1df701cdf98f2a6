//! Streams of rows, on the pool or inside a scope.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use futures_util::{FutureExt, Stream, StreamExt, stream::BoxStream};
use resilient_core::{
    driver::{Database as _, Disposal, Session as _},
    health::breaker::Permit,
    scope::{Place, Scope, current},
};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement, StreamTrait};

use crate::{
    Error, ResilientConnection, ResilientTransaction, advice,
    connection_trait::{Lost, booked, misuse, named_on_pool},
    extract, keywords,
    pool::Pool,
    session::{Request, Session, Wire, limited},
    vitals::{self, Measured},
};

/// A stream of rows.
///
/// Inside a scope the rows share the transaction's connection: other statements of it are
/// refused until the stream has ended or is dropped.
pub struct ResilientStream<'a>(BoxStream<'a, Result<QueryResult, DbErr>>);

impl Stream for ResilientStream<'_> {
    type Item = Result<QueryResult, DbErr>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx)
    }
}

impl fmt::Debug for ResilientStream<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResilientStream").finish_non_exhaustive()
    }
}

async fn in_scope(
    scope: &Scope<Pool>,
    statement: Statement,
) -> Result<ResilientStream<'static>, DbErr> {
    let backend = scope.database().connection.get_database_backend();
    if let Some(refusal) = keywords::refusal(&statement.sql, backend) {
        return Err(misuse(refusal));
    }
    let mut turn = scope.turn(true).await.map_err(Error::from)?;
    if turn.watches_writes() && !keywords::only_reads(&statement.sql) {
        turn.writes();
    }
    if keywords::may_commit(&statement.sql, backend) {
        turn.may_commit();
    }
    let limit = turn.limit();
    let database = Arc::clone(scope.database());
    let rows = async_stream::stream! {
        let (session, mut flow) = match turn.stream() {
            Ok(parts) => parts,
            Err(failure) => {
                yield Err(Error::from(failure).into());
                return;
            }
        };
        // The rows borrow the session, the session borrows the turn: what the turn has to know
        // is told after the rows have ended.
        let sent = database.context().vitals().now();
        let failed = {
            let mut rows = rows(session, &statement);
            let mut failed = None;
            let mut measured = Some(Measured::start(&database));
            loop {
                // Most rows are there already, and need no limit.
                let row = match poll_fn(|cx| Poll::Ready(rows.poll_next_unpin(cx))).await {
                    Poll::Ready(row) => row,
                    Poll::Pending => {
                        let row = limited(limit, rows.next().map(Option::transpose)).await;
                        row.transpose()
                    }
                };
                if let Some(measured) = measured.take() {
                    let error = row.as_ref().and_then(|row| row.as_ref().err());
                    measured.book(&statement.sql, error.and_then(extract::fault).as_ref(), 0);
                }
                match row {
                    Some(row @ Ok(_)) => {
                        flow.flowing();
                        yield row;
                    }
                    Some(Err(error)) => {
                        failed = Some(error);
                        break;
                    }
                    None => break,
                }
            }
            failed
        };
        let result = failed.map_or(Ok(()), Err);
        let times = (sent, database.context().vitals().now());
        if let Err(error) = booked(turn, limit, Request::All(&statement), times, result).await {
            yield Err(error);
        }
    };
    Ok(ResilientStream(Box::pin(rows)))
}

/// On a connection of its own, which goes back to the pool with the last row.
async fn on_pool<'a>(
    pool: &'a Arc<Pool>,
    statement: Statement,
    permit: Option<Permit<'a>>,
) -> Result<ResilientStream<'a>, DbErr> {
    let measured = Measured::start(pool);
    let session = match crate::connection_trait::outside(pool).await {
        Ok(session) => session,
        Err(error) => {
            measured.book(&statement.sql, extract::fault(&error).as_ref(), 0);
            vitals::settle(pool, permit, Some(&error));
            return Err(error);
        }
    };
    let lost = Lost::on(&session, Instant::now());
    let mut lent = Lent {
        session: Some(session),
        how: Disposal::Discard,
    };
    let rows = async_stream::stream! {
        let mut failed = None;
        let Lent { session, how } = &mut lent;
        let Some(session) = session else {
            return;
        };
        {
            let mut rows = rows(session, &statement);
            // Only its first row tells whether it was sent at all.
            let mut first = Some((measured, permit));
            loop {
                let row = rows.next().await;
                if let Some((measured, permit)) = first.take() {
                    let error = row.as_ref().and_then(|row| row.as_ref().err());
                    measured.book(&statement.sql, error.and_then(extract::fault).as_ref(), 0);
                    vitals::settle(pool, permit, error);
                }
                match row {
                    Some(Ok(row)) => {
                        *how = Disposal::Clean;
                        yield Ok(row);
                    }
                    Some(Err(error)) => {
                        failed = Some(error);
                        break;
                    }
                    None => break,
                }
            }
        }
        if let Some(error) = &failed {
            session.failed(error);
        }
        *how = Disposal::Clean;
        drop(lent);
        if let Some(error) = failed {
            lost.tell(pool, &error, &statement.sql);
            named_on_pool(pool, Request::All(&statement), &error).await;
            yield Err(error);
        }
    };
    Ok(ResilientStream(Box::pin(rows)))
}

/// A stream's connection on its way back. Before the first row has come, nobody knows what is to
/// come; after that, dropping it only leaves rows unread, which the driver skips.
struct Lent {
    session: Option<Session>,
    how: Disposal,
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            session.dispose(self.how);
        }
    }
}

#[cfg(feature = "testing")]
fn rows<'a>(
    session: &'a mut Session,
    statement: &'a Statement,
) -> BoxStream<'a, Result<QueryResult, DbErr>> {
    let strike = session.faults.as_ref().and_then(|faults| {
        let point = crate::testing::Point::Statement;
        faults.at(point, &statement.sql)
    });
    let Some(strike) = strike else {
        return undisturbed(session, statement);
    };
    let rows = async_stream::stream! {
        if let Err(error) = session.disturbed_rows(strike, statement).await {
            yield Err(error);
            return;
        }
        let mut rows = undisturbed(session, statement);
        while let Some(row) = rows.next().await {
            yield row;
        }
    };
    rows.boxed()
}

#[cfg(not(feature = "testing"))]
use undisturbed as rows;

fn undisturbed<'a>(
    session: &'a mut Session,
    statement: &'a Statement,
) -> BoxStream<'a, Result<QueryResult, DbErr>> {
    #[cfg(feature = "sqlx-dep")]
    macro_rules! fetch {
        ($conn:expr) => {{
            use sqlx::Executor;
            let named = crate::named::Remembers::remembers(&**$conn);
            $conn
                .fetch(crate::session::query!(statement, named))
                .map(|row| row.map(Into::into).map_err(crate::session::query_err))
                .boxed()
        }};
    }
    match &mut session.wire {
        #[cfg(feature = "sqlx-postgres")]
        Wire::Postgres(conn) => fetch!(conn),
        #[cfg(feature = "sqlx-mysql")]
        Wire::MySql(conn) => fetch!(conn),
        #[cfg(feature = "sqlx-sqlite")]
        Wire::Sqlite(conn) => fetch!(conn),
        Wire::SeaOrm { db, transaction } => {
            // Mocks and proxies hand over all rows at once anyway.
            let all = async move {
                match transaction {
                    Some(transaction) => transaction.query_all_raw(statement.clone()).await,
                    None => db.query_all_raw(statement.clone()).await,
                }
            };
            futures_util::stream::once(all)
                .flat_map(|rows| {
                    let rows = match rows {
                        Ok(rows) => rows.into_iter().map(Ok).collect(),
                        Err(error) => vec![Err(error)],
                    };
                    futures_util::stream::iter(rows)
                })
                .boxed()
        }
    }
}

impl StreamTrait for ResilientConnection {
    type Stream<'a> = ResilientStream<'a>;

    fn get_database_backend(&self) -> DbBackend {
        ConnectionTrait::get_database_backend(self)
    }

    fn stream_raw<'a>(
        &'a self,
        stmt: Statement,
    ) -> Pin<Box<dyn Future<Output = Result<Self::Stream<'a>, DbErr>> + 'a + Send>> {
        Box::pin(async move {
            match current(&self.pool) {
                Place::Scope(scope) => in_scope(&scope, stmt).await,
                Place::Outside => {
                    let permit = vitals::admit(&self.pool).map_err(Error::from)?;
                    on_pool(&self.pool, stmt, permit).await
                }
                Place::Detached(call) => {
                    advice::check_room(&self.pool).map_err(Error::from)?;
                    let permit = vitals::admit_in(&self.pool, &call)?;
                    if !keywords::only_reads(&stmt.sql) {
                        advice::check_write_lock(&self.pool, true).map_err(Error::from)?;
                        call.writing();
                    }
                    on_pool(&self.pool, stmt, permit).await
                }
            }
        })
    }
}

impl StreamTrait for ResilientTransaction {
    type Stream<'a> = ResilientStream<'a>;

    fn get_database_backend(&self) -> DbBackend {
        ConnectionTrait::get_database_backend(self)
    }

    fn stream_raw<'a>(
        &'a self,
        stmt: Statement,
    ) -> Pin<Box<dyn Future<Output = Result<Self::Stream<'a>, DbErr>> + 'a + Send>> {
        Box::pin(async move { in_scope(&self.scope, stmt).await })
    }
}
