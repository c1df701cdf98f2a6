//! [`Failure`]: the framework's own account of a call that did not succeed. Adapters wrap it
//! in the error type that users see.

use std::{error::Error as StdError, fmt, sync::Arc};

use crate::{
    CommitToken, Effect, Fault, FaultKind, Outcome, health::breaker::Rejection, policy::StopReason,
};

/// An error as the driver made it, kept whole.
pub type Source = Arc<dyn StdError + Send + Sync + 'static>;

/// What a driver reports: the classified fault and the error it came from.
#[derive(Clone)]
pub struct DriverError {
    /// The verdict on the error.
    pub fault: Fault,
    /// The error itself.
    pub source: Option<Source>,
    /// What the server cannot know: why this happened here and what to do about it.
    pub advice: Option<Box<str>>,
}

/// Without the source, whose text can quote users' data.
impl fmt::Debug for DriverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DriverError")
            .field("fault", &self.fault)
            .field("advice", &self.advice)
            .finish_non_exhaustive()
    }
}

impl DriverError {
    /// A driver error with its cause.
    pub fn new(fault: Fault, source: impl StdError + Send + Sync + 'static) -> Self {
        Self {
            fault,
            source: Some(Arc::new(source)),
            advice: None,
        }
    }

    /// Adds what the server cannot know.
    #[must_use]
    pub fn with_advice(mut self, advice: impl Into<Box<str>>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}

impl From<Fault> for DriverError {
    fn from(fault: Fault) -> Self {
        Self {
            fault,
            source: None,
            advice: None,
        }
    }
}

/// What led to a [`Failure`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The database or its driver reported it.
    Database,
    /// The body returned `Ok` although the scope could no longer commit what it wrote.
    Swallowed,
    /// The scope was already lost when another statement was sent into it.
    ScopeLost,
    /// The attempt took longer than its `timeout`.
    AttemptTimeout,
    /// The call took longer than its `deadline`.
    Deadline,
    /// The answer to a statement was never awaited, or did not come within the wire timeout.
    Abandoned,
    /// `mandatory` without a transaction, or `never` with one.
    Propagation(&'static str),
    /// What was asked for cannot be done in this scope; the text says what to do instead.
    Misuse(String),
    /// A call that had joined this scope failed, and its caller went on.
    JoinedCallFailed,
    /// The circuit breaker is open: nothing was sent.
    CircuitOpen,
    /// Not a database's failure but the ORM's or the caller's own, in its words.
    Application(String),
}

/// Why a call did not succeed, and what became of its work.
#[derive(Clone)]
pub struct Failure {
    /// Boxed, as a failure travels through many results on its way.
    pub(crate) inner: Box<Inner>,
}

#[derive(Clone)]
pub(crate) struct Inner {
    pub(crate) reason: Reason,
    pub(crate) fault: Fault,
    pub(crate) source: Option<Source>,
    pub(crate) advice: Option<Box<str>>,
    pub(crate) outcome: Outcome,
    pub(crate) attempts: u32,
    pub(crate) method: Option<&'static str>,
    pub(crate) stop: Option<StopReason>,
    pub(crate) rollback: Option<DriverError>,
    pub(crate) commit_token: Option<CommitToken>,
    pub(crate) unanswered: Option<DriverError>,
}

/// Without the source, whose text can quote users' data.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure")
            .field("reason", &self.inner.reason)
            .field("fault", &self.inner.fault)
            .field("outcome", &self.inner.outcome)
            .field("attempts", &self.inner.attempts)
            .field("method", &self.inner.method)
            .finish_non_exhaustive()
    }
}

impl Failure {
    /// A failure that the database or its driver reported.
    pub fn database(error: DriverError) -> Self {
        let inner = Inner {
            reason: Reason::Database,
            fault: error.fault,
            source: error.source,
            advice: error.advice,
            outcome: Outcome::RolledBack,
            attempts: 1,
            method: None,
            stop: None,
            rollback: None,
            commit_token: None,
            unanswered: None,
        };
        Self {
            inner: Box::new(inner),
        }
    }

    /// A failure of the given kind that no server reported.
    pub fn local(reason: Reason, kind: FaultKind, effect: Effect) -> Self {
        let mut failure = Self::database(Fault::new(kind, effect).into());
        failure.inner.reason = reason;
        failure
    }

    /// A request that cannot be met, with what to do instead. Nothing was sent.
    pub fn misuse(text: impl Into<String>) -> Self {
        let mut failure = Self::local(
            Reason::Misuse(text.into()),
            FaultKind::Other,
            Effect::Statement,
        );
        failure.inner.outcome = Outcome::NotSent;
        failure
    }

    /// The same request refused under a kind of its own.
    #[must_use]
    pub fn of_kind(mut self, kind: FaultKind) -> Self {
        self.inner.fault = Fault::new(kind, Effect::Statement);
        self
    }

    /// A call that the circuit breaker rejected. Nothing was sent.
    pub fn circuit_open(rejection: &Rejection) -> Self {
        let fault = Fault::new(FaultKind::ServerUnavailable, Effect::Connection);
        let error = DriverError::from(fault).with_advice(rejection.to_string());
        let mut failure = Self::database(error).with_outcome(Outcome::NotSent);
        failure.inner.reason = Reason::CircuitOpen;
        failure
    }

    /// A COMMIT that was never answered.
    pub(crate) fn commit_unknown(error: DriverError) -> Self {
        let mut failure = Self::database(error).with_outcome(Outcome::Unknown);
        failure.inner.fault = failure.inner.fault.unanswered_commit();
        failure
    }

    /// A COMMIT whose answer was lost, and which is not stored for certain.
    pub(crate) fn not_committed(mut error: DriverError) -> Self {
        error.fault = error.fault.answered_commit();
        Self::database(error)
    }

    pub(crate) fn with_commit_token(mut self, token: CommitToken) -> Self {
        self.inner.commit_token = Some(token);
        self
    }

    pub(crate) fn with_unanswered(mut self, error: DriverError) -> Self {
        self.inner.unanswered = Some(error);
        self
    }

    /// By what to ask later what became of a verified commit that nobody could tell of.
    pub fn commit_token(&self) -> Option<CommitToken> {
        self.inner.commit_token
    }

    /// Why that could not be found out at once.
    pub fn unanswered(&self) -> Option<&DriverError> {
        self.inner.unanswered.as_ref()
    }

    /// What to do about it, where that is known; part of the message.
    pub fn advice(&self) -> Option<&str> {
        self.inner.advice.as_deref()
    }

    /// Whether the program has to change before this can succeed.
    pub(crate) fn is_misuse(&self) -> bool {
        matches!(
            self.inner.reason,
            Reason::Misuse(_) | Reason::Propagation(_)
        )
    }

    /// A failure that is not the database's: the ORM's or the caller's own, in its words.
    pub fn application(text: impl Into<String>, source: Option<Source>) -> Self {
        let mut failure = Self::local(
            Reason::Application(text.into()),
            FaultKind::Other,
            Effect::Statement,
        );
        failure.inner.source = source;
        failure
    }

    /// The same failure with another outcome.
    #[must_use]
    pub fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.inner.outcome = outcome;
        self
    }

    /// The same failure as the end of a call.
    #[must_use]
    pub fn ended(
        mut self,
        method: &'static str,
        attempts: u32,
        outcome: Outcome,
        stop: Option<StopReason>,
    ) -> Self {
        self.inner.method = Some(method);
        self.inner.attempts = attempts;
        self.inner.outcome = outcome;
        self.inner.stop = stop;
        self
    }

    /// The same failure with the error of the rollback that followed it.
    #[must_use]
    pub fn with_rollback_error(mut self, error: Option<DriverError>) -> Self {
        self.inner.rollback = error;
        self
    }

    /// The error of the rollback that followed it, if that failed.
    pub fn rollback_error(&self) -> Option<&DriverError> {
        self.inner.rollback.as_ref()
    }

    /// The kind of failure.
    pub fn kind(&self) -> FaultKind {
        self.inner.fault.kind()
    }

    /// The classified fault.
    pub fn fault(&self) -> &Fault {
        &self.inner.fault
    }

    /// What led to it.
    pub fn reason(&self) -> &Reason {
        &self.inner.reason
    }

    /// What became of the work.
    pub fn outcome(&self) -> Outcome {
        self.inner.outcome
    }

    /// How often the body ran, at least 1.
    pub fn attempts(&self) -> u32 {
        self.inner.attempts
    }

    /// Why it was not tried again, once that is decided.
    pub fn stop_reason(&self) -> Option<StopReason> {
        self.inner.stop
    }

    /// The method that failed, `Type::method`.
    pub fn method(&self) -> Option<&'static str> {
        self.inner.method
    }

    /// The driver's error.
    pub fn source(&self) -> Option<&Source> {
        self.inner.source.as_ref()
    }
}

/// One clear line: what happened, where, and what became of it. Without server text, which can
/// contain user data; that is in [`Failure::source`].
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fault = &self.inner.fault;
        match &self.inner.reason {
            Reason::Misuse(text) | Reason::Application(text) => f.write_str(text)?,
            Reason::Propagation(text) => f.write_str(text)?,
            Reason::Database | Reason::CircuitOpen => write!(f, "{fault}")?,
            Reason::Swallowed => write!(
                f,
                "the body returned Ok, but an earlier fault had already cost it its writes: {fault}"
            )?,
            Reason::ScopeLost => write!(
                f,
                "nothing was sent: the transaction was already lost to an earlier fault: {fault}"
            )?,
            Reason::AttemptTimeout => f.write_str("the attempt took longer than its timeout")?,
            Reason::Deadline => f.write_str("the call took longer than its deadline")?,
            Reason::Abandoned => f.write_str(
                "a statement's answer was not awaited, so the transaction cannot be trusted",
            )?,
            Reason::JoinedCallFailed => write!(
                f,
                "a call that had joined this transaction failed, and its error was swallowed: \
                 {fault}"
            )?,
        }
        if let Some(advice) = &self.inner.advice {
            write!(f, ": {advice}")?;
        }
        if let Some(token) = self.inner.commit_token {
            write!(f, "; ask later what became of commit {token}")?;
            if let Some(error) = &self.inner.unanswered {
                write!(f, ": nobody could tell so far: {}", error.fault)?;
                if let Some(advice) = &error.advice {
                    write!(f, ": {advice}")?;
                }
            }
        }
        // An error outside of any call has no attempts to speak of.
        if let Some(method) = self.inner.method {
            let times = if self.inner.attempts == 1 { "" } else { "s" };
            write!(
                f,
                "; in {method}: {} after {} attempt{times}",
                self.inner.outcome, self.inner.attempts
            )?;
        }
        match self.inner.stop {
            None | Some(StopReason::NotRetryable | StopReason::LeftToRoot) => {}
            Some(stop) => write!(f, ", {stop}")?,
        }
        if self.inner.rollback.is_some() {
            f.write_str("; the rollback failed too")?;
        }
        Ok(())
    }
}
