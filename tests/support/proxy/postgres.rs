//! `PostgreSQL`'s messages: a letter, then a length that counts itself.

use std::collections::HashMap;

use super::wire::{Direction, Message, be32, text_at};

/// Startup codes that ask for encryption; both are answered by one letter.
const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;

/// What one connection has said so far.
#[derive(Debug, Default)]
pub(super) struct Wire {
    /// The startup message has passed: from here on every message has a letter.
    started: bool,
    ready: bool,
    statements: HashMap<String, String>,
    portals: HashMap<String, String>,
}

/// Whether these bytes are a request for encryption, which the proxy declines itself.
pub(super) fn asks_for_encryption(bytes: &[u8]) -> bool {
    bytes.len() >= 8 && [SSL_REQUEST, GSS_REQUEST].contains(&be32(&bytes[4..]))
}

/// The message that ends a series of `Parse`, `Bind` and `Execute`.
pub(super) const SYNC: &[u8] = b"S\0\0\0\x04";

impl Wire {
    pub(super) fn length(
        &self,
        direction: Direction,
        bytes: &[u8],
    ) -> Result<Option<usize>, String> {
        let head = usize::from(self.started || direction == Direction::ToClient);
        let Some(length) = bytes.get(head..head + 4).map(be32) else {
            return Ok(None);
        };
        if !(4..=0x4000_0000).contains(&length) {
            return Err(format!("a PostgreSQL message has {length} bytes"));
        }
        let whole = head + length as usize;
        Ok((bytes.len() >= whole).then_some(whole))
    }

    pub(super) fn read(&mut self, direction: Direction, bytes: &[u8]) -> Result<Message, String> {
        if direction == Direction::ToClient {
            return self.told(bytes);
        }
        if !self.started {
            self.started = true;
            return Ok(Message::handshake("Startup"));
        }
        let body = &bytes[5..];
        let known = |texts: &HashMap<String, String>, name: &str| {
            texts.get(name).cloned().unwrap_or_default()
        };
        let message = match bytes[0] {
            b'Q' => Message::statement("Query", &text_at(body, 0)?.0).asks(),
            b'P' => {
                let (name, at) = text_at(body, 0)?;
                let (sql, _) = text_at(body, at)?;
                let message = Message::about("Parse", &sql);
                self.statements.insert(name, sql);
                message
            }
            b'B' => {
                let (portal, at) = text_at(body, 0)?;
                let sql = known(&self.statements, &text_at(body, at)?.0);
                self.portals.insert(portal, sql);
                Message::named("Bind")
            }
            b'E' => Message::statement("Execute", &known(&self.portals, &text_at(body, 0)?.0)),
            b'S' => Message::named("Sync").asks(),
            b'F' => Message::named("FunctionCall").asks(),
            b'D' => Message::named("Describe"),
            b'H' => Message::named("Flush"),
            b'C' => Message::named("Close"),
            b'X' => Message::named("Terminate"),
            b'd' => Message::named("CopyData"),
            b'c' => Message::named("CopyDone"),
            b'f' => Message::named("CopyFail"),
            b'p' => Message::named("Password"),
            other => return Err(unknown("client", other)),
        };
        Ok(message.in_handshake(!self.ready))
    }

    fn told(&mut self, bytes: &[u8]) -> Result<Message, String> {
        let name = match bytes[0] {
            b'Z' => "ReadyForQuery",
            b'C' => "CommandComplete",
            b'T' => "RowDescription",
            b'D' => "DataRow",
            b'E' => "ErrorResponse",
            b'N' => "NoticeResponse",
            b'1' => "ParseComplete",
            b'2' => "BindComplete",
            b'3' => "CloseComplete",
            b't' => "ParameterDescription",
            b'n' => "NoData",
            b's' => "PortalSuspended",
            b'I' => "EmptyQueryResponse",
            b'S' => "ParameterStatus",
            b'A' => "NotificationResponse",
            b'R' => "Authentication",
            b'K' => "BackendKeyData",
            b'v' => "NegotiateProtocolVersion",
            b'V' => "FunctionCallResponse",
            b'G' => "CopyInResponse",
            b'H' => "CopyOutResponse",
            b'W' => "CopyBothResponse",
            b'd' => "CopyData",
            b'c' => "CopyDone",
            other => return Err(unknown("server", other)),
        };
        let handshake = !self.ready;
        let mut message = Message::named(name).in_handshake(handshake);
        if bytes[0] == b'Z' {
            message.answers = !handshake;
            self.ready = true;
        }
        Ok(message)
    }
}

fn unknown(side: &str, letter: u8) -> String {
    let letter = char::from(letter).escape_default();
    format!("the {side} sent a PostgreSQL message `{letter}`, which is unknown here")
}
