//! A session brought back: what is pending rolled back, the server asked, connections replaced.

use std::time::Duration;

use resilient_core::{
    DriverError, Effect, Failure, Fault, FaultKind, Outcome,
    driver::{Disposal, Session as _},
    health::{
        CheckOptions, CheckStrategy, PoolGauge,
        recovery::{Recovery, RecoveryStep},
    },
};

use super::{ManagedSession, session::Shared};
use crate::{
    Error, Result, advice,
    health::{Own, answers},
    pool::driver_error,
};

/// Who holds the connection meanwhile, in the list of connections.
const HOLDER: &str = "session recovery";

/// What asking the server once came to.
enum Answer {
    Well,
    /// Every connection is in use, which is for the pool's report to say.
    Busy,
    Wrong(DriverError),
}

impl ManagedSession {
    /// Brings the session back to a known state.
    ///
    /// What is pending is rolled back: a unit of work of this session that another task runs
    /// fails with `session_expired` at its next statement. A server that does not roll it back,
    /// or is in the middle of a statement, loses the connection instead. Then the server is asked
    /// (`SELECT 1`) on a connection of the pool; one that does not answer is closed and the next
    /// one taken. Where none answers within the timeout of a check (1 s by default), that is
    /// repeated up to `recovery_max_attempts` (3) with the delays of the retry policy.
    ///
    /// The steps and the end are counted in [`RecoveryReport`](super::RecoveryReport), a failed
    /// recovery raises the alert `recovery_failure`, and both send `HealthEvent::Recovery`.
    /// Sessions of a database that ask together share one recovery.
    ///
    /// # Errors
    /// `server_unavailable` when no attempt worked, `session_expired` when the session has ended,
    /// or a refusal inside of a transaction on this database, which a returned error rolls back.
    ///
    /// # Cancel safety
    /// Dropping the future keeps what was rolled back, and leaves the rest for the next use.
    pub async fn recover(&self) -> Result<Recovery> {
        let shared = &self.shared;
        if shared.inside() {
            return Err(Failure::misuse(
                "recover() inside of a transaction would end the work that it is part of: return \
                 an error there, which rolls it back, and recover the session outside",
            )
            .into());
        }
        if self.condition() == super::Condition::Expired {
            return Err(shared.expired());
        }
        let steps = self.roll_back_pending().await;
        let attempts = shared.context().config().health.recovery_max_attempts;
        let make = || shared.verify(attempts.max(1));
        let mut recovery = match shared.gate.pass(make).await {
            Ok(recovery) => recovery,
            Err(error) => {
                shared.state.failed_check();
                return Err(error);
            }
        };
        if recovery.verified {
            shared.state.recovered(shared.now());
        }
        recovery.steps.splice(0..0, steps);
        recovery.replaced |= recovery.steps.contains(&(RecoveryStep::Close, true));
        Ok(recovery)
    }

    /// A unit of work has lost its connection, which was closed: one look at whether another one
    /// works. If not, the next use makes every attempt, so that the caller hears of its failure
    /// soon.
    pub(super) async fn look_again(&self) {
        let shared = &self.shared;
        let make = async || {
            let mut recovery = Recovery::default();
            recovery.verified = match shared.ask(&mut recovery).await {
                Answer::Well => true,
                Answer::Busy => false,
                Answer::Wrong(error) => return Err(Failure::database(error).into()),
            };
            recovery.attempts = u32::from(recovery.verified);
            shared.book(&recovery);
            Ok(recovery)
        };
        if let Ok(recovery) = shared.gate.pass(make).await
            && recovery.verified
        {
            shared.state.recovered(shared.now());
        }
    }

    /// A quick check, one that others made if it may be.
    pub(super) async fn check(&self, force: bool) -> bool {
        let options = CheckOptions {
            force,
            ..CheckOptions::default()
        };
        let db = &self.shared.db;
        let report = db.check_health_with(CheckStrategy::Quick, options).await;
        if report.fault == Some(FaultKind::PoolTimeout) {
            return true;
        }
        let state = &self.shared.state;
        if report.is_usable() {
            state.verified(self.shared.now());
        } else {
            state.failed_check();
        }
        report.is_usable()
    }

    /// Rolls back what other tasks run in this session.
    async fn roll_back_pending(&self) -> Vec<(RecoveryStep, bool)> {
        let pending: Vec<_> = self.shared.running().scopes.values().cloned().collect();
        let mut steps = Vec::new();
        for scope in pending {
            steps.extend(scope.recover().await);
        }
        steps
    }
}

impl Shared {
    /// Asks the server until it answers.
    async fn verify(&self, attempts: u32) -> Result<Recovery> {
        let context = self.context();
        let mut recovery = Recovery::default();
        let mut delays = context.delays();
        loop {
            recovery.attempts += 1;
            let error = match self.ask(&mut recovery).await {
                Answer::Well => {
                    recovery.verified = true;
                    self.book(&recovery);
                    return Ok(recovery);
                }
                Answer::Busy => {
                    recovery.attempts = 0;
                    return Ok(recovery);
                }
                Answer::Wrong(error) => error,
            };
            let kind = error.fault.kind();
            let delay = delays.next(kind, context.random().as_ref());
            let Some(delay) = delay.filter(|_| recovery.attempts < attempts) else {
                return Err(self.give_up(error, recovery.attempts));
            };
            if !delay.is_zero() {
                context.clock().sleep(delay).await;
            }
        }
    }

    fn book(&self, recovery: &Recovery) {
        if recovery.verified {
            let vitals = self.context().vitals();
            vitals.recovered(&self.subject(), recovery.attempts, Ok(()));
        }
    }

    fn give_up(&self, error: DriverError, attempts: u32) -> Error {
        let kind = error.fault.kind();
        let vitals = self.context().vitals();
        vitals.recovered(&self.subject(), attempts, Err(kind.as_str()));
        let times = if attempts == 1 { "" } else { "s" };
        let mut advice = format!(
            "the {} could not be recovered in {attempts} attempt{times} (last: {kind})",
            self.subject(),
        );
        if let Some(more) = &error.advice {
            advice.push_str(": ");
            advice.push_str(more);
        }
        advice.push_str("; is the server up, and does it let this account in?");
        // What a repetition does not heal has a name of its own.
        let kind = if kind.is_transient() {
            FaultKind::ServerUnavailable
        } else {
            kind
        };
        let mut down = DriverError::from(Fault::new(kind, Effect::Connection)).with_advice(advice);
        down.source = error.source;
        Failure::database(down)
            .with_outcome(Outcome::NotSent)
            .into()
    }

    /// Asks once. What does not answer is closed, and the next one taken, while there are any
    /// that may be leftovers of before.
    async fn ask(&self, recovery: &mut Recovery) -> Answer {
        let pool = &self.db.pool;
        let settings = pool.health.connections.settings();
        let full = || advice::gauge(pool).is_some_and(|gauge| PoolGauge::exhausted(&gauge));
        let full_before = full();
        let asked = self.ask_each(recovery, &settings.query);
        match tokio::time::timeout(settings.timeout, asked).await {
            Ok(Err(error)) if error.fault.kind() == FaultKind::PoolTimeout => Answer::Busy,
            Ok(Err(error)) => Answer::Wrong(error),
            Ok(Ok(())) => Answer::Well,
            // Behind lost connections are others that are being opened, not callers.
            Err(_) if full_before && full() && recovery.steps.is_empty() => Answer::Busy,
            Err(_) => Answer::Wrong(silence(settings.timeout)),
        }
    }

    async fn ask_each(&self, recovery: &mut Recovery, sql: &str) -> Result<(), DriverError> {
        let pool = &self.db.pool;
        let mut leftovers = advice::gauge(pool).map_or(0, |gauge| gauge.idle);
        loop {
            // Dropped in the middle, it is closed.
            let mut own = Own(Some(pool.acquire_for(Some(HOLDER)).await?));
            let answer = match &mut own.0 {
                Some(session) => answers(session, sql).await,
                None => return Ok(()),
            };
            let Some(session) = own.0.take() else {
                return Ok(());
            };
            let Err(error) = answer else {
                session.dispose(Disposal::Clean);
                return Ok(());
            };
            session.dispose(Disposal::Discard);
            self.context()
                .vitals()
                .recovery()
                .step(RecoveryStep::Close, true);
            recovery.steps.push((RecoveryStep::Close, true));
            let error = driver_error(&error);
            if leftovers == 0 || error.fault.effect() != Effect::Connection {
                return Err(error);
            }
            leftovers -= 1;
        }
    }
}

fn silence(limit: Duration) -> DriverError {
    let down = Fault::new(FaultKind::ServerUnavailable, Effect::Connection);
    DriverError::from(down).with_advice(format!("no answer within {limit:.1?}"))
}
