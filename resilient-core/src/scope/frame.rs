//! Where the running task stands: which call it is in, and in which scope of which database.

use std::{
    any::Any,
    future::Future,
    sync::{Arc, OnceLock},
    time::Instant,
};

use super::{
    CallStatus, Detached, Scope, ScopeId,
    task::{self, InPlace, Slot},
};
use crate::{
    CommitToken,
    admission::Owner,
    driver::{BeginOptions, ContextRef, Database},
    policy::Allowance,
};

/// One call on the task's stack.
pub(crate) struct Frame {
    pub(crate) database: u64,
    pub(crate) place: FramePlace,
    pub(crate) status: Arc<CallStatus>,
    pub(crate) deadline: Option<Instant>,
    /// Retries left to the root and everything in it: nested retries do not multiply.
    pub(crate) allowance: Arc<Allowance>,
    /// Whether a call around this one settles the allowance with the budget.
    pub(crate) settled_outside: bool,
    pub(crate) parent: Option<Arc<Frame>>,
}

pub(crate) enum FramePlace {
    /// A `Scope<D>` of the frame's database.
    Scope(Arc<dyn AnyScope>),
    /// A transaction that nobody has asked for yet.
    Later(Later),
    Detached(Arc<Detached>),
}

/// A root transaction that is opened once something in the call needs it.
pub(crate) struct Later {
    pub(crate) context: ContextRef,
    pub(crate) options: BeginOptions,
    pub(crate) owner: Owner,
    pub(crate) token: Option<CommitToken>,
    pub(crate) scope: OnceLock<Arc<dyn AnyScope>>,
}

impl Later {
    fn open<D: Database>(&self, db: &Arc<D>) -> &Arc<dyn AnyScope> {
        self.scope.get_or_init(|| {
            // The call's own connection; one that shares its pool where that one is gone.
            let owner = self.context.owner::<D>();
            let db = owner.as_ref().unwrap_or(db);
            let scope = Scope::root_of(db, self.options, self.owner);
            if let Some(token) = self.token {
                scope.transaction().verify_by(token.attempt(1));
            }
            Arc::new(scope)
        })
    }
}

/// A scope of whatever database.
pub(crate) trait AnyScope: Any + Send + Sync {
    fn as_any(&self) -> &dyn Any;

    /// Something else has happened since the scope's latest failure, which therefore is not what
    /// the body fails of.
    fn go_on(&self);

    /// Gives it up without waiting.
    fn give_up(&self);
    /// Whether it is in a transaction that has a connection.
    fn holds_session(&self) -> bool;

    /// The key of the engine's only writer, if its transaction is that or waits to be.
    fn writer(&self) -> Option<u64>;
}

impl<D: Database> AnyScope for Scope<D> {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn go_on(&self) {
        self.transaction().ledger().succeeded(self.id());
    }

    fn give_up(&self) {
        self.abandon();
    }

    fn holds_session(&self) -> bool {
        self.transaction().ledger().sent(ScopeId::ROOT)
    }

    fn writer(&self) -> Option<u64> {
        let writes = self.transaction().ledger().turns.writes();
        writes.then_some(self.database().context().writer).flatten()
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
                FramePlace::Later(later) => {
                    if let Some(scope) = later.scope.get() {
                        scope.go_on();
                    }
                }
                FramePlace::Detached(detached) => detached.writing(),
            }
            at.clone_from(&frame.parent);
        }
    }
}

/// The running call is about to fail for a reason of its own, not of what failed in it before.
pub fn fails_by_itself() {
    if let Some(frame) = Frame::current()
        && let Some(scope) = frame.any_scope()
    {
        scope.go_on();
    }
}

impl Frame {
    pub(crate) fn current() -> Option<Arc<Frame>> {
        task::frame()
    }

    /// Whether a call around the running code has a connection of whatever database.
    pub(crate) fn holds_session() -> bool {
        let mut at = Self::current();
        while let Some(frame) = at.take() {
            if frame.any_scope().is_some_and(|scope| scope.holds_session()) {
                return true;
            }
            at.clone_from(&frame.parent);
        }
        false
    }

    /// The innermost frame of a database.
    pub(crate) fn of(database: u64) -> Option<Arc<Frame>> {
        let mut at = Self::current()?;
        while at.database != database {
            at = Arc::clone(at.parent.as_ref()?);
        }
        Some(at)
    }

    /// What the attempts of a call to commit are known by, where the frame was made for its first.
    pub(crate) fn token(&self) -> Option<CommitToken> {
        match &self.place {
            FramePlace::Later(later) => later.token,
            FramePlace::Scope(_) | FramePlace::Detached(_) => None,
        }
    }

    /// The scope, if it has been opened.
    pub(crate) fn any_scope(&self) -> Option<&Arc<dyn AnyScope>> {
        match &self.place {
            FramePlace::Scope(scope) => Some(scope),
            FramePlace::Later(later) => later.scope.get(),
            FramePlace::Detached(_) => None,
        }
    }

    /// The scope, if it has been opened.
    pub(crate) fn scope<D: Database>(&self) -> Option<&Scope<D>> {
        self.any_scope()?.as_any().downcast_ref::<Scope<D>>()
    }

    /// The scope, opened if need be; `db` is a connection to the frame's database.
    pub(crate) fn open<D: Database>(&self, db: &Arc<D>) -> Option<&Scope<D>> {
        let scope = match &self.place {
            FramePlace::Scope(scope) => scope,
            FramePlace::Later(later) => later.open(db),
            FramePlace::Detached(_) => return None,
        };
        scope.as_any().downcast_ref::<Scope<D>>()
    }
}

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
pub fn current<D: Database>(db: &Arc<D>) -> Place<D> {
    match Frame::of(db.context().id) {
        None => Place::Outside,
        Some(frame) => match &frame.place {
            FramePlace::Detached(detached) => Place::Detached(Arc::clone(detached)),
            FramePlace::Scope(_) | FramePlace::Later(_) => match frame.open(db) {
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
            && scope.transaction().options().takes_write_lock()
            && scope.transaction().ledger().sent(ScopeId::ROOT)
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
            && scope.transaction().ledger().sent(ScopeId::ROOT)
        {
            held += 1;
        }
        at.clone_from(&frame.parent);
    }
    held
}

/// The method that a connection of `db` is taken for now: the outermost of those that share the
/// running transaction, as that one holds it until it ends.
pub fn holder<D: Database>(db: &D) -> Option<&'static str> {
    let mut at = Frame::current();
    let mut found = at.as_ref().map(|frame| frame.status.method());
    let mut transaction = None;
    while let Some(frame) = at.take() {
        if frame.database == db.context().id {
            match frame.scope::<D>() {
                Some(scope) => {
                    let this = Arc::as_ptr(scope.transaction());
                    if *transaction.get_or_insert(this) != this {
                        break;
                    }
                    found = Some(frame.status.method());
                }
                None if transaction.is_none() => return Some(frame.status.method()),
                None => break,
            }
        }
        at.clone_from(&frame.parent);
    }
    found
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
                || Arc::new(Allowance::unlimited()),
                |f| Arc::clone(&f.allowance),
            ),
        settled_outside: parent.as_ref().is_some_and(|f| f.settled_outside),
        parent,
    };
    let slot = Slot::of(scope.database().context().hold(), Arc::new(frame));
    InPlace::new(slot, future).await
}
