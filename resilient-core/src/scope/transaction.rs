//! One root transaction: a session, the books about it, and how scopes and the whole end.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicBool},
};

use tokio::sync::{Mutex as AsyncMutex, Notify, OwnedMutexGuard};

use super::{
    hooks::End,
    ledger::{CommitStep, Holder, Ledger, ScopeId, Stage},
    refusal,
    turn::{limited, lost_on_the_way},
};
use crate::{
    CommitToken, Effect, Fault, FaultKind, FaultSet,
    admission::Owner,
    driver::{BeginOptions, Control, Database, Disposal, Session},
    failure::{DriverError, Failure, Reason},
    health::recovery::RecoveryStep,
    metrics::ConnectionMetrics,
    time::in_time,
};

/// A transaction and its connection, shared by the scopes inside it.
pub struct Transaction<D: Database> {
    pub(super) db: Arc<D>,
    pub(super) options: BeginOptions,
    pub(super) owner: Owner,
    ledger: Mutex<Ledger>,
    pub(super) wire: Arc<AsyncMutex<Option<D::Session>>>,
    pub(super) turns: Notify,
    /// It waits for locks no longer than was derived, not asked for.
    pub(super) impatient: AtomicBool,
}

impl<D: Database> Transaction<D> {
    /// A transaction that has sent nothing yet.
    pub(crate) fn new(db: Arc<D>, options: BeginOptions, owner: Owner) -> Arc<Self> {
        Arc::new(Self {
            db,
            options,
            owner,
            ledger: Mutex::new(Ledger::new()),
            wire: Arc::new(AsyncMutex::new(None)),
            turns: Notify::new(),
            impatient: AtomicBool::new(false),
        })
    }

    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // Nothing panics while the lock is held; if it did, the books are still the best we have.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn metrics(&self) -> &ConnectionMetrics {
        self.db.context().metrics()
    }

    /// How the transaction began, or will.
    pub(crate) fn options(&self) -> BeginOptions {
        self.options
    }

    pub(crate) fn database(&self) -> &Arc<D> {
        &self.db
    }

    /// From now on its commit is a verified one.
    pub(crate) fn verify_by(&self, token: CommitToken) {
        self.ledger().verify_by(token);
    }

    pub(crate) fn open_scope(&self, parent: ScopeId, holder: Holder) -> Result<ScopeId, Failure> {
        self.ledger()
            .open(parent, holder)
            .ok_or_else(refusal::ended)
    }

    /// Ends a nested scope that did well.
    pub(crate) fn release(&self, scope: ScopeId) {
        self.ledger().close_ok(scope);
        self.turns.notify_waiters();
    }

    /// Ends a nested scope that failed and undoes its work at once.
    ///
    /// # Errors
    /// When the server did not do it; then the whole transaction is lost.
    pub(crate) async fn roll_back_to(self: &Arc<Self>, scope: ScopeId) -> Result<(), DriverError> {
        let cause = self.ledger().cause(scope).cloned();
        self.abandon(scope);
        if self.ledger().streaming {
            return Ok(());
        }
        let Some(mut turn) = self.lock_in_time().await else {
            // It goes out with the next statement, or with the transaction.
            return Ok(());
        };
        let steps = self.ledger().take_due();
        if steps.is_empty() {
            return Ok(());
        }
        let result = turn.control(&steps).await;
        if let (Err(error), Some(mut cause)) = (&result, cause)
            && !lost_on_the_way(&error.fault)
        {
            // The savepoint was gone: what led here had cost the whole transaction, as a lock
            // timeout does under innodb_rollback_on_timeout. The root decides by that cause.
            cause.inner.fault.set_effect(Effect::Transaction);
            self.ledger().attribute_root_doom(cause);
        }
        result
    }

    /// Ends a nested scope whose future was dropped; its rollback goes out with the next
    /// statement.
    pub(crate) fn abandon(&self, scope: ScopeId) {
        {
            let mut ledger = self.ledger();
            if let Some(savepoint) = ledger.close_failed(scope) {
                self.metrics().savepoints_rolled_back.add(1);
                ledger.defer_rollback(savepoint);
            }
        }
        self.turns.notify_waiters();
    }

    /// Rolls back and gives the session up. Sends nothing where there is nothing to undo.
    ///
    /// # Errors
    /// The server's refusal; the session is discarded then, so the work is undone all the same.
    pub(crate) async fn roll_back(self: &Arc<Self>) -> Result<(), DriverError> {
        // A stream that outlived the body holds the session; its end gives it up.
        if self.ledger().streaming {
            self.drop_root();
            return self.undone();
        }
        // Whoever holds the session in vain gives it up; after a commit that waited for it in
        // vain, that is settled.
        if self.ledger().stage == Stage::Ended {
            return self.undone();
        }
        let limit = self.db.context().limits().statement;
        let locked = in_time(limit, Arc::clone(&self.wire).lock_owned()).await;
        let Some(session) = locked else {
            self.drop_root();
            return self.undone();
        };
        self.roll_back_with(session).await
    }

    /// Whether what is over now is undone for certain: not where a statement may have committed
    /// it, and no checked rollback has told since.
    fn undone(&self) -> Result<(), DriverError> {
        if self.ledger().blurred {
            return Err(Fault::new(FaultKind::CommitUnknown, Effect::Connection).into());
        }
        Ok(())
    }

    /// The same with the session in hand.
    pub(super) async fn roll_back_with(
        self: &Arc<Self>,
        mut session: OwnedMutexGuard<Option<D::Session>>,
    ) -> Result<(), DriverError> {
        let how = self.disposal();
        let step = {
            let mut ledger = self.ledger();
            if ledger.stage == Stage::Open {
                self.metrics().rolled_back.add(1);
                if how == Disposal::Discard {
                    self.step(RecoveryStep::Root, false);
                }
            }
            ledger.stage = Stage::Ended;
            match ledger.root_doom() {
                Some(_) if ledger.commit == CommitStep::Refused => Control::Rollback,
                Some(doom) if !ledger.blurred && may_have_ended(doom.fault()) => Control::Rollback,
                _ => Control::RollbackChecked,
            }
        };
        self.turns.notify_waiters();
        let Some(session) = session.take() else {
            return self.undone();
        };
        if how != Disposal::RollBack {
            self.finish(Some(session), how);
            return self.undone();
        }
        // From here a dropped future must not lose the session.
        let mut guard = Handback {
            transaction: self,
            session: Some(session),
            how: Disposal::Discard,
        };
        let result = match guard.session.as_mut() {
            Some(session) => limited(&self.db, session, &[step]).await,
            None => Ok(()),
        };
        match &result {
            Ok(()) => {
                guard.how = Disposal::Clean;
                // It was checked, if there was need to.
                self.ledger().blurred = false;
            }
            Err(error) => {
                self.fault(&error.fault, guard.session.as_mut());
                self.ledger().untrusted = true;
            }
        }
        self.step(RecoveryStep::Root, result.is_ok());
        if result.is_err() {
            self.undone()?;
        }
        result
    }

    /// How the session has to be given back as things stand.
    pub(super) fn disposal(&self) -> Disposal {
        let ledger = self.ledger();
        if ledger.untrusted {
            return Disposal::Discard;
        }
        match ledger.stage {
            Stage::Idle | Stage::Ended => Disposal::Clean,
            Stage::Beginning => Disposal::Discard,
            Stage::Open => Disposal::RollBack,
        }
    }

    /// Gives up a transaction whose owner is gone. Works in a destructor.
    pub(crate) fn drop_root(&self) {
        let how = self.disposal();
        let unanswered = {
            let mut ledger = self.ledger();
            let open = ledger.stage == Stage::Open;
            ledger.stage = Stage::Ended;
            let unanswered = open && ledger.commit == CommitStep::Sent;
            if open && !unanswered {
                self.metrics().rolled_back.add(1);
            }
            unanswered
        };
        self.turns.notify_waiters();
        // Where a statement or stream still holds the session, its turn gives it up.
        if let Ok(mut session) = self.wire.try_lock() {
            self.finish(session.take(), how);
        } else {
            self.ledger().untrusted = true;
        }
        if unanswered {
            self.find_out_later();
        } else {
            let blurred = self.ledger().blurred;
            self.run_hooks_later(if blurred {
                End::Unknown
            } else {
                End::RolledBack
            });
        }
    }

    pub(super) fn finish(&self, session: Option<D::Session>, how: Disposal) {
        if let Some(session) = session {
            // Out of the books before the session is somebody else's.
            let (ticket, turns) = {
                let mut ledger = self.ledger();
                (ledger.ticket.take(), ledger.turns.give_back())
            };
            drop(ticket);
            if how == Disposal::Discard {
                self.metrics().discarded.add(1);
                self.step(RecoveryStep::Close, true);
            }
            match turns {
                Some(turns) => session.dispose_in_turn(how, turns),
                None => session.dispose(how),
            }
            // After the session has gone back, as who is let in wants one.
            self.leave(how);
        }
    }
}

impl<D: Database> Drop for Transaction<D> {
    fn drop(&mut self) {
        self.drop_root();
    }
}

impl<D: Database> fmt::Debug for Transaction<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// Gives a session back whatever happens.
struct Handback<'a, D: Database> {
    transaction: &'a Transaction<D>,
    session: Option<D::Session>,
    how: Disposal,
}

impl<D: Database> Drop for Handback<'_, D> {
    fn drop(&mut self) {
        self.transaction.finish(self.session.take(), self.how);
    }
}

/// Whether the server may have ended the transaction with this fault, by its nature or by a
/// setting.
fn may_have_ended(fault: &Fault) -> bool {
    let gone = !matches!(fault.effect(), Effect::Statement | Effect::Aborted);
    gone || FaultSet::CONTENTION.contains(fault.kind())
}

/// The failure of a body that returned `Ok` after `cause` had taken its writes away.
pub(crate) fn swallowed(cause: &Failure) -> Failure {
    let mut failure = cause.clone();
    if failure.inner.reason == Reason::Database {
        failure.inner.reason = Reason::Swallowed;
    }
    failure
}
