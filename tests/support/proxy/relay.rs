//! One connection through the proxy.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::hub::{Counted, Hub};
use super::plan::Ending;
use super::postgres;
use super::talk::{End, Late, Step, Talk};
use super::wire::Direction;
use crate::locate::Engine;

/// What is on its way in one direction.
#[derive(Debug, Default)]
struct Lane {
    /// Read; what is before `at` was looked at.
    read: Vec<u8>,
    at: usize,
    /// To be written.
    write: Vec<u8>,
}

impl Lane {
    /// The next whole message, if it is there.
    fn next(&mut self, talk: &Talk, way: Direction) -> Result<Option<&[u8]>, String> {
        let Some(length) = talk.length(way, &self.read[self.at..])? else {
            self.read.drain(..self.at);
            self.at = 0;
            // Large enough that a read is worth its while.
            self.read.reserve(16 * 1024);
            return Ok(None);
        };
        self.at += length;
        Ok(Some(&self.read[self.at - length..self.at]))
    }
}

/// Serves a client until it is over. An error is the proxy's own: it does not understand.
pub(super) async fn serve(
    hub: Arc<Hub>,
    number: u64,
    generation: u64,
    client: TcpStream,
) -> Result<(), String> {
    let mut orders = hub.orders.subscribe();
    let closed = async {
        // The sender lives as long as the proxy, which this is part of.
        let _ = orders
            .wait_for(|orders| orders.generation != generation)
            .await;
    };
    tokio::pin!(closed);
    let talk = Mutex::new(Talk::new(&hub, number));
    let relay = Relay {
        hub: &hub,
        talk: &talk,
    };
    let (mut asking, mut telling) = (Lane::default(), Lane::default());
    let (mut client, mut server) = (client, None);
    let end = tokio::select! {
        end = relay.run(&mut client, &mut server, &mut asking, &mut telling) => end,
        () = &mut closed => Ok(End::Cut(Ending::Reset)),
    };
    lock(&talk).land(&mut hub.state(), false);
    let ending = match end {
        Ok(End::Gone) => return Ok(()),
        Ok(End::Cut(ending)) => ending,
        Ok(End::Late {
            after,
            ending,
            late,
        }) => {
            let talk = talk.into_inner().unwrap_or_else(PoisonError::into_inner);
            if let Some(server) = server.take() {
                let counted = Counted::new(&hub, |hub| &hub.late);
                let shared = Arc::clone(&hub);
                hub.tasks().spawn(async move {
                    sleep(after).await;
                    if let Err(error) = deliver(&shared, server, talk, telling, &late).await {
                        shared.report(format!("connection {number}: {error}"));
                    }
                    drop(counted);
                });
            }
            ending
        }
        Err(error) => {
            reset(&client)?;
            return Err(error);
        }
    };
    match ending {
        Ending::Reset => return reset(&client),
        Ending::Fin => {
            server = None;
            // Only the other side can make this fail, by being gone.
            let _ = client.shutdown().await;
        }
        Ending::Silence => {}
    }
    // Unread bytes would turn the end into a reset.
    tokio::select! {
        () = drain(&mut client) => {}
        () = closed => return reset(&client),
    }
    drop(server);
    Ok(())
}

struct Relay<'a> {
    hub: &'a Hub,
    talk: &'a Mutex<Talk>,
}

impl Relay<'_> {
    async fn run(
        &self,
        client: &mut TcpStream,
        server: &mut Option<TcpStream>,
        asking: &mut Lane,
        telling: &mut Lane,
    ) -> Result<End, String> {
        self.thawed().await;
        if self.hub.engine == Engine::Postgres && decline(client, asking).await.is_err() {
            return Ok(End::Gone);
        }
        let target = self.hub.state().target;
        // A server that is down is a reset to the client.
        let Ok(connected) = TcpStream::connect(target).await else {
            return Ok(End::Cut(Ending::Reset));
        };
        let server = server.insert(connected);
        for stream in [&*client, &*server] {
            stream
                .set_nodelay(true)
                .map_err(|error| error.to_string())?;
        }
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.split();
        tokio::select! {
            end = self.pump(Direction::ToServer, asking, &mut from_client, &mut to_server) => end,
            end = self.pump(Direction::ToClient, telling, &mut from_server, &mut to_client) => end,
        }
    }

    /// Forwards one direction.
    async fn pump(
        &self,
        way: Direction,
        lane: &mut Lane,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
    ) -> Result<End, String> {
        loop {
            loop {
                let step = {
                    let mut talk = lock(self.talk);
                    let Some(message) = lane.next(&talk, way)? else {
                        break;
                    };
                    let message = message.to_vec();
                    match talk.step(self.hub, way, &message)? {
                        Step::Forward => {
                            lane.write.extend(message);
                            continue;
                        }
                        step => (step, message),
                    }
                };
                match step {
                    (Step::Delay(time), message) => {
                        self.write(lane, to).await;
                        sleep(time).await;
                        lane.write.extend(message);
                    }
                    (Step::End(bytes, end), _) => {
                        lane.write.extend(bytes);
                        self.write(lane, to).await;
                        return Ok(end);
                    }
                    (Step::Forward | Step::Hold, _) => {}
                }
            }
            self.write(lane, to).await;
            let read = from.read_buf(&mut lane.read).await;
            self.thawed().await;
            match (way, read) {
                (_, Ok(1..)) => {}
                (Direction::ToServer, Ok(0)) => {
                    // The server has the last word; only it can say that it is gone already.
                    let _ = to.shutdown().await;
                    std::future::pending::<()>().await;
                }
                (Direction::ToServer, Err(_)) => return Ok(End::Gone),
                (Direction::ToClient, Ok(0)) => {
                    return Ok(lock(self.talk).without_server(Ending::Fin));
                }
                (Direction::ToClient, Err(_)) => {
                    return Ok(lock(self.talk).without_server(Ending::Reset));
                }
            }
            let latency = self.hub.state().latency;
            if !latency.is_zero() {
                sleep(latency).await;
            }
        }
    }

    /// Writes what is due. A side that is gone is noticed where it is read.
    async fn write(&self, lane: &mut Lane, to: &mut (impl AsyncWrite + Unpin)) {
        if lane.write.is_empty() {
            return;
        }
        self.thawed().await;
        let _ = to.write_all(&lane.write).await;
        lane.write.clear();
    }

    async fn thawed(&self) {
        // The sender lives as long as the proxy, which this is part of.
        let _ = self
            .hub
            .orders
            .subscribe()
            .wait_for(|orders| !orders.frozen)
            .await;
    }
}

/// Says no to encryption, so that an address without settings for it works too.
async fn decline(client: &mut TcpStream, lane: &mut Lane) -> io::Result<()> {
    loop {
        while lane.read.len() < 8 {
            if client.read_buf(&mut lane.read).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        if !postgres::asks_for_encryption(&lane.read) {
            return Ok(());
        }
        lane.read.drain(..8);
        client.write_all(b"N").await?;
    }
}

/// Sends the server what it has not seen, and waits for its answer or its end.
async fn deliver(
    hub: &Hub,
    mut server: TcpStream,
    mut talk: Talk,
    mut telling: Lane,
    late: &Late,
) -> Result<(), String> {
    // A server that is gone shows in the hit, which stays without an answer.
    if server.write_all(late.bytes()).await.is_err() {
        return Ok(());
    }
    while !late.is_answered(&talk) {
        let message = telling
            .next(&talk, Direction::ToClient)?
            .map(<[u8]>::to_vec);
        if let Some(message) = message {
            talk.step(hub, Direction::ToClient, &message)?;
        } else if !matches!(server.read_buf(&mut telling.read).await, Ok(1..)) {
            return Ok(());
        }
    }
    Ok(())
}

async fn drain(client: &mut TcpStream) {
    let mut nowhere = [0; 4096];
    while matches!(client.read(&mut nowhere).await, Ok(1..)) {}
}

fn reset(client: &TcpStream) -> Result<(), String> {
    client.set_zero_linger().map_err(|error| error.to_string())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
