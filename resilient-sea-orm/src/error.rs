//! [`Error`]: what went wrong, what became of the work, and the driver's error underneath.

use std::{error::Error as StdError, fmt, sync::Arc};

use resilient_core::{
    DriverError, Effect, Failure, Fault, FaultKind, Outcome, Reason,
    constraint::Violation,
    policy::StopReason,
    scope::{CallStatus, fails_by_itself},
};
use sea_orm::{DbErr, RuntimeErr};

use crate::{advice, extract};

/// The short form of a repository method's return type.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call failed, and what became of its work.
///
/// It is made by `?` from a [`DbErr`], or by the framework. One that was made inside a resilient
/// method learns how that call ended: [`Error::attempts`] and [`Error::outcome`] are those of
/// the outermost resilient method that it left as an error.
///
/// `Display` is one line without any data of users; [`source`](StdError::source) is the
/// [`DbErr`], whose text comes from the server and may quote values.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    failure: Failure,
    status: Option<Arc<CallStatus>>,
    violation: Option<Violation>,
}

impl Error {
    /// An error of the caller's own, such as a business rule that was broken. Never retried
    /// for its own sake.
    pub fn custom(text: impl Into<String>) -> Self {
        fails_by_itself();
        Self::new(Failure::application(text, None))
    }

    pub(crate) fn new(failure: Failure) -> Self {
        let source = failure.source().and_then(|source| source.downcast_ref());
        Self(Box::new(Inner {
            violation: extract::violated(failure.fault(), source, failure.method()),
            status: CallStatus::current(),
            failure,
        }))
    }

    /// The call it left, once that has ended in this error.
    fn ended(&self) -> Option<(&CallStatus, Outcome)> {
        let status = self.0.status.as_deref()?;
        let outcome = status.outcome()?;
        // Of a transaction of its own inside that call, which is not undone with it.
        if self.kind() == FaultKind::CommitUnknown {
            return Some((status, Outcome::Unknown));
        }
        Some((status, outcome))
    }

    /// The kind of failure.
    pub fn kind(&self) -> FaultKind {
        self.0.failure.kind()
    }

    /// The classified fault: code, constraint, table and columns, as far as the engine told.
    pub fn fault(&self) -> &Fault {
        self.0.failure.fault()
    }

    /// What led to it.
    pub fn reason(&self) -> &Reason {
        self.0.failure.reason()
    }

    /// What was violated, in words that a person understands; `None` where it was something else
    /// that failed.
    ///
    /// ```
    /// # use resilient_sea_orm::Error;
    /// # fn answer(error: Error) -> (u16, String) {
    /// match error.violation() {
    ///     Some(violation) => (violation.status(), violation.message().to_owned()),
    ///     None => (500, "something went wrong".to_owned()),
    /// }
    /// # }
    /// ```
    pub fn violation(&self) -> Option<&Violation> {
        self.0.violation.as_ref()
    }

    /// How often the method ran, at least 1.
    pub fn attempts(&self) -> u32 {
        self.ended().map_or_else(
            || self.0.failure.attempts(),
            |(status, _)| status.attempts(),
        )
    }

    /// What became of the call's work.
    pub fn outcome(&self) -> Outcome {
        self.ended()
            .map_or_else(|| self.0.failure.outcome(), |(_, outcome)| outcome)
    }

    /// Whether trying again later can help.
    pub fn is_transient(&self) -> bool {
        self.kind().is_transient()
    }

    /// Why the call was not tried again: attempts, budget or deadline used up, or nothing that
    /// a repetition heals. `None` until the call has ended.
    pub fn stop_reason(&self) -> Option<StopReason> {
        match self.ended() {
            Some((status, _)) => status.stop_reason(),
            None => self.0.failure.stop_reason(),
        }
    }

    /// The resilient method that failed, `Type::method`.
    pub fn method(&self) -> Option<&'static str> {
        match self.ended() {
            Some((status, _)) => Some(status.method()),
            None => self.0.failure.method(),
        }
    }

    /// The error of a rollback that failed after this one. The work is undone all the same, as
    /// the session was given up.
    pub fn rollback_error(&self) -> Option<&DriverError> {
        let ended = self.ended().and_then(|(status, _)| status.rollback_error());
        ended.or_else(|| self.0.failure.rollback_error())
    }

    pub(crate) fn failure(&self) -> &Failure {
        &self.0.failure
    }

    /// SeaORM's error underneath, if there is one.
    pub fn db_err(&self) -> Option<&DbErr> {
        self.0.failure.source()?.downcast_ref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ended() {
            None => fmt::Display::fmt(&self.0.failure, f),
            Some((status, outcome)) => self
                .0
                .failure
                .clone()
                .ended(
                    status.method(),
                    status.attempts(),
                    outcome,
                    status.stop_reason(),
                )
                .with_rollback_error(self.rollback_error().cloned())
                .fmt(f),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the source: its text may quote values, and Debug output ends up in logs.
        f.debug_struct("Error")
            .field("kind", &self.kind())
            .field("outcome", &self.outcome())
            .field("attempts", &self.attempts())
            .field("message", &format_args!("{self}"))
            .finish_non_exhaustive()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .failure
            .source()
            .map(|s| &**s as &(dyn StdError + 'static))
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::new(failure)
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        if let Some(carried) = extract::carried(&error) {
            return carried.clone();
        }
        let failure = match extract::fault(&error) {
            Some(fault) => {
                let outcome = alone(&fault);
                let error = advice::on_statement(DriverError::new(fault, error));
                Failure::database(error).with_outcome(outcome)
            }
            None => Failure::application(error.to_string(), Some(Arc::new(error))),
        };
        Self::new(failure)
    }
}

/// What became of a statement outside of any call; inside one, the call knows better.
fn alone(fault: &Fault) -> Outcome {
    match fault.kind() {
        FaultKind::PoolTimeout | FaultKind::ServerUnavailable | FaultKind::TooManyConnections => {
            Outcome::NotSent
        }
        _ if matches!(fault.effect(), Effect::Connection | Effect::Unknown) => Outcome::Unknown,
        _ => Outcome::RolledBack,
    }
}

impl From<Error> for DbErr {
    /// The [`DbErr`] underneath where that says it all; otherwise one that carries this error,
    /// so that converting it back loses nothing.
    fn from(error: Error) -> Self {
        // What became of a COMMIT is not in the driver's error.
        let plain = *error.reason() == Reason::Database
            && error.kind() != FaultKind::CommitUnknown
            && error.commit_token().is_none()
            && error.0.failure.outcome() == alone(error.fault())
            && error.0.failure.attempts() == 1
            && error.0.failure.advice().is_none();
        match error.db_err() {
            Some(source) if plain => source.clone(),
            _ => carry(error),
        }
    }
}

#[cfg(feature = "sqlx-dep")]
fn carry(error: Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(Arc::new(
        sqlx::Error::AnyDriverError(Box::new(error)),
    )))
}

#[cfg(not(feature = "sqlx-dep"))]
fn carry(error: Error) -> DbErr {
    DbErr::Query(RuntimeErr::Internal(error.to_string()))
}
