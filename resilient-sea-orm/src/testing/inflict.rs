//! Disturbances carried out on a session: what the server is left with is real.
//!
//! Where the server can be made to raise an error, it does: the driver then reports its own
//! error, with everything that comes with it.

use std::{io, sync::Arc};

use resilient_core::{
    DriverError, Effect, FaultKind,
    classify::{Backend, ErrorReport, Phase},
    driver::{Control, Disposal, Session as _},
};
use sea_orm::{DbBackend, DbErr, RuntimeErr, Statement};

use super::{
    Disturbance,
    error::InjectedError,
    injection::{LateGuard, Slot, Strike},
};
use crate::{
    extract,
    session::{Reply, Request, Session, query_err},
};

/// A COMMIT that is carried out once its session has been given up.
#[derive(Debug)]
pub(crate) struct Late {
    delay: std::time::Duration,
    steps: Vec<Control>,
    _guard: LateGuard,
}

impl Late {
    /// Carries it out in the background.
    pub(crate) fn commit(self, mut session: Session) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        runtime.spawn(async move {
            tokio::time::sleep(self.delay).await;
            if let Err(error) = session.pass_control(&self.steps).await {
                tracing::error!(target: "resilient", fault = %error.fault, "a late COMMIT failed");
            }
            session.dispose(Disposal::Discard);
            drop(self);
        });
    }
}

impl Session {
    /// Where plans strike.
    pub(crate) fn with_faults(mut self, faults: &Arc<Slot>) -> Self {
        self.faults = Some(Arc::clone(faults));
        self
    }

    /// A statement that is struck.
    pub(crate) async fn disturbed(
        &mut self,
        strike: Strike,
        request: Request<'_>,
    ) -> Result<Reply, DbErr> {
        match strike.what {
            Disturbance::Slow(delay) => {
                tokio::time::sleep(delay).await;
                self.pass(request).await
            }
            Disturbance::ReplyLost => {
                // Whatever the answer is, nobody hears it.
                let _ = self.pass(request).await;
                Err(self.lost(&strike).await)
            }
            what => Err(self.inflict(&strike, what, Phase::Statement).await),
        }
    }

    /// A stream that is struck before its first row.
    pub(crate) async fn disturbed_rows(
        &mut self,
        strike: Strike,
        statement: &Statement,
    ) -> Result<(), DbErr> {
        if let Disturbance::Slow(delay) = strike.what {
            tokio::time::sleep(delay).await;
            return Ok(());
        }
        let struck = self.disturbed(strike, Request::All(statement)).await;
        self.mark(&struck);
        struck.map(drop)
    }

    /// Transaction control that is struck.
    pub(crate) async fn disturbed_control(
        &mut self,
        strike: Strike,
        steps: &[Control],
    ) -> Result<(), DriverError> {
        let commit = matches!(steps, [step] if step.is_commit());
        let phase = if commit {
            Phase::Commit
        } else {
            Phase::Statement
        };
        let error = match strike.what {
            Disturbance::Slow(delay) => {
                tokio::time::sleep(delay).await;
                return self.pass_control(steps).await;
            }
            Disturbance::ReplyLost => {
                let _ = self.pass_control(steps).await;
                self.lost(&strike).await
            }
            Disturbance::Late(delay) => {
                self.late = Some(Late {
                    delay,
                    steps: steps.to_vec(),
                    _guard: strike.late(),
                });
                query_err(reset())
            }
            what => self.inflict(&strike, what, phase).await,
        };
        match error {
            DbErr::Query(RuntimeErr::SqlxError(error))
            | DbErr::Exec(RuntimeErr::SqlxError(error)) => Err(self.control_error(&error, steps)),
            other => Err(crate::pool::driver_error(&other)),
        }
    }

    /// What fails without having been sent.
    async fn inflict(&mut self, strike: &Strike, what: Disturbance, phase: Phase) -> DbErr {
        match what {
            Disturbance::Hung => std::future::pending().await,
            Disturbance::Fault(kind) if kind != FaultKind::ConnectionLost => {
                self.fault(strike, kind, phase).await
            }
            _ => self.lost(strike).await,
        }
    }

    async fn fault(&mut self, strike: &Strike, kind: FaultKind, phase: Phase) -> DbErr {
        let Some(report) = ErrorReport::example(backend(self.backend()), kind) else {
            strike.failed(format!("no example of {kind}"));
            return self.lost(strike).await;
        };
        let effect = report.phase(phase).classify().effect();
        let own = || sqlx::Error::Database(Box::new(InjectedError::new(report, kind)));
        // COMMIT too ends in a lost session where the server hangs up.
        if matches!(effect, Effect::Connection | Effect::Unknown) {
            self.end_session(strike).await;
            return query_err(own());
        }
        if self.backend() == DbBackend::Sqlite {
            if effect == Effect::Transaction {
                self.end_session(strike).await;
            }
            return query_err(own());
        }
        let undone = effect == Effect::Transaction || phase == Phase::Commit;
        let text = raise(self.backend(), &report, undone);
        let Err(error) = self.pass(Request::Unprepared(&text)).await else {
            strike.failed(format!("the server did not raise {kind}"));
            return query_err(own());
        };
        let raised = extract::fault(&error);
        if raised.as_ref().is_none_or(|fault| fault.kind() != kind) {
            let raised = raised.map_or("nothing", |fault| fault.kind().as_str());
            strike.failed(format!("{raised} was raised in place of {kind}"));
        }
        error
    }

    /// Ends the session on the server.
    async fn lost(&mut self, strike: &Strike) -> DbErr {
        self.end_session(strike).await;
        query_err(reset())
    }

    /// Ends the session on the server, and with it the transaction. SQLite has no sessions, and
    /// a database in memory is lost with its connection: the transaction alone ends there.
    async fn end_session(&mut self, strike: &Strike) {
        let text = match self.backend() {
            // In an aborted transaction no function can be called.
            DbBackend::Postgres => "ROLLBACK;SELECT pg_terminate_backend(pg_backend_pid())",
            DbBackend::MySql => "KILL CONNECTION_ID()",
            _ => {
                if let Err(error) = self.pass_control(&[Control::Rollback]).await
                    // SQLITE_ERROR: no transaction is active.
                    && error.fault.code() != "1"
                {
                    strike.failed(format!("no rollback: {}", error.fault.code()));
                }
                return;
            }
        };
        if self.pass(Request::Unprepared(text)).await.is_ok() {
            strike.failed("the server did not end the session".to_owned());
        }
    }
}

fn reset() -> sqlx::Error {
    let text = "the connection was lost (injected)";
    sqlx::Error::Io(io::Error::new(io::ErrorKind::ConnectionReset, text))
}

/// The error of a pool that has no connection to give.
pub(crate) fn unavailable(strike: &Strike, of: DbBackend) -> Option<sqlx::Error> {
    let Disturbance::Fault(kind) = strike.what else {
        return None;
    };
    Some(match kind {
        FaultKind::PoolTimeout => sqlx::Error::PoolTimedOut,
        FaultKind::ServerUnavailable => {
            let text = "nobody answers (injected)";
            sqlx::Error::Io(io::Error::new(io::ErrorKind::ConnectionRefused, text))
        }
        _ => {
            let report = ErrorReport::example(backend(of), kind)?;
            sqlx::Error::Database(Box::new(InjectedError::new(report, kind)))
        }
    })
}

/// The statement that makes the server report this error, after the transaction was undone if
/// that is part of it.
fn raise(backend: DbBackend, report: &ErrorReport<'_>, undone: bool) -> String {
    let message = report.message().replace('\'', "''");
    let code = report.code();
    let undo = if undone { "ROLLBACK;" } else { "" };
    if backend == DbBackend::Postgres {
        return format!(
            "{undo}DO $resilient$ BEGIN RAISE EXCEPTION USING ERRCODE='{code}',\
             MESSAGE='{message}';END $resilient$"
        );
    }
    let fault = report.classify();
    let sqlstate = match fault.constraint_kind() {
        Some(_) => "23000",
        None if fault.kind() == FaultKind::Deadlock => "40001",
        None => "HY000",
    };
    format!("{undo}SIGNAL SQLSTATE '{sqlstate}' SET MYSQL_ERRNO={code},MESSAGE_TEXT='{message}'")
}

/// The protocol as classification names it.
pub(super) fn backend(backend: DbBackend) -> Backend {
    match backend {
        DbBackend::Postgres => Backend::Postgres,
        DbBackend::MySql => Backend::MySql,
        _ => Backend::Sqlite,
    }
}
