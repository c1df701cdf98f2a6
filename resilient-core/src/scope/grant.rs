//! How a turn is granted: the order in which branches use a transaction's session.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use super::{
    ledger::{Admission, ScopeId},
    refusal,
    transaction::Transaction,
    turn::Turn,
};
use crate::{
    FaultKind,
    driver::{Control, Database},
    failure::{Failure, Reason},
    time::in_time,
};

/// How long a branch waits for a savepoint handle that another branch holds, before this counts
/// as waiting for itself.
const HANDLE_WAIT: Duration = Duration::from_secs(5);

impl<D: Database> Transaction<D> {
    /// [`Scope::turn`](super::Scope::turn) for `scope`. `caller` is the scope that the caller
    /// runs in: what waits for that would wait for itself.
    pub(super) async fn turn(
        self: &Arc<Self>,
        scope: ScopeId,
        caller: Option<ScopeId>,
        stream: bool,
    ) -> Result<Turn<D>, Failure> {
        // Most often nobody else wants it.
        if let Some((mut turn, steps)) = self.turn_at_once(scope, caller, stream) {
            turn.prepare(steps).await?;
            return Ok(turn);
        }
        loop {
            let mut freed = pin!(self.turns.notified());
            freed.as_mut().enable();
            let admission = {
                let ledger = self.ledger();
                if ledger.streaming {
                    return Err(refusal::while_streaming());
                }
                if caller.is_some_and(|caller| ledger.waits_for_caller(scope, caller)) {
                    return Err(refusal::waits_for_caller());
                }
                ledger.admit(scope)
            };
            match admission {
                Admission::Lost(cause) => return Err(lost(&cause)),
                Admission::Ended => {
                    // Its age ended it, not its owner.
                    let ledger = self.ledger();
                    let expired = |doom: &&Failure| doom.kind() == FaultKind::SessionExpired;
                    return Err(match ledger.root_doom().filter(expired) {
                        Some(doom) if doom.is_misuse() => doom.clone(),
                        _ => refusal::ended(),
                    });
                }
                // The one waited for may be a future of the same task that nobody polls.
                Admission::AfterSibling => {
                    let limit = self.db.context().limits().statement;
                    if in_time(limit, freed).await.is_none() {
                        return Err(refusal::never_freed(limit));
                    }
                }
                Admission::AfterHandle => {
                    let context = self.db.context();
                    let patience = context.clock.sleep(HANDLE_WAIT);
                    // A handle in the middle of a statement is not one that is forgotten.
                    if !either(freed, patience).await && self.wire.try_lock().is_ok() {
                        return Err(refusal::held_by_handle());
                    }
                }
                Admission::Ready(_) => {
                    let limit = self.db.context().limits().statement;
                    let locked = pin!(self.lock(scope));
                    let turn = in_time(limit, first(locked, freed)).await;
                    let Some(mut turn) = turn.ok_or_else(|| refusal::never_freed(limit))? else {
                        // Something ended or began meanwhile, a stream perhaps: look again.
                        continue;
                    };
                    // Others may have had their turn during the wait for the session.
                    let admission = {
                        let mut ledger = self.ledger();
                        let admission = ledger.admit(scope);
                        if stream && matches!(admission, Admission::Ready(_)) {
                            ledger.streaming = true;
                            turn.streams();
                        }
                        admission
                    };
                    if stream {
                        // Who waits for the session now would wait for the stream.
                        self.turns.notify_waiters();
                    }
                    if let Admission::Ready(steps) = admission {
                        turn.prepare(steps).await?;
                        return Ok(turn);
                    }
                }
            }
        }
    }

    /// A turn for which nothing has to be waited, and what it is to send first; `None` if it may
    /// have to wait, or is refused.
    fn turn_at_once(
        self: &Arc<Self>,
        scope: ScopeId,
        caller: Option<ScopeId>,
        stream: bool,
    ) -> Option<(Turn<D>, Vec<Control>)> {
        let (session, steps) = {
            let mut ledger = self.ledger();
            let waits = |caller| ledger.waits_for_caller(scope, caller);
            if ledger.streaming || caller.is_some_and(waits) {
                return None;
            }
            let Admission::Ready(steps) = ledger.admit(scope) else {
                return None;
            };
            // With the books still open, so that they are true of whoever has the session.
            let session = Arc::clone(&self.wire).try_lock_owned().ok()?;
            ledger.streaming |= stream;
            (session, steps)
        };
        let mut turn = Turn::new(self, scope, session);
        if stream {
            turn.streams();
            // Who waits for the session since then would wait for the stream.
            self.turns.notify_waiters();
        }
        Some((turn, steps))
    }

    /// Waits for the session.
    async fn lock(self: &Arc<Self>, scope: ScopeId) -> Turn<D> {
        Turn::new(self, scope, Arc::clone(&self.wire).lock_owned().await)
    }

    /// The same for what ends a scope; `None` if a statement keeps it whose future is not polled
    /// any more.
    pub(super) async fn lock_in_time(self: &Arc<Self>) -> Option<Turn<D>> {
        let limit = self.db.context().limits().statement;
        in_time(limit, self.lock(ScopeId::ROOT)).await
    }
}

/// Waits for either; `true` if the first one came.
async fn either(one: impl Future<Output = ()>, other: impl Future<Output = ()>) -> bool {
    first(pin!(one), pin!(other)).await.is_some()
}

/// Waits for `wanted`, or answers `None` if `other` comes first.
pub(super) async fn first<T>(
    mut wanted: Pin<&mut impl Future<Output = T>>,
    mut other: Pin<&mut (impl Future<Output = ()> + ?Sized)>,
) -> Option<T> {
    poll_fn(|cx| {
        if let Poll::Ready(value) = wanted.as_mut().poll(cx) {
            return Poll::Ready(Some(value));
        }
        other.as_mut().poll(cx).map(|()| None)
    })
    .await
}

fn lost(cause: &Failure) -> Failure {
    let mut failure = cause.clone();
    // What ended it from outside says itself what to do.
    if !(failure.is_misuse() && failure.kind() == FaultKind::SessionExpired) {
        failure.inner.reason = Reason::ScopeLost;
    }
    failure
}
