//! What a proxy has seen.

use std::fmt;

use super::plan::{Ending, Fault};
use super::sql::{is_begin, is_end};
use super::wire::{Direction, Message};

/// A message after the handshake, as a place where a connection can be cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boundary {
    /// Its number since the recording began, from 0, over all connections.
    pub number: usize,
    /// The connection, from 1 in the order in which they were opened.
    pub connection: u64,
    /// Which way it goes.
    pub direction: Direction,
    /// Its kind, and its SQL text if it has one: `Query COMMIT`, `Sync`, `COM_PING`, `OK`.
    pub message: String,
}

impl fmt::Display for Boundary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            number,
            connection,
            direction,
            message,
        } = self;
        write!(f, "{number}: #{connection} {direction} {message}")
    }
}

/// On which side of a message to cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The message is not forwarded.
    Before,
    /// The message is forwarded and nothing after it. What the server says to it is awaited, if
    /// the message asks for an answer, and does not reach the client.
    After,
}

/// What a client sent before it had an answer to all of it: one round trip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flight {
    /// The connection, from 1 in the order in which they were opened.
    pub connection: u64,
    /// The messages, as in [`Boundary::message`].
    pub messages: Vec<String>,
    /// The SQL texts that were executed.
    pub statements: Vec<String>,
    /// Whether the complete answer has reached the client.
    pub answered: bool,
}

impl Flight {
    /// Whether it only asks if the connection lives: sqlx does that with the shortest message that
    /// has an answer.
    pub fn is_ping(&self) -> bool {
        matches!(self.messages.as_slice(), [one] if one == "Sync" || one == "COM_PING")
    }
}

/// A fault that struck.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The connection, from 1 in the order in which they were opened.
    pub connection: u64,
    /// The text of the statement.
    pub sql: String,
    /// What was done to it.
    pub fault: Fault,
    /// Whether the server has answered it completely. `false` until it has, and for ever where
    /// the server went away before.
    pub answered: bool,
}

/// A cut at one message of a recorded exchange.
#[derive(Clone, Copy, Debug)]
pub(super) struct CutAt {
    pub(super) number: usize,
    pub(super) side: Side,
    pub(super) ending: Ending,
}

/// Which messages are recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Scope {
    /// None: a proxy may see very many.
    #[default]
    Nothing,
    Everything,
    /// Those of the next transaction, on its connection.
    Transaction(Stage),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Awaited,
    /// Of a connection, with so many answers due, and whether its end was seen.
    Open {
        connection: u64,
        due: u64,
        ends: bool,
    },
    Over,
}

/// Messages since the recording began, and where to cut.
#[derive(Debug, Default)]
pub(super) struct Recording {
    pub(super) scope: Scope,
    pub(super) boundaries: Vec<Boundary>,
    pub(super) flights: Vec<Flight>,
    pub(super) cut: Option<CutAt>,
}

impl Recording {
    /// An empty one, of the same messages.
    pub(super) fn anew(&self) -> Self {
        let scope = match self.scope {
            Scope::Transaction(_) => Scope::Transaction(Stage::Awaited),
            _ => Scope::Everything,
        };
        Self {
            scope,
            ..Self::default()
        }
    }

    /// Takes note of a message after the handshake, if it is one to record. Answers whether it
    /// was, and the cut that is due at it, once.
    pub(super) fn note(
        &mut self,
        connection: u64,
        direction: Direction,
        message: &Message,
    ) -> (bool, Option<CutAt>) {
        if !self.covers(connection, message) {
            return (false, None);
        }
        let number = self.boundaries.len();
        self.boundaries.push(Boundary {
            number,
            connection,
            direction,
            message: message.name.clone(),
        });
        (true, self.cut.take_if(|cut| cut.number == number))
    }

    /// Whether the message is to be recorded; goes on to the next stage.
    fn covers(&mut self, connection: u64, message: &Message) -> bool {
        let Scope::Transaction(stage) = &mut self.scope else {
            return self.scope == Scope::Everything;
        };
        let is = |what: fn(&str) -> bool| message.sql.as_deref().is_some_and(what);
        if *stage == Stage::Awaited && is(is_begin) {
            *stage = Stage::Open {
                connection,
                due: 0,
                ends: false,
            };
        }
        let Stage::Open {
            connection: of,
            due,
            ends,
        } = stage
        else {
            return false;
        };
        if *of != connection {
            return false;
        }
        *due += u64::from(message.asks);
        *due = due.saturating_sub(message.answers.into());
        *ends |= is(is_end);
        if *ends && message.answers && *due == 0 {
            *stage = Stage::Over;
        }
        true
    }
}
