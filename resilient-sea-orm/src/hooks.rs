//! What is done after a commit or rollback, once that is certain.

use std::future::Future;

pub use resilient_core::scope::{HookError, HookResult};
use resilient_core::{
    Failure,
    scope::{HookKind, Place, Scope, current},
};
use sea_orm::DbErr;

use crate::{Error, ResilientConnection, ResilientTransaction, Result, pool::Pool};

impl ResilientConnection {
    /// Registers what is done once it is certain that the surrounding scope's work is stored.
    ///
    /// A hook belongs to the scope it is registered in: it is dropped with an attempt that fails
    /// and with a savepoint that is rolled back, goes up to the root with a nested method that
    /// does well, and runs once after the root's COMMIT, in the order of registration. The call
    /// waits for its hooks; they run outside of the transaction, after its connection was given
    /// back, and to their end also if the call is dropped. What a hook answers does not change
    /// the call's result: an error or panic is logged and counted
    /// (`hooks_failed` of the connection's metrics); an error of a type of your own in its own
    /// words, which therefore should not quote what is not for logs.
    ///
    /// Where the answer to COMMIT is lost and nobody can tell what became of it, no hook runs. If
    /// what has to be done must survive a crash of the process as well, write it down in the
    /// transaction (the outbox pattern, as in the example `outbox`), and use a hook to be quick
    /// about it.
    ///
    /// ```
    /// # use resilient_sea_orm::prelude::*;
    /// # async fn example(db: ResilientConnection) -> Result<()> {
    /// db.transact(TransactOptions::new(), || async {
    ///     // … statements …
    ///     db.after_commit(|| async {
    ///         println!("stored");
    ///     })?;
    ///     Ok::<_, Error>(())
    /// })
    /// .await
    /// # }
    /// ```
    ///
    /// # Errors
    /// Outside of any transaction, where nothing is left to wait for.
    pub fn after_commit<F, R>(&self, hook: impl FnOnce() -> F + Send + 'static) -> Result<()>
    where
        F: Future<Output = R> + Send + 'static,
        R: HookResult + 'static,
    {
        register(&self.place("after_commit")?, HookKind::AfterCommit, hook)
    }

    /// The same for work that is undone for certain: of a failed attempt, whether or not the
    /// call is tried again, or of a savepoint that was rolled back. It runs after the root has
    /// ended. Dropped where the scope commits, or nobody knows.
    ///
    /// # Errors
    /// Outside of any transaction.
    pub fn after_rollback<F, R>(&self, hook: impl FnOnce() -> F + Send + 'static) -> Result<()>
    where
        F: Future<Output = R> + Send + 'static,
        R: HookResult + 'static,
    {
        register(
            &self.place("after_rollback")?,
            HookKind::AfterRollback,
            hook,
        )
    }

    fn place(&self, what: &str) -> Result<Scope<Pool>> {
        match current(&self.pool) {
            Place::Scope(scope) => Ok(scope),
            Place::Outside | Place::Detached(_) => Err(Failure::misuse(format!(
                "{what} was called outside of a transaction of this database, so there is no \
                 commit to wait for: call it inside a resilient method or transact(..) in the \
                 same task, or do the work at once"
            ))
            .into()),
        }
    }
}

impl ResilientTransaction {
    /// What [`ResilientConnection::after_commit`] does, for this transaction or savepoint.
    ///
    /// # Errors
    /// When it has ended.
    pub fn after_commit<F, R>(&self, hook: impl FnOnce() -> F + Send + 'static) -> Result<()>
    where
        F: Future<Output = R> + Send + 'static,
        R: HookResult + 'static,
    {
        register(&self.scope, HookKind::AfterCommit, hook)
    }

    /// What [`ResilientConnection::after_rollback`] does, for this transaction or savepoint.
    ///
    /// # Errors
    /// When it has ended.
    pub fn after_rollback<F, R>(&self, hook: impl FnOnce() -> F + Send + 'static) -> Result<()>
    where
        F: Future<Output = R> + Send + 'static,
        R: HookResult + 'static,
    {
        register(&self.scope, HookKind::AfterRollback, hook)
    }
}

fn register<F, R>(
    scope: &Scope<Pool>,
    kind: HookKind,
    hook: impl FnOnce() -> F + Send + 'static,
) -> Result<()>
where
    F: Future<Output = R> + Send + 'static,
    R: HookResult + 'static,
{
    let hook = move || {
        let hook = hook();
        async move { hook.await.into_result().map_err(without_data) }
    };
    scope.hook(kind, hook).map_err(Error::from)
}

/// What a hook failed of, in words that may be logged: SeaORM's quote the server, and with it
/// users' data.
fn without_data(error: HookError) -> HookError {
    match error.downcast::<DbErr>() {
        Ok(error) => Box::new(Error::from(*error)),
        Err(other) => other,
    }
}
