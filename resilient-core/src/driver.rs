//! The small traits between the framework and a database driver.

mod context;
mod shared;

use std::{fmt, future::Future, sync::Arc, time::Duration};

pub use context::{Context, WireLimits};
pub(crate) use shared::ContextRef;
pub use shared::SharedContext;

use crate::{
    Failure, IsolationLevel,
    commit::{CommitStatus, CommitToken},
    failure::DriverError,
    time::Spare,
    turns::HeldTurns,
};

/// How a root transaction begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BeginOptions {
    /// The isolation level; the server's default if `None`.
    pub isolation: Option<IsolationLevel>,
    /// `READ ONLY`.
    pub read_only: bool,
    /// When the write lock is taken, on engines that have one for the whole database.
    pub locking: Locking,
    /// The time left to the call, for the server's own statement timeout.
    pub time_left: Option<Duration>,
    /// How long a statement may wait for a lock; as the session has it if `None` or if that is
    /// shorter.
    pub lock_timeout: Option<Duration>,
}

impl BeginOptions {
    /// Whether BEGIN itself takes the one write lock of an embedded engine.
    pub fn takes_write_lock(&self) -> bool {
        !self.read_only && self.locking != Locking::Deferred
    }
}

/// When a transaction takes the one write lock of an embedded engine (SQLite). Other engines
/// ignore it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Locking {
    /// At BEGIN, unless the transaction is read-only: waiting in line costs less than starting
    /// over. The default.
    #[default]
    Immediate,
    /// At the first write. A transaction that has read before can then fail and start over.
    Deferred,
    /// At BEGIN, and readers are kept out too where the journal mode allows it.
    Exclusive,
}

/// A transaction control statement. Savepoints are numbered within their transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// `BEGIN`
    Begin(BeginOptions),
    /// `SAVEPOINT`
    Savepoint(u32),
    /// `RELEASE SAVEPOINT`
    Release(u32),
    /// `ROLLBACK TO SAVEPOINT` and its release
    RollbackTo(u32),
    /// `COMMIT`
    Commit,
    /// A verified commit: the marker row of this token, then `COMMIT`. The marker must be part of
    /// the transaction that was begun, or not be written at all.
    CommitVerified(CommitToken),
    /// `ROLLBACK`, whatever the transaction's state
    Rollback,
    /// `ROLLBACK` of a transaction that must still be the one that was begun. Where the server
    /// can tell that it is not (a stored routine committed it), that is an error: work may be
    /// stored. COMMIT is checked in the same way.
    RollbackChecked,
}

impl Control {
    /// Whether the transaction is over after it.
    pub fn ends(&self) -> bool {
        self.is_commit() || matches!(self, Self::Rollback | Self::RollbackChecked)
    }

    /// Whether it is a COMMIT, of either kind.
    pub fn is_commit(&self) -> bool {
        matches!(self, Self::Commit | Self::CommitVerified(_))
    }
}

/// How a session goes back to its pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposal {
    /// No transaction is open on it.
    Clean,
    /// A transaction is open and the session answers: roll it back first.
    RollBack,
    /// It was left in the middle of an exchange, or its state is not known.
    Discard,
}

/// One connection, checked out of its pool.
pub trait Session: fmt::Debug + Send + 'static {
    /// Sends the steps in order, in one round trip where the protocol allows it.
    ///
    /// # Errors
    /// The first step that failed. Later ones were not executed.
    fn control(
        &mut self,
        steps: &[Control],
    ) -> impl Future<Output = Result<(), DriverError>> + Send;

    /// Adds to the error of a refused COMMIT what only more questions tell, such as which deferred
    /// constraint it was. The refusal is booked before this is asked for, so whatever becomes of
    /// it changes nothing.
    fn explain(&mut self, error: DriverError) -> impl Future<Output = DriverError> + Send {
        async { error }
    }

    /// Its process or thread on the server, where the driver can tell without asking.
    fn server_pid(&self) -> Option<u64> {
        None
    }

    /// Whether it comes from a pool that did not ask whether it still lives. If BEGIN finds it lost,
    /// another one is taken instead, once.
    fn may_be_stale(&self) -> bool {
        false
    }

    /// The timer of waits for its answers, where it keeps one from one wait to the next.
    fn spare_timer(&mut self) -> Option<&mut Spare> {
        None
    }

    /// It failed with a fault that
    /// [speaks against](crate::health::speaks_against_others) every session that is not younger:
    /// none of those should be handed out again.
    fn distrust(&mut self) {}

    /// Gives the session back without waiting. Must work in a destructor.
    fn dispose(self, how: Disposal);

    /// The same for one whose transaction was in its turn: `turns` are to be dropped when the
    /// transaction has ended, which can be later where that is left to a task.
    fn dispose_in_turn(self, how: Disposal, turns: HeldTurns)
    where
        Self: Sized,
    {
        self.dispose(how);
        drop(turns);
    }
}

/// A database that transactions can be opened on.
pub trait Database: fmt::Debug + Send + Sync + 'static {
    /// Its connections.
    type Session: Session;
    /// The error users see.
    type Error: From<Failure> + Send;

    /// Refuses a transaction that could only wait for the calls it is made in. Asked before
    /// [`acquire`](Self::acquire).
    ///
    /// # Errors
    /// What the wait would be for, and what to do instead.
    fn check_own_wait(&self, options: &BeginOptions) -> Result<(), Failure> {
        let _ = options;
        Ok(())
    }

    /// How long a transaction waits for its turn at most; by default as long as for a statement.
    fn patience(&self) -> Duration {
        self.context().limits().statement
    }

    /// Whether [`BeginOptions::lock_timeout`] means anything to it; it does by default.
    fn limits_lock_waits(&self) -> bool {
        true
    }

    /// Takes a connection from the pool.
    ///
    /// # Errors
    /// When none can be had; the fault says why.
    fn acquire(&self) -> impl Future<Output = Result<Self::Session, DriverError>> + Send;

    /// Puts the fence of a verified commit, on a connection of its own and stored at once: the
    /// token's row, marked as a fence, unless there is a row already. Waits for a transaction
    /// that has written that row and has not ended. Answers by the row that stands then: the
    /// transaction's own says that it committed, a fence's that it never will.
    ///
    /// # Errors
    /// When nobody can tell yet. By default, that the driver cannot do it.
    ///
    /// # Cancel safety
    /// It can be asked again after having been dropped.
    fn fence(
        &self,
        token: CommitToken,
    ) -> impl Future<Output = Result<CommitStatus, DriverError>> + Send {
        let _ = token;
        async {
            let fault = crate::Fault::new(crate::FaultKind::Other, crate::Effect::Statement);
            Err(DriverError::from(fault).with_advice("this driver has no verified commits"))
        }
    }

    /// Deletes markers that are older than their retention, in the background and without being
    /// in anybody's way. Called after verified commits, at most once a minute.
    fn tidy(self: &Arc<Self>) {}

    /// What calls on this database share.
    fn context(&self) -> &SharedContext;
}
