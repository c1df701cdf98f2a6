//! Errors without a server's code: sockets, TLS, pools, drivers.

use std::io;

use super::{ErrorReport, Phase, Verdict};
use crate::fault::FaultKind as K;

/// What a driver knows about an error that no server reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClientError {
    /// Nothing but its text, which is then matched in English as a last resort.
    #[default]
    Unknown,
    /// The session ended: end of stream, reset, broken pipe, a crashed worker thread.
    Closed,
    /// Nobody answers at that address: refused, unreachable, no such name.
    Refused,
    /// The network was silent for too long.
    TimedOut,
    /// Bytes that make no sense: the session can no longer be used.
    Protocol,
    /// The secure channel could not be set up.
    Tls,
    /// No connection of the pool became free in time.
    PoolTimedOut,
    /// The pool was closed by the program.
    PoolClosed,
    /// The driver refused before or after talking to the server: decoding, configuration,
    /// a row that was expected. The session is unharmed.
    Driver,
}

/// The nearest meaning of an I/O error's kind.
impl From<io::ErrorKind> for ClientError {
    fn from(kind: io::ErrorKind) -> Self {
        use io::ErrorKind as I;
        match kind {
            I::ConnectionRefused
            | I::HostUnreachable
            | I::NetworkUnreachable
            | I::NetworkDown
            | I::AddrNotAvailable
            | I::NotFound => Self::Refused,
            I::TimedOut | I::WouldBlock => Self::TimedOut,
            I::InvalidData => Self::Protocol,
            _ => Self::Closed,
        }
    }
}

/// The verdict for a report without a code.
pub(super) fn verdict(report: &ErrorReport<'_>) -> Verdict {
    let error = match report.client {
        ClientError::Unknown => from_text(report.message),
        known => known,
    };
    let verdict = match error {
        ClientError::TimedOut if report.phase == Phase::Connect => {
            Verdict::session(K::ServerUnavailable)
        }
        ClientError::Closed | ClientError::Protocol | ClientError::TimedOut => {
            Verdict::session(K::ConnectionLost)
        }
        ClientError::Refused => Verdict::session(K::ServerUnavailable),
        ClientError::Tls => Verdict::session(K::Authentication),
        // Nothing was sent: a transaction elsewhere is not touched.
        ClientError::PoolTimedOut => return Verdict::statement(K::PoolTimeout),
        ClientError::PoolClosed | ClientError::Driver | ClientError::Unknown => {
            return Verdict::statement(K::Other);
        }
    };
    if report.phase == Phase::Commit {
        Verdict::COMMIT_UNKNOWN
    } else {
        verdict
    }
}

/// Phrases of sqlx, rustls, libpq, tokio-postgres and operating systems, first match first.
const PHRASES: &[(&str, ClientError)] = &[
    ("pool timed out", ClientError::PoolTimedOut),
    ("closed pool", ClientError::PoolClosed),
    ("close_notify", ClientError::Closed),
    ("SSL SYSCALL error", ClientError::Closed),
    ("TLS", ClientError::Tls),
    ("SSL", ClientError::Tls),
    ("refused", ClientError::Refused),
    ("unreachable", ClientError::Refused),
    ("No route to host", ClientError::Refused),
    ("lookup address", ClientError::Refused),
    ("name resolution", ClientError::Refused),
    ("translate host name", ClientError::Refused),
    ("could not connect", ClientError::Refused),
    ("error connecting to server", ClientError::Refused),
    ("timed out", ClientError::TimedOut),
    ("EOF", ClientError::Closed),
    ("end of file", ClientError::Closed),
    ("reset by peer", ClientError::Closed),
    ("roken pipe", ClientError::Closed),
    ("onnection abort", ClientError::Closed),
    ("onnection closed", ClientError::Closed),
    ("connection is closed", ClientError::Closed),
    ("closed the connection", ClientError::Closed),
    ("closed database", ClientError::Closed),
    ("no connection to the server", ClientError::Closed),
    ("background worker", ClientError::Closed),
    ("gone away", ClientError::Closed),
    ("ost connection", ClientError::Closed),
    ("error communicating with database", ClientError::Closed),
    ("SEQUENCE_ID", ClientError::Protocol),
    ("unexpected packet", ClientError::Protocol),
    ("unexpected message", ClientError::Protocol),
];

fn from_text(message: &str) -> ClientError {
    PHRASES
        .iter()
        .find(|(phrase, _)| message.contains(phrase))
        .map_or(ClientError::Driver, |(_, error)| *error)
}
