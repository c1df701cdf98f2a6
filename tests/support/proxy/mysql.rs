//! The packets of `MySQL` and `MariaDB`: a length of three bytes, a number, and then a payload
//! that only the command before it explains.

use std::collections::{HashMap, VecDeque};

use super::wire::{Direction, Message};

const SSL: u32 = 1 << 11;
const COMPRESS: u32 = 1 << 5 | 1 << 26;
const DEPRECATE_EOF: u32 = 1 << 24;
const MORE_RESULTS: u16 = 8;
/// A payload of this length goes on in the next packet.
const FULL: usize = 0xff_ffff;

/// What the server still has to say to a command.
#[derive(Debug)]
enum Due {
    /// One packet, whatever is in it.
    Packet,
    /// The end of the handshake.
    Login,
    /// An OK, an error, or the number of columns.
    Result,
    /// Definitions of columns, then their end if the client wants to be told, then rows.
    Columns(u64),
    ColumnsEnd,
    Rows,
    /// The answer to a prepare.
    Prepared(String),
    /// What is left of it.
    Definitions(u16),
}

/// What one connection has said so far.
#[derive(Debug, Default)]
pub(super) struct Wire {
    greeted: bool,
    capabilities: u32,
    ready: bool,
    due: VecDeque<Due>,
    statements: HashMap<u32, String>,
}

/// How many of these bytes are the first message, with all packets it goes on in.
pub(super) fn length(bytes: &[u8]) -> Option<usize> {
    let mut end = 0;
    loop {
        let head = bytes.get(end..end + 4)?;
        let payload = usize::from(head[0]) | usize::from(head[1]) << 8 | usize::from(head[2]) << 16;
        end += 4 + payload;
        if payload < FULL {
            return (bytes.len() >= end).then_some(end);
        }
    }
}

impl Wire {
    pub(super) fn read(&mut self, direction: Direction, bytes: &[u8]) -> Result<Message, String> {
        let payload = &bytes[4..];
        match direction {
            Direction::ToServer if self.ready => self.command(payload),
            Direction::ToServer => self.login(payload),
            Direction::ToClient if self.ready => self.answer(payload),
            Direction::ToClient => self.greeting(payload),
        }
    }

    fn greeting(&mut self, payload: &[u8]) -> Result<Message, String> {
        if !self.greeted {
            self.greeted = true;
            if payload.first() == Some(&0xff) {
                return Ok(Message::handshake("ERR"));
            }
            let version = payload.iter().skip(1).position(|byte| *byte == 0);
            let at = version.ok_or("a greeting without a version")? + 2 + 4 + 8 + 1;
            let (low, high) = (le16(payload, at)?, le16(payload, at + 5)?);
            self.capabilities = u32::from(low) | u32::from(high) << 16;
            return Ok(Message::handshake("Greeting"));
        }
        let name = match payload.first() {
            Some(0) => {
                self.ready = true;
                "OK"
            }
            Some(0xff) => "ERR",
            _ => "Authentication",
        };
        Ok(Message::handshake(name))
    }

    fn login(&mut self, payload: &[u8]) -> Result<Message, String> {
        if self.due.is_empty() {
            self.due.push_back(Due::Login);
            let wanted = u32::from(le16(payload, 0)?) | u32::from(le16(payload, 2)?) << 16;
            if wanted & SSL != 0 || wanted & COMPRESS & self.capabilities != 0 {
                return Err("the client wants TLS or compression, which is unknown here".to_owned());
            }
            self.capabilities &= wanted;
        }
        Ok(Message::handshake("Login"))
    }

    fn command(&mut self, payload: &[u8]) -> Result<Message, String> {
        // What was due to the login is over.
        self.due.retain(|due| !matches!(due, Due::Login));
        let (command, rest) = payload.split_first().ok_or("an empty command")?;
        let text = || String::from_utf8_lossy(rest).into_owned();
        let (message, due) = match command {
            0x01 => return Ok(Message::named("COM_QUIT")),
            0x03 => (Message::statement("COM_QUERY", &text()), Due::Result),
            0x16 => (
                Message::about("COM_STMT_PREPARE", &text()),
                Due::Prepared(text()),
            ),
            0x17 => {
                let sql = self.statements.get(&le32(rest)?).cloned();
                let sql = sql.ok_or("a statement is executed that was not prepared")?;
                (Message::statement("COM_STMT_EXECUTE", &sql), Due::Result)
            }
            0x18 => return Ok(Message::named("COM_STMT_SEND_LONG_DATA")),
            0x19 => {
                self.statements.remove(&le32(rest)?);
                return Ok(Message::named("COM_STMT_CLOSE"));
            }
            0x02 => (Message::named("COM_INIT_DB"), Due::Packet),
            0x09 => (Message::named("COM_STATISTICS"), Due::Packet),
            0x0e => (Message::named("COM_PING"), Due::Packet),
            0x1a => (Message::named("COM_STMT_RESET"), Due::Packet),
            0x1b => (Message::named("COM_SET_OPTION"), Due::Packet),
            0x1f => (Message::named("COM_RESET_CONNECTION"), Due::Packet),
            other => return Err(format!("the command {other:#04x} is unknown here")),
        };
        self.due.push_back(due);
        Ok(message.asks())
    }

    fn answer(&mut self, payload: &[u8]) -> Result<Message, String> {
        let first = *payload.first().ok_or("an empty packet")?;
        let brief = self.capabilities & DEPRECATE_EOF != 0;
        if self.due.is_empty() && first == 0xff {
            // The server ends the session by an error that nobody asked for.
            return Ok(Message::named("ERR"));
        }
        let due = self.due.pop_front().ok_or("an answer without a command")?;
        let (name, next) = match due {
            _ if first == 0xff => ("ERR", None),
            Due::Packet | Due::Login => ("OK", None),
            Due::Result if first == 0 => ("OK", more(ok_status(payload)?)),
            Due::Result if first == 0xfb => {
                return Err("a file is loaded, which is unknown here".to_owned());
            }
            Due::Result => ("ColumnCount", Some(Due::Columns(number(payload, 0)?.0))),
            Due::Columns(left) if left > 1 => ("Column", Some(Due::Columns(left - 1))),
            Due::Columns(_) if brief => ("Column", Some(Due::Rows)),
            Due::Columns(_) => ("Column", Some(Due::ColumnsEnd)),
            Due::ColumnsEnd => ("EOF", Some(Due::Rows)),
            Due::Rows if first == 0xfe && brief && payload.len() < FULL => {
                ("OK", more(ok_status(payload)?))
            }
            Due::Rows if first == 0xfe && payload.len() < 9 => ("EOF", more(le16(payload, 3)?)),
            Due::Rows => ("Row", Some(Due::Rows)),
            Due::Prepared(sql) => {
                self.statements.insert(le32(&payload[1..])?, sql);
                let of = |at| {
                    Ok::<_, String>(match (le16(payload, at)?, brief) {
                        (0, _) => 0,
                        (count, true) => count,
                        (count, false) => count + 1,
                    })
                };
                ("PrepareOK", definitions(of(5)? + of(7)?))
            }
            Due::Definitions(left) => ("Definition", definitions(left - 1)),
        };
        let mut message = Message::named(name);
        match next {
            Some(next) => self.due.push_front(next),
            None => message.answers = true,
        }
        Ok(message)
    }
}

fn definitions(left: u16) -> Option<Due> {
    (left > 0).then_some(Due::Definitions(left))
}

fn more(status: u16) -> Option<Due> {
    (status & MORE_RESULTS != 0).then_some(Due::Result)
}

/// The status in an OK: after two numbers of variable length.
fn ok_status(payload: &[u8]) -> Result<u16, String> {
    let (_, at) = number(payload, 1)?;
    let (_, at) = number(payload, at)?;
    le16(payload, at)
}

/// A number of variable length, and where the next field begins.
fn number(payload: &[u8], at: usize) -> Result<(u64, usize), String> {
    let first = *payload.get(at).ok_or_else(short)?;
    let bytes = match first {
        0xfc => 2,
        0xfd => 3,
        0xfe => 8,
        small => return Ok((small.into(), at + 1)),
    };
    let end = at + 1 + bytes;
    let field = payload.get(at + 1..end).ok_or_else(short)?;
    let value = field
        .iter()
        .rev()
        .fold(0, |n, byte| n << 8 | u64::from(*byte));
    Ok((value, end))
}

fn le16(bytes: &[u8], at: usize) -> Result<u16, String> {
    match bytes.get(at..at + 2) {
        Some([low, high]) => Ok(u16::from(*low) | u16::from(*high) << 8),
        _ => Err(short()),
    }
}

fn le32(bytes: &[u8]) -> Result<u32, String> {
    Ok(u32::from(le16(bytes, 0)?) | u32::from(le16(bytes, 2)?) << 16)
}

fn short() -> String {
    "a packet is too short".to_owned()
}
