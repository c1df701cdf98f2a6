//! Delivery: each message at least once, and to a receiver that knows those it has had, once.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use resilient_sea_orm::Result;
use tokio::sync::Notify;

use crate::orders::Outbox;

/// The world outside: it remembers the messages by their id.
#[derive(Clone, Debug, Default)]
pub struct Receiver(Arc<Mutex<BTreeMap<i32, u32>>>);

impl Receiver {
    /// Takes a message.
    pub fn take(&self, id: i32) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *seen.entry(id).or_default() += 1;
    }

    /// Whether a message has come.
    pub fn has(&self, id: i32) -> bool {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.contains_key(&id)
    }

    /// Different messages, and arrivals in all.
    pub fn counts(&self) -> (u64, u32) {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (seen.len() as u64, seen.values().sum())
    }
}

/// Delivers what is pending, and notes each message after it has arrived: who ends in between
/// delivers it again.
pub async fn deliver(outbox: &Outbox, receiver: &Receiver) -> Result<usize> {
    let pending = outbox.pending().await?;
    for message in &pending {
        let again = if receiver.has(message.id) {
            " (again: the receiver knows it)"
        } else {
            ""
        };
        receiver.take(message.id);
        println!("  delivered: {}{again}", message.body);
        outbox.delivered(message.id).await?;
    }
    Ok(pending.len())
}

/// Delivers whenever it is woken, and at first what an earlier process has left. It ends with the
/// task that it runs in.
pub async fn run(outbox: Outbox, receiver: Receiver, wake: Arc<Notify>) {
    loop {
        if let Err(error) = deliver(&outbox, &receiver).await {
            eprintln!("outbox: {error}; trying again when there is more");
        }
        wake.notified().await;
    }
}
