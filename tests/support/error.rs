//! What can go wrong in the harness.

use std::fmt;
use std::sync::Arc;

use crate::locate::{Engine, Missing};

/// Why the harness could not do what it was asked.
///
/// A test that returns it is reported by its `Debug` form, which is therefore the readable text.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The engine is not installed.
    #[error(transparent)]
    MissingEngine(#[from] Missing),
    /// `setpriv`, which ties a server to the life of the tests, is not installed.
    #[error("`setpriv` was not found; on Debian: apt-get install util-linux")]
    MissingSetpriv,
    /// A test asked for an engine that this run leaves out.
    #[error("{0} is not selected by {variable}", variable = crate::ENGINES_VARIABLE)]
    NotSelected(Engine),
    /// `SQLite` was asked for something only a server has.
    #[error("{engine} has no {what}")]
    Unsupported {
        /// The engine that was asked.
        engine: Engine,
        /// What it lacks.
        what: &'static str,
    },
    /// An environment variable has a value that is not allowed.
    #[error("{variable}=`{value}`: {problem}")]
    Setting {
        /// The variable.
        variable: &'static str,
        /// Its value.
        value: String,
        /// What is wrong with it and what is allowed.
        problem: String,
    },
    /// A server program failed; the text holds the end of its log.
    #[error("{engine}: {detail}")]
    Server {
        /// The engine of the server.
        engine: Engine,
        /// What happened.
        detail: String,
    },
    /// The browser is not installed or does not start.
    #[error("browser: {detail}")]
    Browser {
        /// What happened.
        detail: String,
    },
    /// The operating system refused something.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was tried.
        action: String,
        /// The answer.
        source: Arc<std::io::Error>,
    },
    /// A statement of the harness failed.
    #[error("database: {0}")]
    Database(#[from] sea_orm::DbErr),
    /// A proxy did not understand what passed, or did not do what it was told.
    #[error("proxy: {0}")]
    Proxy(String),
    /// Something that was waited for did not happen.
    #[error("waited {seconds} s in vain for {what}")]
    Timeout {
        /// What was waited for.
        what: String,
        /// How long.
        seconds: u64,
    },
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Adds to an operating system's answer what was tried.
pub(crate) trait Context<T> {
    fn context(self, action: impl FnOnce() -> String) -> Result<T, Error>;
}

impl<T> Context<T> for std::io::Result<T> {
    fn context(self, action: impl FnOnce() -> String) -> Result<T, Error> {
        self.map_err(|source| Error::Io {
            action: action(),
            source: Arc::new(source),
        })
    }
}
