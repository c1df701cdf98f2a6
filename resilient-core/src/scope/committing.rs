//! COMMIT, and what its answer means, or the want of one.

use std::{future::Future, pin::Pin, sync::Arc, time::Instant};

use super::{
    Frame, ScopeId,
    hooks::{End, start},
    ledger::{CommitStep, Ledger, Marker, Stage},
    refusal,
    transaction::{Transaction, swallowed},
    turn::{Turn, lost_on_the_way},
};
use crate::{
    CommitToken, Effect, Outcome,
    commit::{CommitStatus, resolve, until},
    driver::{Control, Database, Disposal},
    failure::{DriverError, Failure},
    metrics::ConnectionMetrics,
};

impl<D: Database> Transaction<D> {
    /// Commits, and finds out whether that worked if the commit is a verified one and its answer
    /// is lost: until `deadline`, if there is one. On success the session goes back to the pool.
    ///
    /// # Errors
    /// The failure's outcome says what is known: [`Outcome::RolledBack`], or
    /// [`Outcome::Unknown`] where the answer to COMMIT did not come.
    ///
    /// # Cancel safety
    /// Dropping the future before COMMIT is sent rolls back. After that the outcome is unknown
    /// to everyone, and the session is discarded.
    pub(crate) async fn commit(self: &Arc<Self>, deadline: Option<Instant>) -> Result<(), Failure> {
        // It holds the session, and nobody would end it while this waits.
        if self.ledger().streaming {
            return Err(refusal::open_stream());
        }
        let Some(mut turn) = self.lock_in_time().await else {
            self.drop_root();
            let failure = refusal::never_freed(self.db.context().limits().statement);
            return Err(failure.with_outcome(Outcome::RolledBack));
        };
        let due = {
            let mut ledger = self.ledger();
            if let Some(doom) = ledger.root_doom() {
                return Err(swallowed(doom));
            }
            if ledger.undecided_below(ScopeId::ROOT) {
                return Err(refusal::open_handle());
            }
            match ledger.stage {
                Stage::Idle | Stage::Beginning => {
                    ledger.stage = Stage::Ended;
                    return Ok(());
                }
                Stage::Open => {}
                Stage::Ended => return Err(refusal::ended()),
            }
            // COMMIT itself releases every savepoint.
            let mut due = ledger.take_due();
            due.retain(|c| matches!(c, Control::RollbackTo(_)));
            due
        };
        if !due.is_empty() {
            turn.control(&due).await.map_err(Failure::database)?;
        }
        if !self.options.read_only {
            Frame::stored();
        }
        let step = self.commit_step(&mut self.ledger())?;
        let result = turn.control(&[step]).await;
        {
            // At once: who ends transactions from outside must not find this one open.
            let mut ledger = self.ledger();
            if ledger.commit == CommitStep::Sent {
                ledger.commit = CommitStep::NotSent;
                ledger.stage = Stage::Ended;
            }
        }
        let Err(error) = result else {
            self.metrics().committed.add(1);
            if step != Control::Commit {
                self.metrics().verified.add(1);
            }
            self.finish(turn.take_session(), Disposal::Clean);
            if step != Control::Commit && self.db.context().tidied.due() {
                self.db.tidy();
            }
            return Ok(());
        };
        if lost_on_the_way(&error.fault) {
            return boxed(self.unanswered(turn, step, error, deadline)).await;
        }
        // The session may be left in the middle of a question.
        let trusted = !std::mem::replace(&mut self.ledger().untrusted, true);
        let error = boxed(turn.explain(error)).await;
        self.ledger().untrusted = !trusted;
        Err(Failure::database(error))
    }

    /// The COMMIT that suits the transaction, about to be sent: from here on nobody ends it from
    /// outside, who may have done so since it was last looked at.
    fn commit_step(&self, ledger: &mut Ledger) -> Result<Control, Failure> {
        if let Some(doom) = ledger.root_doom() {
            return Err(swallowed(doom));
        }
        if ledger.stage != Stage::Open {
            return Err(refusal::ended());
        }
        ledger.commit = CommitStep::Sent;
        Ok(match ledger.marker {
            Some(Marker { token, wrote: true }) if !self.options.read_only => {
                Control::CommitVerified(token)
            }
            _ => Control::Commit,
        })
    }

    /// No answer to COMMIT has come.
    async fn unanswered(
        self: &Arc<Self>,
        mut turn: Turn<D>,
        step: Control,
        lost: DriverError,
        deadline: Option<Instant>,
    ) -> Result<(), Failure> {
        // Its end may be what the fence will wait for.
        self.finish(turn.take_session(), Disposal::Discard);
        drop(turn);
        let blurred = self.ledger().blurred;
        if self.options.read_only && !blurred && lost.fault.effect() != Effect::Transaction {
            // Nothing can be stored.
            self.metrics().rolled_back.add(1);
            return Err(Failure::not_committed(lost));
        }
        let marker = self.ledger().marker;
        // An answer that says that the transaction had ended before, by other hands: the marker
        // was not even tried, and its absence would say nothing of what they stored.
        let marker = marker.filter(|_| lost.fault.effect() != Effect::Transaction);
        let Some(Marker { token, .. }) = marker else {
            self.metrics().commit_unknown.add(1);
            return Err(Failure::commit_unknown(lost));
        };
        if step != Control::Commit {
            return self.find_out(token, lost, deadline).await;
        }
        // No statement was seen to write, but a view's functions may have.
        self.metrics().commit_unknown.add(1);
        let advice = "no statement was seen to write, so that no marker was sent: declare \
                      read_only what only reads, and it is simply repeated";
        Err(Failure::commit_unknown(lost.with_advice(advice)))
    }

    /// Asks the database what became of the commit.
    async fn find_out(
        &self,
        token: CommitToken,
        lost: DriverError,
        deadline: Option<Instant>,
    ) -> Result<(), Failure> {
        // Until there is an answer, whoever drops this future leaves the question to a task.
        self.ledger().commit = CommitStep::Sent;
        let mut asked = Asked {
            transaction: self,
            answered: false,
        };
        let until = until(&*self.db, deadline);
        let answer = resolve(&self.db, token, until).await;
        asked.answered = true;
        self.ledger().commit = CommitStep::NotSent;
        answered(self.metrics(), &answer);
        match answer {
            Ok(CommitStatus::Committed) => Ok(()),
            // It may have been stored before, without its marker.
            Ok(CommitStatus::NotCommitted) if self.ledger().blurred => {
                Err(Failure::commit_unknown(lost))
            }
            Ok(CommitStatus::NotCommitted) => Err(Failure::not_committed(lost)),
            Err(error) => {
                let failure = Failure::commit_unknown(lost).with_commit_token(token);
                Err(failure.with_unanswered(error))
            }
        }
    }

    /// Finds out in the background what became of a commit that nobody waits for any more, for
    /// the sake of its hooks and of the books; without a marker it stays unknown.
    #[cold]
    pub(super) fn find_out_later(&self) {
        let (marker, hooks, blurred) = {
            let mut ledger = self.ledger();
            ledger.commit = CommitStep::NotSent;
            (ledger.marker, ledger.take_hooks(), ledger.blurred)
        };
        let runtime = tokio::runtime::Handle::try_current().ok();
        let (Some(Marker { token, wrote: true }), Some(runtime)) = (marker, runtime) else {
            self.metrics().commit_unknown.add(1);
            let _ = start(&self.db, hooks, End::Unknown);
            return;
        };
        let db = Arc::clone(&self.db);
        runtime.spawn(async move {
            let until = until(&*db, None);
            let answer = resolve(&db, token, until).await;
            answered(db.context().metrics(), &answer);
            let end = match answer {
                Ok(CommitStatus::Committed) => End::Committed,
                Ok(CommitStatus::NotCommitted) if !blurred => End::RolledBack,
                _ => End::Unknown,
            };
            if let Some(task) = start(&db, hooks, end) {
                let _ = task.await;
            }
        });
    }
}

/// What is seldom awaited, kept out of the futures of calls: each call nested in another one would
/// carry it along, in size and in the depth of its type.
pub(super) fn boxed<'a, T>(
    future: impl Future<Output = T> + Send + 'a,
) -> Pin<Box<dyn Future<Output = T> + Send + 'a>> {
    Box::pin(future)
}

/// A question whose asker may be dropped.
struct Asked<'a, D: Database> {
    transaction: &'a Transaction<D>,
    answered: bool,
}

impl<D: Database> Drop for Asked<'_, D> {
    fn drop(&mut self) {
        if !self.answered {
            self.transaction.find_out_later();
        }
    }
}

/// Counts what became of a commit whose answer was lost.
fn answered(metrics: &ConnectionMetrics, answer: &Result<CommitStatus, DriverError>) {
    match answer {
        Ok(CommitStatus::Committed) => {
            metrics.committed.add(1);
            metrics.resolved_committed.add(1);
        }
        Ok(CommitStatus::NotCommitted) => {
            metrics.rolled_back.add(1);
            metrics.resolved_rolled_back.add(1);
        }
        Err(_) => metrics.commit_unknown.add(1),
    }
}
