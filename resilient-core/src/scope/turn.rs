//! One statement's turn on a transaction's connection.

use std::{
    fmt, mem,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::OwnedMutexGuard;

use super::{
    committing::boxed,
    ledger::{CommitStep, ScopeId, Stage},
    refusal::{self, ended},
    transaction::Transaction,
};
use crate::{
    Effect, Fault, FaultKind, Outcome,
    driver::{Control, Database, Disposal, Session},
    failure::{DriverError, Failure, Reason},
    health::{breaker::Breaker, recovery::RecoveryStep},
    time::in_time_with,
};

/// The right to send one statement. Dropping it unfinished (the statement's future was
/// cancelled) means the answer is still outstanding: the transaction is lost.
pub struct Turn<D: Database> {
    transaction: Arc<Transaction<D>>,
    scope: ScopeId,
    session: Option<OwnedMutexGuard<Option<D::Session>>>,
    /// Something was sent and its answer is outstanding.
    on_wire: bool,
    streaming: bool,
}

/// Whether the rows of a stream have begun to come.
#[derive(Debug)]
pub struct Flow<'a>(&'a mut bool);

impl Flow<'_> {
    /// A row has come: dropping the turn now only leaves rows unread, which the driver skips.
    pub fn flowing(&mut self) {
        *self.0 = false;
    }
}

impl<D: Database> Turn<D> {
    pub(super) fn new(
        transaction: &Arc<Transaction<D>>,
        scope: ScopeId,
        session: OwnedMutexGuard<Option<D::Session>>,
    ) -> Self {
        Self {
            transaction: Arc::clone(transaction),
            scope,
            session: Some(session),
            on_wire: false,
            streaming: false,
        }
    }

    /// The turn is a stream's: it ends the transaction's streaming when dropped.
    pub(super) fn streams(&mut self) {
        self.streaming = true;
    }

    /// Sends BEGIN, savepoints and rollbacks that are due before the statement.
    pub(super) async fn prepare(&mut self, mut steps: Vec<Control>) -> Result<(), Failure> {
        let transaction = Arc::clone(&self.transaction);
        let begins = transaction.ledger().stage == Stage::Idle;
        if begins {
            if let Err(refusal) = transaction
                .database()
                .check_own_wait(&transaction.options())
            {
                transaction.ledger().doom_root(refusal.clone());
                return Err(refusal);
            }
            self.acquire_to_begin().await?;
            steps.insert(0, Control::Begin(transaction.begin_options()));
        }
        if steps.is_empty() {
            return Ok(());
        }
        let answer = if begins {
            self.begin(&steps).await?
        } else {
            self.control(&steps).await
        };
        match answer {
            Ok(()) => {
                let made = {
                    let mut ledger = transaction.ledger();
                    ledger.stage = Stage::Open;
                    ledger.materialised(self.scope, &steps)
                };
                if begins {
                    transaction.metrics().begun.add(1);
                    let session = self.session.as_ref().and_then(|slot| slot.as_ref());
                    transaction.register(session.and_then(Session::server_pid));
                }
                transaction.metrics().savepoints.add(made);
                Ok(())
            }
            Err(error) => {
                let mut ledger = transaction.ledger();
                // A BEGIN that was refused, and set nothing, leaves a session without a
                // transaction; anything else leaves one that is not known.
                let options = match steps.first() {
                    Some(Control::Begin(options)) => *options,
                    _ => transaction.options(),
                };
                let plain = options.isolation.is_none()
                    && options.time_left.is_none()
                    && options.lock_timeout.is_none()
                    && !options.read_only;
                let refused = begins
                    && plain
                    && steps.len() == 1
                    && matches!(
                        error.fault.effect(),
                        Effect::Statement | Effect::Transaction
                    );
                if refused {
                    ledger.stage = Stage::Idle;
                    ledger.untrusted = false;
                }
                let mut failure = Failure::database(error);
                if begins {
                    failure = failure.with_outcome(Outcome::NotSent);
                }
                ledger.doom_root(failure.clone());
                Err(failure)
            }
        }
    }

    /// Sends BEGIN, on another connection if this one was lost before: nothing was said on it yet.
    ///
    /// # Errors
    /// When there is no other one.
    async fn begin(&mut self, steps: &[Control]) -> Result<Result<(), DriverError>, Failure> {
        let session = self.session.as_ref().and_then(|slot| slot.as_ref());
        if !session.is_some_and(Session::may_be_stale) {
            return Ok(self.control(steps).await);
        }
        let result = self.send(steps).await;
        // Silence has no source: the next one may be as silent.
        let lost =
            |e: &DriverError| e.fault.kind() == FaultKind::ConnectionLost && e.source.is_some();
        if !result.as_ref().is_err_and(lost) {
            self.book(steps, &result);
            return Ok(result);
        }
        let transaction = Arc::clone(&self.transaction);
        if let Some(mut session) = self.take_session() {
            session.distrust();
            transaction.finish(Some(session), Disposal::Discard);
        }
        // As before the first one, if this is given up while another one is waited for.
        transaction.ledger().stage = Stage::Idle;
        self.acquire_to_begin().await?;
        Ok(self.control(steps).await)
    }

    /// Takes a connection for BEGIN, which is the next thing to be sent.
    ///
    /// # Errors
    /// When none can be had, or the transaction has ended during the wait.
    async fn acquire_to_begin(&mut self) -> Result<(), Failure> {
        let transaction = Arc::clone(&self.transaction);
        if let Err(failure) = self.acquire().await {
            let failure = failure.with_outcome(Outcome::NotSent);
            transaction.ledger().doom_root(failure.clone());
            return Err(failure);
        }
        {
            let mut ledger = transaction.ledger();
            if ledger.stage == Stage::Idle && ledger.root_doom().is_none() {
                ledger.stage = Stage::Beginning;
                return Ok(());
            }
        }
        transaction.finish(self.take_session(), Disposal::Clean);
        let doom = transaction.ledger().root_doom().cloned();
        Err(doom.unwrap_or_else(refusal::ended))
    }

    /// Takes a connection from the pool. The turn's lock is held meanwhile, so that branches
    /// queue up behind one acquisition.
    async fn acquire(&mut self) -> Result<(), Failure> {
        let db = Arc::clone(self.transaction.database());
        let transaction = Arc::clone(&self.transaction);
        // However this ends: turns that it had and gives up are not waited for any more.
        let taking = transaction.taking_turns();
        let turns = transaction.take_turns().await?;
        let place = self.transaction.admitted().await;
        let permit = match db.context().vitals.breaker().map(Breaker::admit) {
            Some(Err(rejection)) => return Err(Failure::circuit_open(&rejection)),
            Some(Ok(permit)) => Some(permit),
            None => None,
        };
        // While nothing is on the wire, being dropped is harmless.
        let mut session = self.session.take();
        // Connecting is what makes it large, and every statement's future would be as large.
        let acquired = boxed(db.acquire()).await;
        match (permit, &acquired) {
            (Some(permit), Ok(_)) => permit.succeeded(),
            (Some(permit), Err(error)) => permit.failed(error.fault.kind()),
            (None, _) => {}
        }
        if let Some(slot) = session.as_mut() {
            **slot = Some(acquired.map_err(Failure::database)?);
            taking.end(turns);
            transaction.ledger().permit = place;
        }
        self.session = session;
        Ok(())
    }

    /// Sends control statements. After a failure the session is not trusted, unless it was a
    /// COMMIT that the server refused, and the transaction is lost.
    pub(super) async fn control(&mut self, steps: &[Control]) -> Result<(), DriverError> {
        let result = self.send(steps).await;
        self.book(steps, &result);
        result
    }

    async fn send(&mut self, steps: &[Control]) -> Result<(), DriverError> {
        self.on_wire = true;
        let result = match self.session.as_mut().and_then(|slot| slot.as_mut()) {
            Some(session) => limited(self.transaction.database(), session, steps).await,
            None => Err(Fault::new(FaultKind::ConnectionLost, Effect::Connection).into()),
        };
        self.on_wire = false;
        result
    }

    fn book(&mut self, steps: &[Control], result: &Result<(), DriverError>) {
        let transaction = &self.transaction;
        for _ in steps.iter().filter(|c| matches!(c, Control::RollbackTo(_))) {
            transaction.step(RecoveryStep::Savepoint, result.is_ok());
        }
        if let Err(error) = result {
            let session = self.session.as_mut().and_then(|slot| slot.as_mut());
            transaction.fault(&error.fault, session);
            let ends = matches!(steps, [step] if step.is_commit());
            let refused = ends && !lost_on_the_way(&error.fault);
            let mut ledger = transaction.ledger();
            if refused {
                ledger.commit = CommitStep::Refused;
                // It was still ours when the server came to the COMMIT.
                ledger.blurred = false;
            }
            ledger.untrusted |= !refused;
            ledger.doom_root(Failure::database(error.clone()));
        }
    }

    /// Asks the session for more about a refused COMMIT.
    pub(super) async fn explain(&mut self, error: DriverError) -> DriverError {
        match self.session.as_mut().and_then(|slot| slot.as_mut()) {
            Some(session) => session.explain(error).await,
            None => error,
        }
    }

    /// Whether it matters that the statement writes: [`writes`](Self::writes) is to be called
    /// then.
    pub fn watches_writes(&self) -> bool {
        let marker = self.transaction.ledger().marker;
        marker.is_some_and(|marker| !marker.wrote)
    }

    /// The statement may write.
    pub fn writes(&self) {
        if let Some(marker) = &mut self.transaction.ledger().marker {
            marker.wrote = true;
        }
    }

    /// The statement may commit what came before it, as a stored routine of MySQL's can: what is
    /// not known to be stored is not known to be undone either, until COMMIT or ROLLBACK is
    /// answered.
    pub fn may_commit(&self) {
        self.transaction.ledger().blurred = true;
    }

    /// The session, for the statement. From here on, dropping the turn loses the transaction.
    ///
    /// # Errors
    /// When the session is gone, which a turn that was granted does not see.
    pub fn session(&mut self) -> Result<&mut D::Session, Failure> {
        self.on_wire = true;
        self.session
            .as_mut()
            .and_then(|slot| slot.as_mut())
            .ok_or_else(ended)
    }

    /// The session, for a stream, and what its first row is told to.
    ///
    /// # Errors
    /// As [`session`](Self::session).
    pub fn stream(&mut self) -> Result<(&mut D::Session, Flow<'_>), Failure> {
        self.on_wire = true;
        let session = self.session.as_mut().and_then(|slot| slot.as_mut());
        Ok((session.ok_or_else(ended)?, Flow(&mut self.on_wire)))
    }

    /// The transaction's database.
    pub fn database(&self) -> &Arc<D> {
        self.transaction.database()
    }

    /// How long the statement may take before it counts as lost.
    pub fn limit(&self) -> Duration {
        self.transaction.database().context().limits().statement
    }

    /// The statement did well; its answer came at `now`, by the clock of the database's context.
    pub fn succeeded(mut self, now: Instant) {
        self.on_wire = false;
        let mut ledger = self.transaction.ledger();
        ledger.used(now);
        ledger.succeeded(self.scope);
    }

    /// The statement failed. The scope, or all of the transaction, may be lost with it.
    pub fn failed(mut self, error: DriverError) {
        self.on_wire = false;
        let session = self.session.as_mut().and_then(|slot| slot.as_mut());
        self.transaction.fault(&error.fault, session);
        let now = self.database().context().clock.now();
        let mut ledger = self.transaction.ledger();
        ledger.used(now);
        // A stale plan stays in the session's cache.
        ledger.untrusted |=
            lost_on_the_way(&error.fault) || error.fault.kind() == FaultKind::StalePlan;
        ledger.record(self.scope, Failure::database(error));
    }

    pub(super) fn take_session(&mut self) -> Option<D::Session> {
        self.session.as_mut().and_then(|slot| slot.take())
    }
}

impl<D: Database> Drop for Turn<D> {
    fn drop(&mut self) {
        let transaction = &self.transaction;
        let ended = {
            let mut ledger = transaction.ledger();
            if self.streaming {
                ledger.streaming = false;
            }
            if self.on_wire {
                ledger.untrusted = true;
                ledger.doom_root(Failure::local(
                    Reason::Abandoned,
                    FaultKind::StatementTimeout,
                    Effect::Unknown,
                ));
            }
            ledger.stage == Stage::Ended
        };
        // The owner has gone while this statement held the session.
        if let Some(mut slot) = self.session.take()
            && ended
        {
            transaction.finish(slot.take(), Disposal::Discard);
        }
        transaction.turns.notify_waiters();
    }
}

impl<D: Database> fmt::Debug for Turn<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn")
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

/// Runs control statements under the wire limit.
pub(super) async fn limited<D: Database>(
    db: &Arc<D>,
    session: &mut D::Session,
    steps: &[Control],
) -> Result<(), DriverError> {
    // In real time whatever the policy's clock: a test's clock must not make a live server look
    // silent.
    let limit = db.context().limits().control;
    let mut spare = session.spare_timer().map(mem::take).unwrap_or_default();
    let answer = in_time_with(&mut spare, limit, session.control(steps)).await;
    if let Some(kept) = session.spare_timer() {
        *kept = spare;
    }
    answer.unwrap_or_else(|| Err(Fault::new(FaultKind::ConnectionLost, Effect::Connection).into()))
}

/// Whether the session went away with the answer.
pub(super) fn lost_on_the_way(fault: &Fault) -> bool {
    matches!(fault.effect(), Effect::Connection | Effect::Unknown)
        || fault.kind() == FaultKind::CommitUnknown
}
