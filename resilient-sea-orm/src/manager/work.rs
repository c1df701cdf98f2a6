//! A unit of work while it runs.

use resilient_core::{
    health::managed::End,
    scope::{Place, Scope, current},
};

use super::session::Shared;
use crate::pool::Pool;

/// A unit of work of a session. Dropped without an end, it was cancelled, or panicked.
pub(super) struct Unit<'a> {
    shared: &'a Shared,
    number: u64,
    ended: bool,
}

impl<'a> Unit<'a> {
    pub(super) fn begin(shared: &'a Shared, method: &'static str) -> Self {
        shared.state.begin(shared.now(), method);
        let mut running = shared.running();
        running.next += 1;
        Self {
            number: running.next,
            shared,
            ended: false,
        }
    }

    /// An attempt begins: who recovers the session finds its transaction from now on.
    pub(super) fn entered(&self) {
        if let Place::Scope(scope) = current(&self.shared.db.pool) {
            self.shared.running().scopes.insert(self.number, scope);
        }
    }

    /// It has ended; answers whether that cost its connection, and nobody around it recovers the
    /// session.
    pub(super) fn end(mut self, committed: bool) -> bool {
        self.ended = true;
        let scope = self.leave();
        let how = if committed {
            End::Committed
        } else {
            let lost = scope.is_some_and(|scope| scope.lost_session().is_some());
            End::Failed { lost }
        };
        self.shared.state.end(self.shared.now(), how);
        how == End::Failed { lost: true } && !self.shared.inside()
    }

    fn leave(&self) -> Option<Scope<Pool>> {
        self.shared.running().scopes.remove(&self.number)
    }
}

impl Drop for Unit<'_> {
    fn drop(&mut self) {
        if !self.ended {
            drop(self.leave());
            self.shared.state.end(self.shared.now(), End::Cancelled);
        }
    }
}
