//! Transactions, the scopes nested in them, and the task's place among these.

mod admitted;
mod committing;
mod detached;
mod frame;
mod grant;
mod hooks;
mod in_turn;
mod ledger;
mod refusal;
mod scoped;
mod seen;
mod status;
pub(crate) mod task;
mod transaction;
mod turn;
mod unwind;

pub use detached::Detached;
pub(crate) use frame::{Frame, FramePlace, Later};
pub use frame::{
    Place, current, fails_by_itself, held_by_task, holder, within, write_lock_held_by_task,
};
pub use hooks::{HookError, HookKind, HookResult};
pub use in_turn::writers_turn;
pub(crate) use ledger::Holder;
pub use ledger::ScopeId;
pub use scoped::Scope;
pub use status::CallStatus;
pub use transaction::Transaction;
pub(crate) use transaction::swallowed;
pub use turn::{Flow, Turn};
