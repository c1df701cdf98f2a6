//! Where a transaction passes its method's gate, and where it leaves it.

use std::sync::{Arc, atomic::Ordering};

use super::{Frame, ScopeId, transaction::Transaction};
use crate::{
    Failure, FaultKind, FaultSet,
    admission::{Ended, Gate, Permit},
    driver::{BeginOptions, Database, Disposal},
};

impl<D: Database> Transaction<D> {
    fn gate(&self) -> Option<Arc<Gate>> {
        let context = self.db.context();
        let method = self.owner.gated()?;
        Some(context.gates.of(method, &context.clock))
    }

    /// Waits for a place at the gate, if there is one. A task that has a transaction open
    /// already goes through: who is inside could be waiting for it.
    pub(super) async fn admitted(&self) -> Option<Permit> {
        let gate = self.gate()?;
        if Frame::holds_session() {
            return None;
        }
        match gate.try_enter() {
            Some(permit) => Some(permit),
            // Rare, and not to make every call's future larger.
            None => Some(Box::pin(gate.enter()).await),
        }
    }

    /// How the transaction begins, with how long it waits for locks.
    pub(super) fn begin_options(&self) -> BeginOptions {
        let options = self.impatient_options();
        let derived = self.owner.repeats_lock_timeouts && options.lock_timeout.is_some();
        self.impatient.store(derived, Ordering::Relaxed);
        options
    }

    fn impatient_options(&self) -> BeginOptions {
        let mut options = self.options;
        if !self.db.limits_lock_waits() {
            options.lock_timeout = None;
            return options;
        }
        if options.lock_timeout.is_none() && self.owner.repeats_lock_timeouts {
            let limit = self.gate().and_then(|gate| gate.lock_timeout());
            options.lock_timeout = limit.filter(|l| options.time_left.is_none_or(|t| *l < t));
        }
        options
    }

    /// Whether `scope` failed of a lock timeout that nobody asked for, or may have.
    pub(crate) fn lock_timeout_is_derived(&self, scope: ScopeId) -> bool {
        let late = |cause: &Failure| cause.kind() == FaultKind::LockTimeout;
        self.impatient.load(Ordering::Relaxed) && self.ledger().cause(scope).is_some_and(late)
    }

    /// Gives up the place at the gate, if it has one.
    pub(super) fn leave(&self, how: Disposal) {
        let (permit, ended) = {
            let mut ledger = self.ledger();
            (ledger.permit.take(), ended(ledger.root_doom(), how))
        };
        if let Some(permit) = permit {
            permit.end(ended);
        }
    }
}

fn ended(doom: Option<&Failure>, how: Disposal) -> Ended {
    match doom.map(Failure::kind) {
        Some(FaultKind::Deadlock | FaultKind::LockTimeout) => Ended::Contended { waited: true },
        Some(kind) if FaultSet::CONTENTION.contains(kind) => Ended::Contended { waited: false },
        Some(FaultKind::StatementTimeout) => Ended::Void,
        Some(kind) if FaultSet::CONNECTION.contains(kind) => Ended::Void,
        // Dropped: nobody knows how long it would have taken.
        None if how != Disposal::Clean => Ended::Void,
        _ => Ended::Done,
    }
}
