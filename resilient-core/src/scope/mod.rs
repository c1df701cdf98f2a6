//! Transactions, the scopes nested in them, and the task's place among these.

mod frame;
mod ledger;
mod transaction;
mod turn;

pub use frame::{
    CallStatus, Detached, Place, Scope, current, fails_by_itself, held_by_task, within,
    write_lock_held_by_task,
};
pub(crate) use frame::{Frame, FramePlace, InFrame};
pub(crate) use ledger::Holder;
pub use ledger::ScopeId;
pub use transaction::Transaction;
pub(crate) use transaction::swallowed;
pub use turn::{Flow, Turn};
