//! Where the running task stands: which call it is in, and in which scope of which database.

use std::{
    any::Any,
    fmt,
    future::Future,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering},
    },
    time::Instant,
};

use tokio::task::futures::TaskLocalFuture;

use super::{Holder, ScopeId, Transaction, Turn};
use crate::{
    Effect, IsolationLevel, Outcome,
    driver::{BeginOptions, Database},
    failure::{DriverError, Failure, Reason},
    policy::StopReason,
};

tokio::task_local! {
    static CURRENT: Arc<Frame>;
}

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
    /// Opens a transaction. Nothing is sent until its first statement.
    pub fn root(db: &Arc<D>, options: BeginOptions) -> Self {
        Self {
            transaction: Transaction::new(Arc::clone(db), options),
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
        if self.is_root() {
            let result = self.transaction.commit().await;
            if result.is_err() {
                // The first error is what matters; the session is given up either way.
                let _ = self.transaction.roll_back().await;
            }
            return result;
        }
        let refused = {
            let ledger = self.transaction.ledger();
            if !ledger.is_open(self.id) {
                return Err(super::transaction::ended());
            }
            let doom = ledger.doom(self.id).map(super::swallowed);
            // Its owner has not decided, so its work must not become this scope's.
            doom.or_else(|| {
                let undecided = ledger.undecided_below(self.id);
                undecided.then(super::transaction::open_handle)
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
            self.transaction.roll_back().await
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

/// A call without a transaction: what its statements left behind.
#[derive(Debug, Default)]
pub struct Detached {
    wrote: AtomicBool,
    last: Mutex<Option<Failure>>,
}

impl Detached {
    /// A statement that may write is about to be sent, and takes effect at once.
    pub fn writing(&self) {
        self.wrote.store(true, Ordering::Relaxed);
    }

    /// A statement did well.
    pub fn succeeded(&self) {
        *self.last() = None;
    }

    /// A statement failed.
    pub fn failed(&self, error: DriverError) {
        self.failed_of(Failure::database(error));
    }

    pub(crate) fn failed_of(&self, failure: Failure) {
        *self.last() = Some(failure);
    }

    pub(crate) fn wrote(&self) -> bool {
        self.wrote.load(Ordering::Relaxed)
    }

    pub(crate) fn cause(&self) -> Option<Failure> {
        self.last().clone()
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Option<Failure>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an error can still learn about the call it came from, after it was made.
#[derive(Debug)]
pub struct CallStatus {
    method: &'static str,
    attempts: AtomicU32,
    /// 0 while it runs, 1 after success, else 2 plus the outcome.
    end: AtomicU8,
    stop: OnceLock<StopReason>,
    rollback: OnceLock<DriverError>,
    parent: Option<Arc<CallStatus>>,
}

const RUNNING: u8 = 0;
const SUCCEEDED: u8 = 1;

impl CallStatus {
    pub(crate) fn new(method: &'static str, parent: Option<Arc<CallStatus>>) -> Self {
        Self {
            method,
            attempts: AtomicU32::new(1),
            end: AtomicU8::new(RUNNING),
            stop: OnceLock::new(),
            rollback: OnceLock::new(),
            parent,
        }
    }

    pub(crate) fn attempt(&self, number: u32) {
        self.attempts.store(number, Ordering::Relaxed);
    }

    pub(crate) fn succeed(&self) {
        self.end.store(SUCCEEDED, Ordering::Release);
    }

    pub(crate) fn fail(&self, outcome: Outcome, stop: StopReason, rollback: Option<DriverError>) {
        let _ = self.stop.set(stop);
        if let Some(rollback) = rollback {
            let _ = self.rollback.set(rollback);
        }
        self.end.store(2 + outcome as u8, Ordering::Release);
    }

    /// The outermost call that ended in an error and contains this one: the call whose caller
    /// holds the error now.
    fn reached(&self) -> &Self {
        let mut at = self;
        while let Some(parent) = at.parent.as_deref() {
            if parent.end.load(Ordering::Acquire) < 2 {
                break;
            }
            at = parent;
        }
        at
    }

    /// The method that failed.
    pub fn method(&self) -> &'static str {
        self.reached().method
    }

    /// How often its body ran.
    pub fn attempts(&self) -> u32 {
        self.reached().attempts.load(Ordering::Relaxed)
    }

    /// What became of it, once it has ended.
    pub fn outcome(&self) -> Option<Outcome> {
        const ALL: [Outcome; 4] = [
            Outcome::NotSent,
            Outcome::RolledBack,
            Outcome::Committed,
            Outcome::Unknown,
        ];
        let end = self.reached().end.load(Ordering::Acquire);
        ALL.get(usize::from(end).checked_sub(2)?).copied()
    }

    /// Why it was not tried again.
    pub fn stop_reason(&self) -> Option<StopReason> {
        self.reached().stop.get().copied()
    }

    /// The error of its rollback, if that failed.
    pub fn rollback_error(&self) -> Option<&DriverError> {
        self.reached().rollback.get()
    }
}

/// One call on the task's stack.
pub(crate) struct Frame {
    pub(crate) database: u64,
    pub(crate) place: FramePlace,
    pub(crate) status: Arc<CallStatus>,
    pub(crate) deadline: Option<Instant>,
    /// Retries left to the root and everything in it: nested retries do not multiply.
    pub(crate) allowance: Arc<AtomicU32>,
    /// Whether a call around this one settles the allowance with the budget.
    pub(crate) settled_outside: bool,
    pub(crate) parent: Option<Arc<Frame>>,
}

pub(crate) enum FramePlace {
    /// A `Scope<D>` of the frame's database.
    Scope(Arc<dyn AnyScope>),
    Detached(Arc<Detached>),
}

/// A scope of whatever database.
pub(crate) trait AnyScope: Any + Send + Sync {
    fn as_any(&self) -> &dyn Any;

    /// Something else has happened since the scope's latest failure, which therefore is not what
    /// the body fails of.
    fn go_on(&self);
}

impl<D: Database> AnyScope for Scope<D> {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn go_on(&self) {
        self.transaction.ledger().succeeded(self.id);
    }
}

impl Frame {
    /// A transaction is about to be stored for good, inside the running calls but not undone
    /// with them: those without a transaction are not to be repeated, and the others went on
    /// after whatever failed in them before.
    pub(crate) fn stored() {
        let mut at = Self::current();
        while let Some(frame) = at.take() {
            match &frame.place {
                FramePlace::Scope(scope) => scope.go_on(),
                FramePlace::Detached(detached) => detached.writing(),
            }
            at.clone_from(&frame.parent);
        }
    }
}

/// The running call is about to fail for a reason of its own, not of what failed in it before.
pub fn fails_by_itself() {
    if let Some(frame) = Frame::current()
        && let FramePlace::Scope(scope) = &frame.place
    {
        scope.go_on();
    }
}

impl Frame {
    pub(crate) fn current() -> Option<Arc<Frame>> {
        CURRENT.try_with(Arc::clone).ok()
    }

    /// The innermost frame of a database.
    pub(crate) fn of(database: u64) -> Option<Arc<Frame>> {
        let mut at = Self::current()?;
        while at.database != database {
            at = Arc::clone(at.parent.as_ref()?);
        }
        Some(at)
    }

    pub(crate) fn scope<D: Database>(&self) -> Option<&Scope<D>> {
        match &self.place {
            FramePlace::Scope(scope) => scope.as_any().downcast_ref::<Scope<D>>(),
            FramePlace::Detached(_) => None,
        }
    }

    /// Makes this the frame of `future`.
    pub(crate) fn enter<F: Future>(self: Arc<Self>, future: F) -> InFrame<F> {
        CURRENT.scope(self, future)
    }
}

impl Frame {
    /// Runs `f` in this frame, at once.
    pub(crate) fn enter_now<T>(self: Arc<Self>, f: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(self, f)
    }
}

/// A future with a frame of its own.
pub(crate) type InFrame<F> = TaskLocalFuture<Arc<Frame>, F>;

/// Where a statement on a database belongs.
#[derive(Debug)]
pub enum Place<D: Database> {
    /// In this scope.
    Scope(Scope<D>),
    /// In a call that has no transaction.
    Detached(Arc<Detached>),
    /// Outside of every call.
    Outside,
}

/// Where a statement that the running task sends to `db` belongs.
pub fn current<D: Database>(db: &D) -> Place<D> {
    match Frame::of(db.context().id) {
        None => Place::Outside,
        Some(frame) => match &frame.place {
            FramePlace::Detached(detached) => Place::Detached(Arc::clone(detached)),
            FramePlace::Scope(_) => match frame.scope::<D>() {
                Some(scope) => Place::Scope(scope.clone()),
                None => Place::Outside,
            },
        },
    }
}

/// Whether a transaction of `db` around the running call took the write lock at BEGIN.
pub fn write_lock_held_by_task<D: Database>(db: &D) -> bool {
    let mut at = Frame::current();
    while let Some(frame) = at.take() {
        if frame.database == db.context().id
            && let Some(scope) = frame.scope::<D>()
            && scope.is_root()
            && scope.transaction.options().takes_write_lock()
            && scope.transaction.ledger().sent(ScopeId::ROOT)
        {
            return true;
        }
        at.clone_from(&frame.parent);
    }
    false
}

/// How many connections of `db` the calls around the running one hold.
pub fn held_by_task<D: Database>(db: &D) -> u32 {
    let mut held = 0;
    let mut at = Frame::current();
    while let Some(frame) = at.take() {
        if frame.database == db.context().id
            && let Some(scope) = frame.scope::<D>()
            && scope.is_root()
            && scope.transaction.ledger().sent(ScopeId::ROOT)
        {
            held += 1;
        }
        at.clone_from(&frame.parent);
    }
    held
}

impl CallStatus {
    /// The status of the call that the running task is in.
    pub fn current() -> Option<Arc<Self>> {
        Frame::current().map(|frame| Arc::clone(&frame.status))
    }
}

/// Runs a future with `scope` as the place of its statements.
pub async fn within<D: Database, T>(scope: &Scope<D>, future: impl Future<Output = T>) -> T {
    let parent = Frame::current();
    let status = match &parent {
        Some(frame) => Arc::clone(&frame.status),
        None => Arc::new(CallStatus::new("transaction", None)),
    };
    let frame = Frame {
        database: scope.database().context().id,
        place: FramePlace::Scope(Arc::new(scope.clone())),
        status,
        deadline: parent.as_ref().and_then(|f| f.deadline),
        allowance: parent
            .as_ref()
            // Nothing retries this scope, so calls in it have their own retries to spend.
            .map_or_else(
                || Arc::new(AtomicU32::new(u32::MAX)),
                |f| Arc::clone(&f.allowance),
            ),
        settled_outside: parent.as_ref().is_some_and(|f| f.settled_outside),
        parent,
    };
    Arc::new(frame).enter(future).await
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
