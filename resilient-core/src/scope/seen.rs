//! A transaction as others see it: in the registry of open ones, by the circuit breaker, and by
//! who ends it for its age.

use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use super::{
    ledger::{CommitStep, Stage},
    refusal,
    transaction::Transaction,
};
use crate::{
    Fault, FaultKind,
    driver::{Database, Session},
    failure::Failure,
    health::{recovery::RecoveryStep, sessions::End, speaks_against_others},
};

impl<D: Database> Transaction<D> {
    /// The transaction has begun: it can be seen from now on.
    pub(super) fn register(self: &Arc<Self>, server_pid: Option<u64>) {
        let context = self.db.context();
        let owner: Weak<dyn End> = Arc::downgrade(self) as Weak<dyn End>;
        let now = context.clock.now();
        let ticket = context
            .sessions
            .enter(self.owner.method, server_pid, now, owner);
        self.ledger().ticket = Some(ticket);
    }

    /// Its owner says that it is meant to be open for long.
    pub(crate) fn refresh(&self) {
        let now = self.db.context().clock.now();
        if let Some(ticket) = &self.ledger().ticket {
            ticket.refresh(now);
        }
    }

    /// Tells the circuit breaker of a fault, and the session's pool if others will fail in the same
    /// way. A write in a transaction that is declared read-only says nothing about the server.
    #[cold]
    pub(super) fn fault(&self, fault: &Fault, session: Option<&mut D::Session>) {
        if let Some(session) = session
            && speaks_against_others(fault, self.options.read_only)
        {
            session.distrust();
        }
        let declared = self.options.read_only && fault.kind() == FaultKind::ReadOnly;
        if let Some(breaker) = self.db.context().vitals.breaker()
            && !declared
        {
            breaker.fault(fault.kind());
        }
    }

    /// Counts a step back to a known state. One that cannot be taken, as the session is lost, was
    /// tried in vain: the next one follows.
    #[cold]
    pub(super) fn step(&self, step: RecoveryStep, succeeded: bool) {
        self.db.context().vitals.recovery().step(step, succeeded);
    }

    /// Ends it between two statements, with the session in hand: its locks are given up at once.
    fn end_now(&self, session: &mut Option<D::Session>) {
        let how = self.disposal();
        {
            let mut ledger = self.ledger();
            if ledger.stage == Stage::Open {
                self.metrics().rolled_back.add(1);
            }
            ledger.stage = Stage::Ended;
        }
        self.finish(session.take(), how);
    }

    fn doom(&self, why: Failure) {
        self.ledger().doom_root(why);
    }
}

impl<D: Database> End for Transaction<D> {
    fn end(&self, age: Duration, limit: Duration) {
        {
            let mut ledger = self.ledger();
            // A COMMIT that is under way decides by itself.
            if ledger.commit == CommitStep::Sent {
                return;
            }
            ledger.doom_root(refusal::expired(self.owner.method, age, limit));
        }
        // A statement under way ends first.
        if let Ok(mut session) = self.wire.try_lock() {
            self.end_now(&mut session);
        }
        self.turns.notify_waiters();
    }

    fn is_busy(&self) -> bool {
        self.wire.try_lock().is_err()
    }

    fn end_idle(&self, now: Instant, limit: Duration) -> bool {
        {
            let Ok(mut session) = self.wire.try_lock() else {
                return false;
            };
            // A statement may have come and gone since it was judged.
            let idle = self.ledger().ticket.as_ref().map(|ticket| ticket.idle(now));
            let Some(idle) = idle.filter(|idle| *idle >= limit) else {
                return false;
            };
            self.doom(refusal::idle(self.owner.method, idle, limit));
            self.end_now(&mut session);
        }
        self.turns.notify_waiters();
        true
    }
}
