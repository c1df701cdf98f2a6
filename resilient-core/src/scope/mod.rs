//! Transactions, the scopes nested in them, and the task's place among these.

mod admitted;
mod committing;
mod detached;
mod frame;
mod hooks;
mod ledger;
mod refusal;
mod scoped;
mod seen;
mod status;
mod transaction;
mod turn;
mod unwind;

pub use detached::Detached;
pub(crate) use frame::{Frame, FramePlace, InFrame};
pub use frame::{
    Place, current, fails_by_itself, held_by_task, holder, within, write_lock_held_by_task,
};
pub use hooks::{HookError, HookKind, HookResult};
pub(crate) use ledger::Holder;
pub use ledger::ScopeId;
pub use scoped::Scope;
pub use status::CallStatus;
pub use transaction::Transaction;
pub(crate) use transaction::swallowed;
pub use turn::{Flow, Turn};
