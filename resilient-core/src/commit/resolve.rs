//! Asking a database, until it answers, what became of a transaction.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{CommitStatus, CommitToken};
use crate::{
    Effect, Fault, FaultKind,
    driver::Database,
    failure::DriverError,
    policy::{Delay, DelaySequence, Jitter},
};

/// The least time that is taken to ask, however little the call has left: one question is cheap
/// beside an unknown outcome.
const LEAST: Duration = Duration::from_secs(2);

/// Between questions: a server that comes back does so within seconds, and the fence is one row.
const DELAY: Delay = Delay::exponential(
    Duration::from_millis(10),
    Duration::from_millis(500),
    Jitter::Equal,
);

/// Until when to ask, for a call with this deadline.
pub(crate) fn until<D: Database>(db: &D, deadline: Option<Instant>) -> Instant {
    let context = db.context();
    let now = context.clock.now();
    let far = now + Duration::from_hours(1);
    let patience = now.checked_add(context.verify.patience).unwrap_or(far);
    deadline.unwrap_or(patience).max(now + LEAST)
}

/// How far the clocks of machines that make tokens and of those that ask may be apart.
const SKEW: Duration = Duration::from_mins(5);

/// Finds out what became of the transaction that a token was made for, and makes sure that it
/// stays so. Asks again while the database is away, until `until`.
///
/// # Errors
/// The last failure, when the database did not come back in time, or at once when it answers with
/// one that asking again does not heal: the outcome is still unknown then. Also when the token is
/// too old for its marker to be there for certain, or was made more than five minutes in the future
/// by this machine's clock.
///
/// # Cancel safety
/// Dropping the future leaves the question open; it can be asked again.
pub async fn resolve<D: Database>(
    db: &Arc<D>,
    token: CommitToken,
    until: Instant,
) -> Result<CommitStatus, DriverError> {
    let context = db.context();
    let mut delays = DelaySequence::new(DELAY);
    loop {
        // Each time anew: it grows old while the database is away.
        if !context.verify.can_tell(token.age_ms()) {
            return Err(too_old());
        }
        if token.ahead() > SKEW {
            return Err(not_yet());
        }
        let left = until.saturating_duration_since(context.clock.now());
        // It may need a new connection first, which a short limit for COMMIT does not allow for.
        let limit = left.max(LEAST).min(context.limits.control.max(LEAST));
        // In real time: see `limited` of the scopes.
        let error = match tokio::time::timeout(limit, db.fence(token)).await {
            // The answer may have taken long: a marker that is gone looks like one that never was.
            Ok(Ok(CommitStatus::NotCommitted)) if !context.verify.can_tell(token.age_ms()) => {
                return Err(too_old());
            }
            Ok(Ok(status)) => return Ok(status),
            Ok(Err(error)) => error,
            Err(_) => Fault::new(FaultKind::ConnectionLost, Effect::Connection).into(),
        };
        if is_hopeless(&error.fault) {
            return Err(error);
        }
        let delay = delays
            .next(FaultKind::ServerUnavailable, context.random.as_ref())
            .unwrap_or(LEAST);
        if context.clock.now() + delay >= until {
            return Err(error);
        }
        context.clock.sleep(delay).await;
    }
}

/// Whether asking again cannot help: somebody has to do something first. All else may pass, a
/// server that only reads as yet included. A fence whose own COMMIT was not answered can be
/// repeated: its row says that it is a fence.
fn is_hopeless(fault: &Fault) -> bool {
    let answered = matches!(
        fault.kind(),
        FaultKind::Permission
            | FaultKind::UndefinedObject
            | FaultKind::Syntax
            | FaultKind::InvalidValue
            | FaultKind::Other
    );
    answered && !matches!(fault.effect(), Effect::Connection | Effect::Unknown)
}

/// Its fence would stay for ever, as nothing that is tidied is as young.
fn not_yet() -> DriverError {
    let fault = Fault::new(FaultKind::Other, Effect::Statement);
    DriverError::from(fault).with_advice(
        "the token was made in the future, by this machine's clock: what became of its transaction \
         cannot be told; is the clock right?",
    )
}

fn too_old() -> DriverError {
    let fault = Fault::new(FaultKind::Other, Effect::Statement);
    DriverError::from(fault).with_advice(
        "the token is older than half of the markers' retention, so that its marker may be gone: \
         what became of the transaction cannot be told any more",
    )
}
