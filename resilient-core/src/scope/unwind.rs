//! A transaction ended by somebody who is not its owner: a session that is recovered.

use std::sync::Arc;

use super::{
    Scope,
    ledger::{CommitStep, Stage},
    refusal,
    transaction::Transaction,
};
use crate::{
    Effect, Failure, FaultKind,
    driver::{Database, Disposal},
    health::recovery::RecoveryStep,
};

impl<D: Database> Transaction<D> {
    /// Rolls it back, and answers which steps that took; none where there was nothing to undo, or
    /// COMMIT is under way and decides by itself.
    pub(crate) async fn recover(self: &Arc<Self>) -> Vec<(RecoveryStep, bool)> {
        let open = {
            let mut ledger = self.ledger();
            if ledger.commit == CommitStep::Sent || ledger.stage == Stage::Ended {
                return Vec::new();
            }
            ledger.doom_root(refusal::recovered(self.owner.method));
            ledger.stage == Stage::Open
        };
        // Whoever waits for its turn sees that there is none to come.
        self.turns.notify_waiters();
        let Ok(session) = Arc::clone(&self.wire).try_lock_owned() else {
            // In the middle of a statement nothing can be sent: its answer, or its being dropped,
            // closes the connection.
            self.drop_root();
            self.step(RecoveryStep::Root, false);
            return vec![(RecoveryStep::Root, false), (RecoveryStep::Close, true)];
        };
        let trusted = self.disposal() != Disposal::Discard;
        let rolled_back = self.roll_back_with(session).await.is_ok() && trusted;
        match (open, rolled_back) {
            (false, _) => Vec::new(),
            (true, true) => vec![(RecoveryStep::Root, true)],
            (true, false) => vec![(RecoveryStep::Root, false), (RecoveryStep::Close, true)],
        }
    }
}

impl<D: Database> Scope<D> {
    /// Rolls the whole transaction back for somebody who is not its owner, whose next statement
    /// in it fails with `session_expired` and is not retried. Where the server does not roll it
    /// back, or a statement is under way, the connection is closed. Answers the steps it took,
    /// and which of them worked.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection.
    pub async fn recover(&self) -> Vec<(RecoveryStep, bool)> {
        self.transaction().recover().await
    }

    /// The fault that cost the transaction its connection, or never gave it one, if that is what
    /// happened. A pool without a free connection is none.
    pub fn lost_session(&self) -> Option<FaultKind> {
        let ledger = self.transaction().ledger();
        let kind = match ledger.root_doom().map(Failure::fault) {
            Some(fault) => {
                let lost = matches!(fault.effect(), Effect::Connection | Effect::Unknown);
                (lost || ledger.untrusted).then(|| fault.kind())?
            }
            // Nothing had gone wrong before the rollback.
            None => ledger.untrusted.then_some(FaultKind::ConnectionLost)?,
        };
        (kind != FaultKind::PoolTimeout).then_some(kind)
    }
}
