//! Statements: on the pool, in a call without a transaction, or in a scope.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use resilient_core::{
    DriverError, Failure, FaultKind,
    driver::{Database as _, Disposal, Session as _},
    health::breaker::Permit,
    scope::{Place, Scope, Turn, current},
    turns::HeldTurns,
};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, Statement};

#[cfg(feature = "sqlx-dep")]
use crate::health::participants;
use crate::{
    Error, ResilientConnection, ResilientTransaction, advice, constraints, extract,
    health::Own,
    keywords,
    pool::Pool,
    session::{Reply, Request, Session, limited, silence},
    vitals::{self, Measured},
};

impl ResilientConnection {
    async fn send(&self, request: Request<'_>) -> Result<Reply, DbErr> {
        match current(&self.pool) {
            Place::Scope(scope) => in_scope(&scope, request).await,
            Place::Outside => {
                let permit = vitals::admit(&self.pool).map_err(Error::from)?;
                on_pool(&self.pool, request, permit).await
            }
            Place::Detached(call) => {
                advice::check_room(&self.pool).map_err(Error::from)?;
                // Before it counts as written: what is rejected was not sent.
                let permit = vitals::admit_in(&self.pool, &call)?;
                if !keywords::only_reads(request.text()) {
                    advice::check_write_lock(&self.pool, true).map_err(Error::from)?;
                    call.writing();
                }
                let result = on_pool(&self.pool, request, permit).await;
                match &result {
                    Ok(_) => call.succeeded(),
                    Err(error) => {
                        if let Some(fault) = extract::fault(error) {
                            call.failed(DriverError::new(fault, error.clone()));
                        }
                    }
                }
                result
            }
        }
    }
}

/// On a connection of its own. Waiting for it has a limit of its own, which is the shorter one
/// unless it was set otherwise.
async fn on_pool(
    pool: &Arc<Pool>,
    request: Request<'_>,
    permit: Option<Permit<'_>>,
) -> Result<Reply, DbErr> {
    let limit = pool.context.limits().statement;
    let measured = Measured::start(pool);
    let mut lost = Lost::default();
    let result = async {
        // Dropped before the answer has come, it is given up.
        let turns = writers_turn(pool, request).await?;
        // Boxed, as every statement's future would be as large.
        let mut own = Own(Some(limited(limit, Box::pin(outside(pool))).await?));
        let Some(session) = &mut own.0 else {
            return Err(silence(limit));
        };
        session.hold(turns);
        let sent = Instant::now();
        lost = Lost::on(session, sent);
        let mut silent = true;
        let answer = async {
            let answer = session.submit(request).await;
            silent = false;
            answer
        };
        let result = limited(limit, answer).await;
        session.measured(sent.elapsed());
        if let Err(error) = &result {
            session.failed(error);
        }
        // Where the answer is still to come, nobody waits for it.
        if !silent && let Some(session) = own.0.take() {
            let how = match &result {
                Ok(_) => Disposal::Clean,
                Err(_) => after_failed(request.text(), session.backend()),
            };
            session.dispose(how);
        }
        result
    }
    .await;
    measured.done(request, &result);
    vitals::settle(pool, permit, result.as_ref().err());
    match &result {
        Ok(_) => {
            pool.schema.note(request.text());
        }
        Err(error) => {
            lost.tell(pool, error, request.text());
            named_on_pool(pool, request, error).await;
        }
    }
    result
}

/// The turn of `SQLite`'s only writer, for a statement that may write.
async fn writers_turn(pool: &Arc<Pool>, request: Request<'_>) -> Result<Option<HeldTurns>, DbErr> {
    if !pool.context.has_one_writer() || !keywords::takes_write_lock(request.text()) {
        return Ok(None);
    }
    let turns = resilient_core::scope::writers_turn(pool).await;
    turns.map_err(|failure| Error::from(failure).into())
}

/// What has to be known of a statement on the pool in case that it loses a deadlock.
#[derive(Clone, Copy, Default)]
pub(crate) struct Lost(Option<(Instant, Option<u64>)>);

impl Lost {
    /// It was sent then, on this session.
    pub(crate) fn on(session: &Session, sent: Instant) -> Self {
        Self(Some((sent, session.server_pid())))
    }

    /// It failed: enters the deadlock, if it was one.
    #[cfg_attr(not(feature = "sqlx-dep"), allow(clippy::unused_self))]
    pub(crate) fn tell(self, pool: &Arc<Pool>, error: &DbErr, sql: &str) {
        #[cfg(feature = "sqlx-dep")]
        if let Some((sent, server_pid)) = self.0
            && extract::fault(error).is_some_and(|fault| fault.kind() == FaultKind::Deadlock)
        {
            participants::seen(pool, error, sql, sent, server_pid);
        }
    }
}

/// How a connection goes back after a statement outside of transactions that failed: a script that
/// begins a transaction may have left it open.
fn after_failed(sql: &str, backend: DbBackend) -> Disposal {
    match keywords::refusal(sql, backend) {
        Some(_) => Disposal::RollBack,
        None => Disposal::Clean,
    }
}

/// Names what a statement outside of any transaction violated.
pub(crate) async fn named_on_pool(pool: &Pool, request: Request<'_>, error: &DbErr) {
    if let Some(fault) = extract::fault(error) {
        let limit = pool.context.limits().statement;
        constraints::identify(&pool.schema, None, Some(request), error, fault, limit).await;
    }
}

/// A connection for what runs outside of transactions.
pub(crate) async fn outside(pool: &Pool) -> Result<Session, DbErr> {
    pool.acquire().await.map_err(|error| {
        let source = error.source.as_deref();
        let known = source.and_then(|source| source.downcast_ref::<DbErr>());
        known
            .cloned()
            .unwrap_or_else(|| Error::from(Failure::database(error.clone())).into())
    })
}

/// In a transaction of the framework.
pub(crate) async fn in_scope(scope: &Scope<Pool>, request: Request<'_>) -> Result<Reply, DbErr> {
    let backend = scope.database().connection.get_database_backend();
    let plain = keywords::is_plain(request.text());
    if !plain && let Some(refusal) = keywords::refusal(request.text(), backend) {
        return Err(misuse(refusal));
    }
    let mut turn = scope.turn(false).await.map_err(Error::from)?;
    if turn.watches_writes() && !keywords::only_reads(request.text()) {
        turn.writes();
    }
    if !plain && keywords::may_commit(request.text(), backend) {
        turn.may_commit();
    }
    let limit = turn.limit();
    let session = turn.session().map_err(Error::from)?;
    let measured = Measured::start(scope.database());
    let sent = measured.started();
    let result = session.submit_in_time(limit, request).await;
    let now = measured.done(request, &result);
    session.measured(now.saturating_duration_since(sent));
    if result.is_ok() && !plain {
        session.note(request.text());
    }
    booked(turn, limit, request, (sent, now), result).await
}

/// Books how a turn's statement ended, which was sent and answered then.
pub(crate) async fn booked<T>(
    mut turn: Turn<Pool>,
    limit: Duration,
    request: Request<'_>,
    (sent, answered): (Instant, Instant),
    result: Result<T, DbErr>,
) -> Result<T, DbErr> {
    match result {
        Ok(value) => {
            turn.succeeded(answered);
            Ok(value)
        }
        Err(error) => {
            // By real time, as the list of transactions has it.
            #[cfg(feature = "sqlx-dep")]
            let sent = {
                let (now, took) = (Instant::now(), answered.saturating_duration_since(sent));
                now.checked_sub(took).unwrap_or(now)
            };
            #[cfg(not(feature = "sqlx-dep"))]
            let _ = sent;
            let session = turn.session().map_err(Error::from)?;
            // Boxed, as it is rare and deep.
            let diagnosed = Box::pin(session.diagnose(&error, request, limit)).await;
            #[cfg(feature = "sqlx-dep")]
            if diagnosed.fault.kind() == FaultKind::Deadlock {
                let pid = resilient_core::driver::Session::server_pid(session);
                participants::seen(turn.database(), &error, request.text(), sent, pid);
            }
            turn.failed(diagnosed);
            Err(error)
        }
    }
}

pub(crate) fn misuse(text: &str) -> DbErr {
    Error::new(resilient_core::Failure::misuse(text)).into()
}

macro_rules! connection_trait {
    ($type:ty, $self:ident, $request:ident => $send:expr) => {
        #[async_trait::async_trait]
        impl ConnectionTrait for $type {
            fn get_database_backend(&self) -> DbBackend {
                self.sea_orm().get_database_backend()
            }

            async fn execute_raw(&$self, stmt: Statement) -> Result<ExecResult, DbErr> {
                let $request = Request::Execute(&stmt);
                $send.await?.done()
            }

            async fn execute_unprepared(&$self, sql: &str) -> Result<ExecResult, DbErr> {
                let $request = Request::Unprepared(sql);
                $send.await?.done()
            }

            async fn query_one_raw(&$self, stmt: Statement) -> Result<Option<QueryResult>, DbErr> {
                let $request = Request::One(&stmt);
                $send.await?.one()
            }

            async fn query_all_raw(&$self, stmt: Statement) -> Result<Vec<QueryResult>, DbErr> {
                let $request = Request::All(&stmt);
                $send.await?.all()
            }

            fn support_returning(&self) -> bool {
                self.sea_orm().support_returning()
            }

            fn is_mock_connection(&self) -> bool {
                self.sea_orm().is_mock_connection()
            }
        }
    };
}

connection_trait!(ResilientConnection, self, request => self.send(request));
connection_trait!(ResilientTransaction, self, request => in_scope(&self.scope, request));

impl ResilientConnection {
    fn sea_orm(&self) -> &sea_orm::DatabaseConnection {
        &self.pool.connection
    }
}

impl ResilientTransaction {
    fn sea_orm(&self) -> &sea_orm::DatabaseConnection {
        &self.scope.database().connection
    }
}
