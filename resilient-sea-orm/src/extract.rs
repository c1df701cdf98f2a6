//! From SeaORM's and sqlx's errors to faults.

use resilient_core::{Fault, constraint::Violation, scope::CallStatus};
use sea_orm::DbErr;

/// The fault behind a [`DbErr`], or `None` where it is SeaORM's own and says nothing about the
/// database (a record not found, an attribute not set).
///
/// ```
/// # use resilient_sea_orm::{FaultKind, classify};
/// use sea_orm::{ConnAcquireErr, DbErr};
/// let full = DbErr::ConnectionAcquire(ConnAcquireErr::Timeout);
/// assert_eq!(classify(&full).unwrap().kind(), FaultKind::PoolTimeout);
/// assert!(classify(&DbErr::RecordNotUpdated).is_none());
/// ```
pub fn classify(error: &DbErr) -> Option<Fault> {
    match carried(error) {
        Some(error) => Some(error.fault().clone()),
        None => fault(error),
    }
}

/// What a [`DbErr`] violates, in words; `None` where it is no violation.
///
/// For methods whose error type is `DbErr` itself; [`Error::violation`](crate::Error::violation)
/// says the same.
pub fn violation(error: &DbErr) -> Option<Violation> {
    match carried(error) {
        Some(error) => error.violation().cloned(),
        None => fault(error).and_then(|fault| violated(&fault, Some(error), None)),
    }
}

/// What a fault violates, said by the method that runs, or the one that is named.
pub(crate) fn violated(
    fault: &Fault,
    source: Option<&DbErr>,
    method: Option<&'static str>,
) -> Option<Violation> {
    let method = || {
        method
            .or_else(|| source.and_then(method_of))
            .or_else(|| Some(CallStatus::current()?.method()))
    };
    fault.constraint_kind()?;
    Violation::with(fault, method(), || source.and_then(key_value))
}

#[cfg(feature = "sqlx-sqlite")]
pub(crate) use imp::fault_with;
pub(crate) use imp::{carried, fault, key_value, method_of};
#[cfg(feature = "sqlx-dep")]
pub(crate) use imp::{fault_at_connect, sqlx_fault};

#[cfg(feature = "sqlx-dep")]
mod imp {
    use resilient_core::{
        Fault,
        classify::{Backend, ClientError, ErrorReport, Phase},
    };
    use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr};

    use crate::{Error, constraints::known};

    /// The error of ours that a [`DbErr`] carries through SeaORM's interfaces.
    pub(crate) fn carried(error: &DbErr) -> Option<&Error> {
        match error {
            DbErr::Conn(RuntimeErr::SqlxError(e))
            | DbErr::Exec(RuntimeErr::SqlxError(e))
            | DbErr::Query(RuntimeErr::SqlxError(e)) => match &**e {
                sqlx::Error::AnyDriverError(inner) => inner.downcast_ref(),
                _ => None,
            },
            _ => None,
        }
    }

    pub(crate) fn fault(error: &DbErr) -> Option<Fault> {
        fault_in(error, Phase::Statement, None)
    }

    /// The fault of an attempt to connect.
    pub(crate) fn fault_at_connect(error: &DbErr) -> Option<Fault> {
        fault_in(error, Phase::Connect, None)
    }

    /// The fault of a statement after which the engine was asked for its transaction.
    #[cfg(feature = "sqlx-sqlite")]
    pub(crate) fn fault_with(error: &DbErr, transaction_open: bool) -> Option<Fault> {
        fault_in(error, Phase::Statement, Some(transaction_open))
    }

    fn fault_in(error: &DbErr, phase: Phase, open: Option<bool>) -> Option<Fault> {
        let fault = reported(error, phase, open)?;
        if fault.constraint_kind().is_some()
            && let Some((known, _)) = known::recall(error)
        {
            return Some(known);
        }
        Some(fault)
    }

    /// The method in which a violation happened, if it was one of ours.
    pub(crate) fn method_of(error: &DbErr) -> Option<&'static str> {
        known::recall(error)?.1
    }

    /// The value of a violated key, as the server printed it: a user's data.
    pub(crate) fn key_value(error: &DbErr) -> Option<String> {
        let (DbErr::Conn(RuntimeErr::SqlxError(e))
        | DbErr::Exec(RuntimeErr::SqlxError(e))
        | DbErr::Query(RuntimeErr::SqlxError(e))) = error
        else {
            return None;
        };
        let sqlx::Error::Database(e) = &**e else {
            return None;
        };
        #[cfg(feature = "sqlx-postgres")]
        if let Some(e) = e.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
            let report = ErrorReport::new(Backend::Postgres, e.code(), e.message());
            return Some(report.detail(e.detail()?).key_value()?.to_owned());
        }
        #[cfg(feature = "sqlx-mysql")]
        if let Some(e) = e.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
            let number = e.number().to_string();
            let report = ErrorReport::new(Backend::MySql, &number, e.message());
            return report.key_value().map(str::to_owned);
        }
        let _ = e;
        None
    }

    fn reported(error: &DbErr, phase: Phase, open: Option<bool>) -> Option<Fault> {
        match error {
            DbErr::ConnectionAcquire(ConnAcquireErr::Timeout) => {
                Some(sqlx_fault(&sqlx::Error::PoolTimedOut, phase, open))
            }
            DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed) => {
                Some(sqlx_fault(&sqlx::Error::PoolClosed, phase, open))
            }
            DbErr::Conn(RuntimeErr::SqlxError(e))
            | DbErr::Exec(RuntimeErr::SqlxError(e))
            | DbErr::Query(RuntimeErr::SqlxError(e)) => Some(sqlx_fault(e, phase, open)),
            _ => None,
        }
    }

    /// The fault behind an sqlx error.
    pub(crate) fn sqlx_fault(error: &sqlx::Error, phase: Phase, open: Option<bool>) -> Fault {
        let client = match error {
            sqlx::Error::Database(e) => return database(e.as_ref(), phase, open),
            sqlx::Error::Io(e) => ClientError::from(e.kind()),
            sqlx::Error::Tls(_) => ClientError::Tls,
            // Too few or too many parameters, found before anything was sent.
            sqlx::Error::Protocol(text) if text.starts_with("prepared statement expected") => {
                ClientError::Driver
            }
            sqlx::Error::Protocol(_) | sqlx::Error::BeginFailed => ClientError::Protocol,
            sqlx::Error::WorkerCrashed => ClientError::Closed,
            sqlx::Error::PoolTimedOut => ClientError::PoolTimedOut,
            sqlx::Error::PoolClosed => ClientError::PoolClosed,
            _ => ClientError::Driver,
        };
        // The protocol does not matter to an error that no server sent.
        ErrorReport::client(Backend::Postgres, client, "")
            .phase(phase)
            .classify()
    }

    fn database(error: &dyn sqlx::error::DatabaseError, phase: Phase, open: Option<bool>) -> Fault {
        #[cfg(feature = "testing")]
        if let Some(e) = error.try_downcast_ref::<crate::testing::InjectedError>() {
            let report = e.report(phase);
            return match open {
                Some(open) => directed(&report.transaction_open(open)),
                None => directed(&report),
            };
        }
        #[cfg(feature = "sqlx-postgres")]
        if let Some(e) = error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
            let mut report =
                ErrorReport::new(Backend::Postgres, e.code(), e.message()).phase(phase);
            report = report.severity(severity(e.severity()));
            if let Some(x) = e.constraint() {
                report = report.constraint(x);
            }
            if let Some(x) = e.schema() {
                report = report.schema(x);
            }
            if let Some(x) = e.table() {
                report = report.table(x);
            }
            if let Some(x) = e.column() {
                report = report.column(x);
            }
            if let Some(x) = e.detail() {
                report = report.detail(x);
            }
            if let Some(x) = e.hint() {
                report = report.hint(x);
            }
            if let Some(x) = e.routine() {
                report = report.routine(x);
            }
            return directed(&report);
        }
        #[cfg(feature = "sqlx-mysql")]
        if let Some(e) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
            let number = e.number().to_string();
            let mut report = ErrorReport::new(Backend::MySql, &number, e.message()).phase(phase);
            if let Some(x) = e.code() {
                report = report.sqlstate(x);
            }
            return directed(&report);
        }
        let code = error.code().unwrap_or_default();
        let report = ErrorReport::new(Backend::Sqlite, &code, error.message()).phase(phase);
        match open {
            Some(open) => report.transaction_open(open).classify(),
            None => report.classify(),
        }
    }

    /// The verdict, with the two directions of a foreign key told apart where the error does.
    #[cfg(any(feature = "sqlx-postgres", feature = "sqlx-mysql", feature = "testing"))]
    fn directed(report: &ErrorReport<'_>) -> Fault {
        use resilient_core::FaultKind;
        let fault = report.classify();
        match (fault.kind(), report.is_still_referenced()) {
            (FaultKind::ForeignKey, Some(true)) => fault.with_kind(FaultKind::Restrict),
            _ => fault,
        }
    }

    #[cfg(feature = "sqlx-postgres")]
    fn severity(severity: sqlx::postgres::PgSeverity) -> &'static str {
        use sqlx::postgres::PgSeverity;
        match severity {
            PgSeverity::Panic => "PANIC",
            PgSeverity::Fatal => "FATAL",
            PgSeverity::Warning => "WARNING",
            PgSeverity::Notice => "NOTICE",
            PgSeverity::Debug => "DEBUG",
            PgSeverity::Info => "INFO",
            PgSeverity::Log => "LOG",
            PgSeverity::Error => "ERROR",
        }
    }
}

#[cfg(not(feature = "sqlx-dep"))]
mod imp {
    use resilient_core::{Effect, Fault, FaultKind};
    use sea_orm::{ConnAcquireErr, DbErr};

    use crate::Error;

    pub(crate) fn carried(_: &DbErr) -> Option<&Error> {
        None
    }

    pub(crate) fn method_of(_: &DbErr) -> Option<&'static str> {
        None
    }

    pub(crate) fn key_value(_: &DbErr) -> Option<String> {
        None
    }

    pub(crate) fn fault(error: &DbErr) -> Option<Fault> {
        match error {
            DbErr::ConnectionAcquire(ConnAcquireErr::Timeout) => {
                Some(Fault::new(FaultKind::PoolTimeout, Effect::Statement))
            }
            DbErr::Conn(_) | DbErr::Exec(_) | DbErr::Query(_) => {
                Some(Fault::new(FaultKind::Other, Effect::Unknown))
            }
            _ => None,
        }
    }
}
