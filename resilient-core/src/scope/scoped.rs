//! [`Scope`]: a transaction or savepoint, as a handle.

use std::{fmt, sync::Arc, time::Instant};

use super::{Frame, Holder, ScopeId, Transaction, Turn, committing::boxed, hooks::End};
use crate::{
    CommitMode, CommitToken, Effect, FaultKind, IsolationLevel, Outcome,
    admission::Owner,
    driver::{BeginOptions, Database},
    failure::{DriverError, Failure, Reason},
};

/// A scope of a transaction: what statements run in.
pub struct Scope<D: Database> {
    transaction: Arc<Transaction<D>>,
    id: ScopeId,
}

impl<D: Database> Clone for Scope<D> {
    fn clone(&self) -> Self {
        Self {
            transaction: Arc::clone(&self.transaction),
            id: self.id,
        }
    }
}

impl<D: Database> Scope<D> {
    /// Opens a transaction. Nothing is sent until its first statement. Its commit is a verified
    /// one if that is what the database's context says.
    pub fn root(db: &Arc<D>, options: BeginOptions) -> Self {
        let scope = Self::root_of(db, options, Owner::default());
        if db.context().verify.mode == CommitMode::Verified {
            scope.transaction.verify_by(CommitToken::new().attempt(1));
        }
        scope
    }

    /// The same for a method's call.
    pub(crate) fn root_of(db: &Arc<D>, options: BeginOptions, owner: Owner) -> Self {
        Self {
            transaction: Transaction::new(Arc::clone(db), options, owner),
            id: ScopeId::ROOT,
        }
    }

    /// Opens a savepoint that a handle owns.
    ///
    /// # Errors
    /// When this scope has ended, or its transaction is weaker than `isolation`.
    pub fn handle(&self, isolation: Option<IsolationLevel>) -> Result<Self, Failure> {
        self.check_isolation(isolation)?;
        self.nested(Holder::Handle)
    }

    /// A running transaction cannot be made stricter.
    pub(crate) fn check_isolation(&self, wanted: Option<IsolationLevel>) -> Result<(), Failure> {
        let default = self.database().context().default_isolation;
        let has = self.transaction.options().isolation.unwrap_or(default);
        match wanted {
            Some(wanted) if wanted > has => Err(Failure::misuse(format!(
                "isolation \"{wanted}\" was asked for inside a transaction that has \"{has}\", \
                 and a running transaction cannot change it: ask for it on the outermost \
                 method too, or use propagation = \"requires_new\""
            ))),
            _ => Ok(()),
        }
    }

    pub(crate) fn nested(&self, holder: Holder) -> Result<Self, Failure> {
        Ok(Self {
            transaction: Arc::clone(&self.transaction),
            id: self.transaction.open_scope(self.id, holder)?,
        })
    }

    pub(crate) fn transaction(&self) -> &Arc<Transaction<D>> {
        &self.transaction
    }

    /// The transaction's database.
    pub fn database(&self) -> &Arc<D> {
        self.transaction.database()
    }

    pub(crate) fn id(&self) -> ScopeId {
        self.id
    }

    /// Whether it is a transaction of its own, not a savepoint.
    pub fn is_root(&self) -> bool {
        self.id == ScopeId::ROOT
    }

    /// Waits until this scope may send a statement, and sends what must go before it: BEGIN at
    /// first, savepoints that it needs, rollbacks that are due.
    ///
    /// `stream` keeps the session for as long as the turn lives; meanwhile other statements of
    /// the transaction are refused instead of waiting for their own caller.
    ///
    /// # Errors
    /// The scope is lost or has ended, no connection can be had, a control statement failed,
    /// or the wait would be for the caller itself.
    ///
    /// # Cancel safety
    /// Dropping the future while a control statement is under way loses the transaction; it
    /// cannot commit any more. Before that, nothing happens.
    pub async fn turn(&self, stream: bool) -> Result<Turn<D>, Failure> {
        let frame = Frame::of(self.database().context().id);
        let caller = frame
            .as_ref()
            .and_then(|frame| frame.scope::<D>())
            .filter(|scope| Arc::ptr_eq(&scope.transaction, &self.transaction))
            .map(|scope| scope.id);
        if let Some(inner) = caller
            && inner != self.id
            && self.transaction.ledger().contains(self.id, inner)
        {
            return Err(Failure::misuse(
                "a handle of the surrounding transaction was used inside a nested method, which \
                 would wait for itself: use the connection there, not the outer handle",
            ));
        }
        self.transaction.turn(self.id, caller, stream).await
    }

    /// Commits the transaction, or ends the savepoint.
    ///
    /// # Errors
    /// When its work is lost or its fate is unknown, as the failure's outcome says.
    pub async fn commit(&self) -> Result<(), Failure> {
        let frame = Frame::of(self.database().context().id);
        self.commit_until(frame.and_then(|frame| frame.deadline))
            .await
    }

    /// The same for a call with a deadline, which bounds how long a lost answer is looked for.
    pub(crate) async fn commit_until(&self, deadline: Option<Instant>) -> Result<(), Failure> {
        if self.is_root() {
            let mut result = self.transaction.commit(deadline).await;
            // The first error is what matters, and the session is given up either way, unless it
            // turns out that the work may be stored.
            if let Err(failure) = &result
                && let Err(error) = boxed(self.transaction.roll_back()).await
                && error.fault.kind() == FaultKind::CommitUnknown
                && failure.outcome() != Outcome::Unknown
            {
                result = Err(Failure::commit_unknown(error));
            }
            let end = match &result {
                Ok(()) => End::Committed,
                Err(failure) if failure.outcome() == Outcome::Unknown => End::Unknown,
                Err(_) => End::RolledBack,
            };
            self.transaction.run_hooks(end).await;
            return result;
        }
        let refused = {
            let ledger = self.transaction.ledger();
            if !ledger.is_open(self.id) {
                return Err(super::refusal::ended());
            }
            let doom = ledger.doom(self.id).map(super::swallowed);
            // Its owner has not decided, so its work must not become this scope's.
            doom.or_else(|| {
                let undecided = ledger.undecided_below(self.id);
                undecided.then(super::refusal::open_handle)
            })
        };
        match refused {
            None => {
                self.transaction.release(self.id);
                Ok(())
            }
            Some(mut failure) => {
                // What led here is what matters; that its rollback failed is attached to it.
                if let Err(error) = self.transaction.roll_back_to(self.id).await {
                    failure.inner.fault.set_effect(Effect::Transaction);
                    failure = failure.with_rollback_error(Some(error));
                }
                Err(failure)
            }
        }
    }

    /// Rolls the transaction, or the savepoint, back.
    ///
    /// # Errors
    /// When the server did not do it. The session is discarded then, so a root's work is undone
    /// all the same, and a savepoint's transaction is lost.
    pub async fn roll_back(&self) -> Result<(), DriverError> {
        if self.is_root() {
            let result = self.transaction.roll_back().await;
            let end = match &result {
                // It had ended before, by other hands.
                Err(error) if error.fault.kind() == FaultKind::CommitUnknown => End::Unknown,
                _ => End::RolledBack,
            };
            self.transaction.run_hooks(end).await;
            result
        } else {
            self.transaction.roll_back_to(self.id).await
        }
    }

    /// Gives the scope up without waiting; for destructors.
    pub fn abandon(&self) {
        if self.is_root() {
            self.transaction.drop_root();
        } else {
            self.transaction.abandon(self.id);
        }
    }

    /// Says that its transaction is meant to be open for long: the age after which it would be
    /// ended begins anew.
    pub fn refresh(&self) {
        self.transaction.refresh();
    }

    /// Marks the scope as unable to commit.
    pub(crate) fn doom(&self, failure: Failure) {
        self.transaction.ledger().doom_scope(self.id, failure);
    }
}

impl<D: Database> fmt::Debug for Scope<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Failure {
    pub(crate) fn joined_call_failed(cause: Option<Failure>) -> Self {
        let mut failure = cause.unwrap_or_else(|| {
            Self::local(
                Reason::JoinedCallFailed,
                crate::FaultKind::Other,
                Effect::Statement,
            )
        });
        failure.inner.reason = Reason::JoinedCallFailed;
        failure
    }
}
