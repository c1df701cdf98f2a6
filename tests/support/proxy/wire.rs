//! What the protocols have in common: bytes become messages.

use std::fmt;

use super::{mysql, postgres};
use crate::locate::Engine;

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ToServer => "→",
            Self::ToClient => "←",
        })
    }
}

/// One message and what it means to the exchange.
#[derive(Debug, Default)]
pub(super) struct Message {
    pub(super) name: String,
    /// The text that the server executes at this message.
    pub(super) sql: Option<String>,
    /// One more answer is due.
    pub(super) asks: bool,
    /// The last message of an answer.
    pub(super) answers: bool,
    pub(super) handshake: bool,
}

impl Message {
    pub(super) fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    pub(super) fn handshake(name: &str) -> Self {
        Self::named(name).in_handshake(true)
    }

    /// With the text beside its name.
    pub(super) fn about(name: &str, sql: &str) -> Self {
        Self::named(&format!("{name} {sql}"))
    }

    pub(super) fn statement(name: &str, sql: &str) -> Self {
        Self {
            sql: Some(sql.to_owned()),
            ..Self::about(name, sql)
        }
    }

    pub(super) fn asks(mut self) -> Self {
        self.asks = true;
        self
    }

    pub(super) fn in_handshake(mut self, handshake: bool) -> Self {
        self.handshake = handshake;
        self
    }
}

/// The protocol of one connection, and where in it the connection is.
#[derive(Debug)]
pub(super) enum Wire {
    Postgres(postgres::Wire),
    MySql(mysql::Wire),
}

impl Wire {
    pub(super) fn new(engine: Engine) -> Self {
        match engine {
            Engine::Postgres => Self::Postgres(postgres::Wire::default()),
            _ => Self::MySql(mysql::Wire::default()),
        }
    }

    /// How many of these bytes are the first message; nothing if it is not complete yet.
    pub(super) fn length(
        &self,
        direction: Direction,
        bytes: &[u8],
    ) -> Result<Option<usize>, String> {
        match self {
            Self::Postgres(wire) => wire.length(direction, bytes),
            Self::MySql(_) => Ok(mysql::length(bytes)),
        }
    }

    /// Takes note of a whole message.
    pub(super) fn read(&mut self, direction: Direction, bytes: &[u8]) -> Result<Message, String> {
        match self {
            Self::Postgres(wire) => wire.read(direction, bytes),
            Self::MySql(wire) => wire.read(direction, bytes),
        }
    }

    /// What must follow a statement to be answered, if the client is not there to send it.
    pub(super) fn close_of(&self, statement: &Message) -> &'static [u8] {
        match self {
            Self::Postgres(_) if !statement.asks => postgres::SYNC,
            _ => &[],
        }
    }
}

pub(super) fn be32(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .take(4)
        .fold(0, |n, byte| n << 8 | u32::from(*byte))
}

/// The text from `at` to the next zero byte, and where the next field begins.
pub(super) fn text_at(bytes: &[u8], at: usize) -> Result<(String, usize), String> {
    let rest = bytes.get(at..).unwrap_or_default();
    let end = rest.iter().position(|byte| *byte == 0);
    let end = end.ok_or("a text in a message does not end")?;
    Ok((
        String::from_utf8_lossy(&rest[..end]).into_owned(),
        at + end + 1,
    ))
}
