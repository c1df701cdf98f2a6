//! Connections that go from one caller to the next without a way through the pool.
//!
//! sqlx asks each connection that is given back whether it lives, and those who wait for it wait
//! for that round trip too. One that has just answered a transaction's end is handed to whoever has
//! waited longest. Only where the pool's hooks are ours: others would be passed by.

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    pin::Pin,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
};

use resilient_core::driver::{Disposal, Session as _};
use tokio::sync::oneshot;

use crate::session::Session;

/// So often a connection goes on without the pool, which those who wait there only, past the
/// framework, wait for, and which looks at its age.
const MOST: u8 = 16;

/// Those who wait for a connection of a full pool.
#[derive(Debug, Default)]
pub(crate) struct Handover {
    queue: Mutex<VecDeque<oneshot::Sender<Handed>>>,
    /// The length of the queue, so that nobody locks it in vain.
    waiting: AtomicUsize,
}

/// A session on its way; one that nobody takes is given back.
#[derive(Debug)]
struct Handed(Option<Session>);

impl Drop for Handed {
    fn drop(&mut self) {
        if let Some(session) = self.0.take() {
            session.dispose(Disposal::Clean);
        }
    }
}

/// What came first.
#[derive(Debug)]
pub(crate) enum Came<T> {
    /// The pool's answer.
    Pool(T),
    /// Somebody's session.
    Handed(Box<Session>),
}

impl Handover {
    fn queue(&self) -> MutexGuard<'_, VecDeque<oneshot::Sender<Handed>>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the pool, and if that is `full` for a session that is handed over too.
    ///
    /// # Cancel safety
    /// A session that was handed over meanwhile goes to the next one.
    pub(crate) async fn or<T>(
        &self,
        mut pool: Pin<&mut impl Future<Output = T>>,
        full: impl Fn() -> bool,
    ) -> Came<T> {
        let mut handed: Option<oneshot::Receiver<Handed>> = None;
        let mut asked = false;
        poll_fn(|cx| {
            if let Some(receiver) = &mut handed
                && let Poll::Ready(Ok(mut handed)) = Pin::new(receiver).poll(cx)
                && let Some(session) = handed.0.take()
            {
                return Poll::Ready(Came::Handed(Box::new(session)));
            }
            if let Poll::Ready(answer) = pool.as_mut().poll(cx) {
                return Poll::Ready(Came::Pool(answer));
            }
            if !asked {
                asked = true;
                if full() {
                    let mut receiver = self.enter();
                    // So that it wakes this future.
                    if let Poll::Ready(Ok(mut handed)) = Pin::new(&mut receiver).poll(cx)
                        && let Some(session) = handed.0.take()
                    {
                        return Poll::Ready(Came::Handed(Box::new(session)));
                    }
                    handed = Some(receiver);
                }
            }
            Poll::Pending
        })
        .await
    }

    fn enter(&self) -> oneshot::Receiver<Handed> {
        let (sender, receiver) = oneshot::channel();
        let mut queue = self.queue();
        // Those who gave up waiting do not fill it.
        if queue.len() == queue.capacity() {
            queue.retain(|waiting| !waiting.is_closed());
        }
        queue.push_back(sender);
        self.waiting.store(queue.len(), Ordering::Relaxed);
        receiver
    }

    /// Whether somebody waits.
    pub(crate) fn is_wanted(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    fn next(&self) -> Option<oneshot::Sender<Handed>> {
        if !self.is_wanted() {
            return None;
        }
        let mut queue = self.queue();
        let next = queue.pop_front();
        self.waiting.store(queue.len(), Ordering::Relaxed);
        next
    }

    /// Hands a session over that is in order; answers it if nobody wants it.
    pub(crate) fn hand(&self, mut session: Session) -> Option<Session> {
        if session.handed >= MOST {
            return Some(session);
        }
        session.handed += 1;
        while let Some(waiting) = self.next() {
            let Err(mut refused) = waiting.send(Handed(Some(session))) else {
                return None;
            };
            session = refused.0.take()?;
        }
        Some(session)
    }
}
