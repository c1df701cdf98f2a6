//! How a call relates to the transaction that its caller is in.

use std::sync::Arc;

use crate::{
    CallOptions, Effect, FaultKind, Propagation,
    driver::Database,
    failure::{Failure, Reason},
    scope::{Frame, Scope},
};

/// How the call relates to transactions, decided once.
pub(super) enum Mode<D: Database> {
    Root(Arc<D>),
    Nested(Scope<D>),
    Joined(Scope<D>),
    Detached,
}

/// Where a call with these options stands, below `outer`.
pub(super) fn mode<D: Database>(
    options: &CallOptions,
    outer: Option<&Frame>,
    db: &Arc<D>,
) -> Result<Mode<D>, Failure> {
    let scope = outer.and_then(|frame| frame.open(db));
    let within = match (options.propagation, scope) {
        (Propagation::NotSupported, _) | (Propagation::Supports | Propagation::Never, None) => {
            return Ok(Mode::Detached);
        }
        (Propagation::Mandatory, None) => {
            return Err(propagation(
                "propagation is \"mandatory\", but the caller has no transaction: call it from \
                 a resilient method, in the same task",
            ));
        }
        (Propagation::Never, Some(_)) => {
            return Err(propagation(
                "propagation is \"never\", but the caller has a transaction",
            ));
        }
        (Propagation::RequiresNew, _) | (Propagation::Nested | Propagation::Required, None) => {
            return Ok(Mode::Root(Arc::clone(db)));
        }
        (Propagation::Nested, Some(scope)) => Mode::Nested(scope.clone()),
        (Propagation::Required | Propagation::Mandatory | Propagation::Supports, Some(scope)) => {
            Mode::Joined(scope.clone())
        }
    };
    if let Some(scope) = scope {
        scope.check_isolation(options.isolation)?;
    }
    Ok(within)
}

/// Whether a call with no transaction around it has none either.
pub(super) fn is_detached(propagation: Propagation) -> bool {
    matches!(
        propagation,
        Propagation::NotSupported | Propagation::Supports | Propagation::Never
    )
}

fn propagation(text: &'static str) -> Failure {
    Failure::local(
        Reason::Propagation(text),
        FaultKind::Other,
        Effect::Statement,
    )
}
