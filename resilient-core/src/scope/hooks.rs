//! What is to be done once it is certain whether a scope's work is stored.

use std::{error::Error as StdError, fmt, future::Future, pin::Pin, sync::Arc};

use tokio::runtime::Handle;

use super::{Scope, ledger::Ledger, refusal, transaction::Transaction};
use crate::{driver::Database, failure::Failure, metrics::ConnectionMetrics};

/// Why a hook failed.
pub type HookError = Box<dyn StdError + Send + Sync>;

/// What a hook may answer: nothing, or a `Result`.
pub trait HookResult {
    /// As a result.
    ///
    /// # Errors
    /// The hook's own.
    fn into_result(self) -> Result<(), HookError>;
}

impl HookResult for () {
    fn into_result(self) -> Result<(), HookError> {
        Ok(())
    }
}

impl<E: Into<HookError>> HookResult for Result<(), E> {
    fn into_result(self) -> Result<(), HookError> {
        self.map_err(Into::into)
    }
}

/// Which end of its scope a hook is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookKind {
    /// The work is stored.
    AfterCommit,
    /// The work is undone.
    AfterRollback,
}

impl HookKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::AfterCommit => "after_commit",
            Self::AfterRollback => "after_rollback",
        }
    }
}

type Boxed = Pin<Box<dyn Future<Output = Result<(), HookError>> + Send>>;

/// One registration.
pub(crate) struct Hook {
    kind: HookKind,
    /// Its place in the order of registration, across the transaction.
    serial: u64,
    run: Box<dyn FnOnce() -> Boxed + Send>,
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// How a root transaction has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Committed,
    RolledBack,
    Unknown,
}

/// The hooks of a transaction that has ended.
#[derive(Debug, Default)]
pub(crate) struct Hooks {
    /// Of scopes whose work has the transaction's fate.
    pub(super) open: Vec<Hook>,
    /// Of scopes that were undone before its end, whatever that is.
    pub(super) undone: Vec<Hook>,
}

impl Hooks {
    /// Those to run, in the order of their registration.
    fn due(self, end: End) -> Vec<Hook> {
        let kind = match end {
            End::Committed => Some(HookKind::AfterCommit),
            End::RolledBack => Some(HookKind::AfterRollback),
            // Neither can be said.
            End::Unknown => None,
        };
        let undone = self.undone.into_iter();
        let undone = undone.filter(|hook| hook.kind == HookKind::AfterRollback);
        let open = self.open.into_iter().filter(|hook| Some(hook.kind) == kind);
        let mut due: Vec<Hook> = undone.chain(open).collect();
        due.sort_by_key(|hook| hook.serial);
        due
    }
}

impl<D: Database> Scope<D> {
    /// Registers what is done when it is certain that the scope's work is stored, or that it is
    /// undone. It runs once, on a task of its own outside of the transaction, after the root has
    /// ended and given its connection back, in the order of registration. A hook of a scope that
    /// ends the other way, or of a transaction whose fate stays unknown, is dropped.
    ///
    /// # Errors
    /// When the scope has ended.
    pub fn hook<F, R>(
        &self,
        kind: HookKind,
        hook: impl FnOnce() -> F + Send + 'static,
    ) -> Result<(), Failure>
    where
        F: Future<Output = R> + Send + 'static,
        R: HookResult + 'static,
    {
        let run = Box::new(move || -> Boxed {
            let hook = hook();
            Box::pin(async move { hook.await.into_result() })
        });
        let hook = Hook {
            kind,
            serial: 0,
            run,
        };
        let registered = self.transaction().ledger().hook(self.id(), hook);
        // Not under the ledger's lock any more.
        registered.map_err(|hook| {
            drop(hook);
            refusal::ended()
        })
    }
}

impl<D: Database> Transaction<D> {
    /// Runs the hooks that suit the transaction's end, and waits for them. They are run to their
    /// end also when nobody waits any more.
    pub(crate) async fn run_hooks(&self, end: End) {
        let hooks = self.ledger().take_hooks();
        if let Some(task) = start(&self.db, hooks, end) {
            // It does not panic; if it was ended with its runtime, so was everything.
            let _ = task.await;
        }
    }

    /// The same from a destructor.
    pub(super) fn run_hooks_later(&self, end: End) {
        let hooks = self.ledger().take_hooks();
        let _ = start(&self.db, hooks, end);
    }
}

/// Starts a task that runs what is due.
pub(super) fn start<D: Database>(
    db: &Arc<D>,
    hooks: Hooks,
    end: End,
) -> Option<tokio::task::JoinHandle<()>> {
    let due = hooks.due(end);
    if due.is_empty() {
        return None;
    }
    let Ok(runtime) = Handle::try_current() else {
        for hook in due {
            failed(db, hook.kind, "the runtime is gone");
        }
        return None;
    };
    let db = Arc::clone(db);
    Some(runtime.spawn(async move {
        for Hook { kind, run, .. } in due {
            metrics(&db).hooks_run.add(1);
            // A task of its own, so that a panic harms nobody else.
            match tokio::spawn(async move { run().await }).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => failed(&db, kind, &error.to_string()),
                Err(_) => failed(&db, kind, "it panicked"),
            }
        }
    }))
}

fn metrics<D: Database>(db: &Arc<D>) -> &ConnectionMetrics {
    db.context().metrics()
}

fn failed<D: Database>(db: &Arc<D>, kind: HookKind, reason: &str) {
    metrics(db).hooks_failed.add(1);
    tracing::error!(
        target: "resilient",
        hook = kind.as_str(),
        reason,
        db.namespace = db.context().name(),
        "a hook failed; the transaction it belongs to is not affected",
    );
}

impl Ledger {
    /// Keeps a hook with its scope, or hands it back if that has ended: dropping it may run code
    /// that comes back here.
    fn hook(&mut self, scope: super::ScopeId, mut hook: Hook) -> Result<(), Hook> {
        hook.serial = self.next_hook;
        let Some(hooks) = self.hooks_of(scope) else {
            return Err(hook);
        };
        hooks.push(hook);
        self.next_hook += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(kind: HookKind, serial: u64) -> Hook {
        let run = Box::new(|| -> Boxed { Box::pin(async { Ok(()) }) });
        Hook { kind, serial, run }
    }

    #[test]
    fn what_is_due_depends_on_the_end_and_comes_in_order() {
        let make = || Hooks {
            open: vec![
                hook(HookKind::AfterCommit, 5),
                hook(HookKind::AfterRollback, 1),
                hook(HookKind::AfterCommit, 2),
            ],
            undone: vec![
                hook(HookKind::AfterCommit, 4),
                hook(HookKind::AfterRollback, 3),
            ],
        };
        let due = |end| -> Vec<u64> { make().due(end).iter().map(|h| h.serial).collect() };
        assert_eq!(due(End::Committed), [2, 3, 5]);
        assert_eq!(due(End::RolledBack), [1, 3]);
        assert_eq!(due(End::Unknown), [3]);
    }
}
