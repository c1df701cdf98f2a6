//! [`ErrorReport`]: what a driver knows about an error, and the way into the tables.

use super::identity::{self, Identity};
use super::{Backend, ClientError, Engine, Phase, Verdict, client, mysql, postgres, sqlite};
use crate::fault::{self, Effect, Fault};

/// What a driver knows about an error; [`classify`](Self::classify) makes a [`Fault`] of it.
///
/// Only the backend, the code and the message are required. Everything is borrowed and nothing
/// is allocated before [`classify`](Self::classify).
///
/// ```
/// use resilient_core::FaultKind;
/// use resilient_core::classify::{Backend, Engine, ErrorReport};
///
/// // One number, two meanings.
/// let report = ErrorReport::new(Backend::MySql, "4031", "...");
/// assert_eq!(report.engine(Engine::MySql).classify().kind(), FaultKind::SessionExpired);
/// assert_eq!(report.engine(Engine::MariaDb).classify().kind(), FaultKind::UndefinedObject);
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "a report does nothing until `classify` is called"]
pub struct ErrorReport<'a> {
    pub(super) backend: Backend,
    pub(super) code: &'a str,
    pub(super) message: &'a str,
    pub(super) client: ClientError,
    pub(super) constraint: Option<&'a str>,
    pub(super) schema: Option<&'a str>,
    pub(super) table: Option<&'a str>,
    pub(super) column: Option<&'a str>,
    pub(super) detail: Option<&'a str>,
    pub(super) engine: Option<Engine>,
    pub(super) sqlstate: Option<&'a str>,
    pub(super) severity: Option<&'a str>,
    pub(super) routine: Option<&'a str>,
    pub(super) hint: Option<&'a str>,
    pub(super) phase: Phase,
    pub(super) transaction_open: Option<bool>,
}

impl<'a> ErrorReport<'a> {
    /// An error that the server reported.
    ///
    /// `code` is the SQLSTATE for `PostgreSQL`, the error number in decimal for `MySQL` and
    /// `MariaDB`, the extended result code in decimal for `SQLite`. An empty `code` is an error
    /// of the client side of which only the text is known; where more is known, use
    /// [`client`](Self::client).
    pub const fn new(backend: Backend, code: &'a str, message: &'a str) -> Self {
        Self {
            backend,
            code: code.trim_ascii(),
            message,
            client: ClientError::Unknown,
            constraint: None,
            schema: None,
            table: None,
            column: None,
            detail: None,
            engine: None,
            sqlstate: None,
            severity: None,
            routine: None,
            hint: None,
            phase: Phase::Statement,
            transaction_open: None,
        }
    }

    /// An error that no server reported: the socket, TLS, the pool, the driver itself.
    pub const fn client(backend: Backend, error: ClientError, message: &'a str) -> Self {
        let mut report = Self::new(backend, "", message);
        report.client = error;
        report
    }

    /// The violated constraint's name, from its own field of the protocol.
    pub const fn constraint(mut self, name: &'a str) -> Self {
        self.constraint = Some(name);
        self
    }

    /// The schema's name, from its own field of the protocol.
    pub const fn schema(mut self, name: &'a str) -> Self {
        self.schema = Some(name);
        self
    }

    /// The table's name, from its own field of the protocol or otherwise known.
    ///
    /// On `MySQL` and `SQLite` it also settles where a table's name ends in `a.b.c`.
    pub const fn table(mut self, name: &'a str) -> Self {
        self.table = Some(name);
        self
    }

    /// The column's name, from its own field of the protocol.
    pub const fn column(mut self, name: &'a str) -> Self {
        self.column = Some(name);
        self
    }

    /// `PostgreSQL`'s DETAIL: read for the column names of a key, never kept.
    pub const fn detail(mut self, detail: &'a str) -> Self {
        self.detail = Some(detail);
        self
    }

    /// Which server it was, where one protocol has several.
    pub const fn engine(mut self, engine: Engine) -> Self {
        self.engine = Some(engine);
        self
    }

    /// The SQLSTATE that `MySQL` and `MariaDB` send beside the number.
    pub const fn sqlstate(mut self, sqlstate: &'a str) -> Self {
        self.sqlstate = Some(sqlstate);
        self
    }

    /// `PostgreSQL`'s severity, not localized (field `V`): `ERROR`, `FATAL`, `PANIC`, ...
    ///
    /// Without it, the codes that always end a session are taken to have ended it.
    pub const fn severity(mut self, severity: &'a str) -> Self {
        self.severity = Some(severity);
        self
    }

    /// The name of the server's function that raised the error (`PostgreSQL`'s field `R`).
    pub const fn routine(mut self, routine: &'a str) -> Self {
        self.routine = Some(routine);
        self
    }

    /// `PostgreSQL`'s HINT. Kept for adapters that pass all they have; no verdict needs it.
    pub const fn hint(mut self, hint: &'a str) -> Self {
        self.hint = Some(hint);
        self
    }

    /// What the client was doing; an ordinary statement unless told.
    pub const fn phase(mut self, phase: Phase) -> Self {
        self.phase = phase;
        self
    }

    /// Whether the engine says, *after* the error, that the transaction is still open
    /// (`sqlite3_get_autocommit`, `MySQL`'s status flags).
    ///
    /// It settles what codes leave open: `RAISE(ROLLBACK)` and `INSERT OR ROLLBACK` on
    /// `SQLite`, a 1205 under `innodb_rollback_on_timeout`.
    pub const fn transaction_open(mut self, open: bool) -> Self {
        self.transaction_open = Some(open);
        self
    }

    /// The verdict. Never fails: what is not in the tables is [`FaultKind::Other`].
    ///
    /// [`FaultKind::Other`]: crate::FaultKind::Other
    #[must_use]
    pub fn classify(&self) -> Fault {
        let (verdict, identity) = if self.code.is_empty() {
            (client::verdict(self), Identity::default())
        } else {
            match self.backend {
                Backend::Postgres => (postgres::verdict(self), postgres::identity(self)),
                Backend::MySql => mysql::classify(self),
                Backend::Sqlite => sqlite::classify(self),
            }
        };
        let Verdict { kind, effect } = verdict;
        let identity = fault::Identity {
            backend: Some(self.backend),
            code: self.code.to_owned(),
            constraint: given(self.constraint).or(identity.constraint),
            schema: given(self.schema).or(identity.schema),
            table: given(self.table).or(identity.table),
            expression: self.column.is_none() && identity.expression,
            columns: match given(self.column) {
                Some(column) => vec![column],
                None => identity.columns,
            },
            referenced_table: identity.referenced_table,
            referenced_columns: identity.referenced_columns,
            ..fault::Identity::default()
        };
        Fault::reported(kind, self.observed(effect), identity)
    }

    /// Of a foreign key's violation: whether a row is still referenced (a `restrict`), or has no
    /// parent. `None` where the error does not tell, as `PostgreSQL`'s in another language, or is
    /// no such violation.
    ///
    /// The codes are mostly the same for both, so [`classify`](Self::classify) calls both
    /// `foreign_key`.
    pub fn is_still_referenced(&self) -> Option<bool> {
        identity::is_still_referenced(self)
    }

    /// The code: as given to [`new`](Self::new).
    #[must_use]
    pub const fn code(&self) -> &'a str {
        self.code
    }

    /// The message: as given to [`new`](Self::new).
    #[must_use]
    pub const fn message(&self) -> &'a str {
        self.message
    }

    /// The value of the violated key as the server printed it, where it did. This is a user's
    /// data: for messages that were declared to show it, and for nothing else.
    pub fn key_value(&self) -> Option<&'a str> {
        identity::key_value(self)
    }

    /// What the engine says about the transaction outweighs what the code suggests.
    fn observed(&self, effect: Effect) -> Effect {
        match (self.transaction_open, effect) {
            (Some(false), Effect::Statement | Effect::Aborted) => Effect::Transaction,
            // Elsewhere a transaction that was rolled back may look open: autocommit is off.
            (Some(true), Effect::Transaction) if self.backend == Backend::Sqlite => {
                Effect::Statement
            }
            _ => effect,
        }
    }
}

/// A field of the protocol, where an empty one is as good as none.
fn given(field: Option<&str>) -> Option<String> {
    field.filter(|text| !text.is_empty()).map(str::to_owned)
}
