//! A proxy that cuts a connection around a COMMIT.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::error::{Context, Error};
use crate::locate::Engine;
use crate::test_db::TestDb;

/// What happens to the next COMMIT that passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The connection ends, and the server never sees the COMMIT.
    BeforeCommit,
    /// The server has answered, and the connection ends before its answer is forwarded.
    ReplyLost,
    /// The server has answered, and nothing is forwarded any more; the connection stays open.
    ReplyHeld,
    /// The answer is forwarded, and nothing after it; the connection stays open.
    SilentAfterReply,
}

/// A TCP proxy before the server of a [`TestDb`], for connections without TLS. It ends with the
/// runtime it was started in.
#[derive(Debug)]
pub struct CutProxy {
    url: String,
    next: Arc<Mutex<Option<Cut>>>,
}

impl CutProxy {
    /// Starts a proxy before the server of `test`.
    ///
    /// # Errors
    /// If no port is free, or for `SQLite`, which has no server.
    pub async fn before(test: &TestDb) -> Result<Self, Error> {
        let engine = test.engine();
        let unsupported = Error::Unsupported {
            engine,
            what: "connections to cut",
        };
        let (start, rest) = test.url().split_once("127.0.0.1:").ok_or(unsupported)?;
        let (port, database) = rest.split_once('/').unwrap_or((rest, ""));
        let mut server = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        server.set_port(port.parse().unwrap_or(0));

        let action = || "listen as a proxy".to_owned();
        let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = bound.context(action)?;
        let own = listener.local_addr().context(action)?.port();
        let tls = if engine == Engine::MariaDb {
            "ssl-mode=disabled"
        } else {
            "sslmode=disable"
        };
        let mark = if database.contains('?') { '&' } else { '?' };
        let next = Arc::new(Mutex::new(None));
        tokio::spawn(accept(listener, server, engine, Arc::clone(&next)));
        let url = format!("{start}127.0.0.1:{own}/{database}{mark}{tls}");
        Ok(Self { url, next })
    }

    /// The way to the database through the proxy.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Does this to the next COMMIT, once.
    pub fn cut_next(&self, cut: Cut) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(cut);
    }
}

async fn accept(
    listener: TcpListener,
    server: SocketAddr,
    engine: Engine,
    next: Arc<Mutex<Option<Cut>>>,
) {
    while let Ok((client, _)) = listener.accept().await {
        let next = Arc::clone(&next);
        tokio::spawn(async move {
            let server = TcpStream::connect(server).await?;
            forward(client, server, engine, &next).await
        });
    }
}

async fn forward(
    mut client: TcpStream,
    mut server: TcpStream,
    engine: Engine,
    next: &Mutex<Option<Cut>>,
) -> std::io::Result<()> {
    let (mut asked, mut told) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        tokio::select! {
            n = client.read(&mut asked) => {
                let asked = &asked[..n?];
                if asked.is_empty() {
                    return Ok(());
                }
                let commits = asked.windows(6).any(|word| word == b"COMMIT");
                let take = || next.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(cut) = commits.then(take).flatten() {
                    if cut == Cut::BeforeCommit {
                        return Ok(());
                    }
                    server.write_all(asked).await?;
                    let reply = reply(&mut server, engine).await?;
                    if cut == Cut::ReplyLost {
                        return Ok(());
                    }
                    if cut == Cut::SilentAfterReply {
                        client.write_all(&reply).await?;
                    }
                    // What the client sends is taken and goes nowhere, until it gives up.
                    while client.read(&mut told).await? > 0 {}
                    return Ok(());
                }
                server.write_all(asked).await?;
            }
            n = server.read(&mut told) => {
                let n = n?;
                if n == 0 {
                    return Ok(());
                }
                client.write_all(&told[..n]).await?;
            }
        }
    }
}

/// The whole answer: up to `ReadyForQuery` on `PostgreSQL`, up to the last statement's packet on
/// `MariaDB`.
async fn reply(server: &mut TcpStream, engine: Engine) -> std::io::Result<Vec<u8>> {
    let mut reply = Vec::new();
    loop {
        if server.read_buf(&mut reply).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let whole = match engine {
            Engine::MariaDb => answers_all(&reply),
            _ => reply.len() >= 6 && reply[reply.len() - 6..].starts_with(b"Z\0\0\0\x05"),
        };
        if whole {
            return Ok(reply);
        }
    }
}

/// Whether the last of these packets is one that no other result follows: an error, or an OK
/// whose status lacks `SERVER_MORE_RESULTS_EXISTS`. Counts and ids take one byte each here.
fn answers_all(mut packets: &[u8]) -> bool {
    const MORE_RESULTS: u8 = 8;
    while let [a, b, c, _, rest @ ..] = packets {
        let length = usize::from(*a) | usize::from(*b) << 8 | usize::from(*c) << 16;
        let Some((packet, after)) = rest.split_at_checked(length) else {
            return false;
        };
        let last = match packet {
            [0, _, _, status, ..] => status & MORE_RESULTS == 0,
            _ => true,
        };
        if last && after.is_empty() {
            return true;
        }
        packets = after;
    }
    false
}
