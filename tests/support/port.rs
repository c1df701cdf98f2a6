//! TCP ports of servers.

use std::hash::{BuildHasher, RandomState};
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use crate::error::{Context, Error};

/// Whether a `MariaDB` or `MySQL` server sends its greeting: a header of four bytes, then the version
/// of the protocol, which is 10.
pub(crate) fn greets(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let greeting =
        TcpStream::connect_timeout(&address, Duration::from_secs(1)).and_then(|mut stream| {
            stream.set_read_timeout(Some(Duration::from_secs(1)))?;
            let mut start = [0; 5];
            stream.read_exact(&mut start).map(|()| start)
        });
    greeting.is_ok_and(|start| start[4] == 10)
}

/// A port nobody listens on. It lies below the range from which clients get theirs, so that no
/// outgoing connection takes it while its server is being restarted.
pub(crate) fn free_port() -> Result<u16, Error> {
    let mut last = None;
    for attempt in 0..100_u8 {
        let offset = RandomState::new().hash_one(attempt) % 12_000;
        let port = 20_000 + u16::try_from(offset).unwrap_or_default();
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => return Ok(port),
            Err(error) => last = Some(error),
        }
    }
    last.map_or(Ok(0), Err)
        .context(|| "find a free port".to_owned())
}
