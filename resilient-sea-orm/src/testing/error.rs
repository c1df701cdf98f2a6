//! An error that no server has sent.

use std::{borrow::Cow, error::Error as StdError, fmt};

use resilient_core::{
    FaultKind,
    classify::{ErrorReport, Phase},
};
use sqlx::error::{DatabaseError, ErrorKind};

/// An error of the database that no server has sent: of SQLite, and where the server cannot be
/// made to send it. It is judged as the real one would be.
#[derive(Debug)]
pub(crate) struct InjectedError {
    report: ErrorReport<'static>,
    kind: FaultKind,
}

impl InjectedError {
    pub(super) fn new(report: ErrorReport<'static>, kind: FaultKind) -> Self {
        Self { report, kind }
    }

    pub(crate) fn report(&self, phase: Phase) -> ErrorReport<'static> {
        self.report.phase(phase)
    }
}

impl fmt::Display for InjectedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (code, text) = (self.report.code(), self.report.message());
        write!(f, "(code: {code}) {text} (injected)")
    }
}

impl StdError for InjectedError {}

impl DatabaseError for InjectedError {
    fn message(&self) -> &str {
        self.report.message()
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(self.report.code()))
    }

    fn as_error(&self) -> &(dyn StdError + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn StdError + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn StdError + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> ErrorKind {
        match self.kind {
            FaultKind::Unique => ErrorKind::UniqueViolation,
            FaultKind::ForeignKey | FaultKind::Restrict => ErrorKind::ForeignKeyViolation,
            FaultKind::NotNull => ErrorKind::NotNullViolation,
            FaultKind::Check => ErrorKind::CheckViolation,
            _ => ErrorKind::Other,
        }
    }
}
