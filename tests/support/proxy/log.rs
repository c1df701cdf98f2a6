//! What a proxy has seen.

use std::fmt;

use super::plan::{Ending, Fault};
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

/// Messages since the recording began, and where to cut. Before that nothing is kept, as a proxy
/// may see very many.
#[derive(Debug, Default)]
pub(super) struct Recording {
    pub(super) on: bool,
    pub(super) boundaries: Vec<Boundary>,
    pub(super) flights: Vec<Flight>,
    pub(super) cut: Option<CutAt>,
}

impl Recording {
    /// Takes note of a message after the handshake. Answers the cut that is due at it, once.
    pub(super) fn note(
        &mut self,
        connection: u64,
        direction: Direction,
        message: &Message,
    ) -> Option<CutAt> {
        if !self.on {
            return None;
        }
        let number = self.boundaries.len();
        self.boundaries.push(Boundary {
            number,
            connection,
            direction,
            message: message.name.clone(),
        });
        self.cut.take_if(|cut| cut.number == number)
    }
}
