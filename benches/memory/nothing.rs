//! A database that does nothing, at once.

use std::{hint::black_box, sync::Arc};

use resilient_core::{
    DriverError, Effect, Failure, Fault, FaultKind, IsolationLevel,
    driver::{Context, Control, Database, Disposal, Session, SharedContext},
    policy::{Delay, RetryPolicy},
    scope::{Place, current},
};

use super::operation::fails;

#[derive(Debug)]
pub(super) struct Nothing(SharedContext);

#[derive(Debug)]
pub(super) struct NoSession;

impl Session for NoSession {
    async fn control(&mut self, steps: &[Control]) -> Result<(), DriverError> {
        black_box(steps);
        Ok(())
    }

    fn dispose(self, how: Disposal) {
        black_box(how);
    }
}

impl Database for Nothing {
    type Session = NoSession;
    type Error = Failure;

    async fn acquire(&self) -> Result<NoSession, DriverError> {
        Ok(NoSession)
    }

    fn context(&self) -> &SharedContext {
        &self.0
    }
}

impl Nothing {
    /// A database whose calls are retried without delay.
    pub(super) fn new() -> Arc<Self> {
        let context = Context::new("nothing", IsolationLevel::ReadCommitted)
            .with_policy(RetryPolicy::new().delay(Delay::none()));
        Arc::new(Self(context.into()))
    }

    /// A statement, where the task stands.
    pub(super) async fn statement(self: &Arc<Self>) -> Result<u64, Failure> {
        if let Place::Scope(scope) = current(self) {
            let mut turn = scope.turn(false).await?;
            black_box(turn.session()?);
            turn.succeeded(self.0.clock().now());
        }
        Ok(black_box(1))
    }

    /// The same, with a deadlock each other time.
    pub(super) async fn deadlocks(self: &Arc<Self>) -> Result<u64, Failure> {
        if let Place::Scope(scope) = current(self) {
            let mut turn = scope.turn(false).await?;
            black_box(turn.session()?);
            if fails() {
                let error = DriverError::from(Fault::new(FaultKind::Deadlock, Effect::Transaction));
                turn.failed(error.clone());
                return Err(Failure::database(error));
            }
            turn.succeeded(self.0.clock().now());
        }
        Ok(black_box(1))
    }
}
