//! What was found out about an error after the server had reported it.
//!
//! SeaORM hands its own error to the caller, which has no place for the table that only the
//! catalogue could name. So the findings are kept beside it: under the address of the driver's
//! error, which every clone of the `DbErr` shares.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError, Weak},
};

use resilient_core::{Fault, scope::CallStatus};
use sea_orm::{DbErr, RuntimeErr};

/// The error, what it is, and the method that got it.
type Finding = (Weak<sqlx::Error>, Fault, Option<&'static str>);
type Findings = HashMap<usize, Finding>;

static FINDINGS: LazyLock<Mutex<(Findings, usize)>> =
    LazyLock::new(|| Mutex::new((Findings::new(), SWEEP_AT)));

/// At how many entries the first sweep for errors that are gone takes place.
const SWEEP_AT: usize = 256;

/// Keeps what was found out about an error, for as long as the error exists.
pub(crate) fn remember(error: &DbErr, fault: &Fault) {
    let Some(error) = driver_error(error) else {
        return;
    };
    let mut guard = FINDINGS.lock().unwrap_or_else(PoisonError::into_inner);
    let (findings, sweep_at) = &mut *guard;
    if findings.len() >= *sweep_at {
        findings.retain(|_, (error, ..)| error.strong_count() > 0);
        *sweep_at = (findings.len() * 2).max(SWEEP_AT);
    }
    let method = CallStatus::current().map(|status| status.method());
    let finding = (Arc::downgrade(error), fault.clone(), method);
    findings.insert(address(error), finding);
}

/// What was found out about an error, and the method that got it.
pub(crate) fn recall(error: &DbErr) -> Option<(Fault, Option<&'static str>)> {
    let error = driver_error(error)?;
    let guard = FINDINGS.lock().unwrap_or_else(PoisonError::into_inner);
    // The address is not given to another error while the entry holds on to it.
    guard
        .0
        .get(&address(error))
        .map(|(_, fault, method)| (fault.clone(), *method))
}

fn driver_error(error: &DbErr) -> Option<&Arc<sqlx::Error>> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(e))
        | DbErr::Exec(RuntimeErr::SqlxError(e))
        | DbErr::Query(RuntimeErr::SqlxError(e)) => Some(e),
        _ => None,
    }
}

fn address(error: &Arc<sqlx::Error>) -> usize {
    Arc::as_ptr(error).addr()
}

#[cfg(test)]
mod tests {
    use super::*;
    use resilient_core::{Effect, FaultKind};

    fn error() -> DbErr {
        DbErr::Exec(RuntimeErr::SqlxError(Arc::new(sqlx::Error::RowNotFound)))
    }

    #[test]
    fn findings_belong_to_one_error_and_its_clones() {
        let (one, other) = (error(), error());
        let fault = Fault::new(FaultKind::Unique, Effect::Statement).with_database("a");
        remember(&one, &fault);
        assert_eq!(recall(&one.clone()), Some((fault, None)));
        assert_eq!(recall(&other), None);
        assert_eq!(recall(&DbErr::Custom(String::new())), None);
    }

    #[test]
    fn findings_go_with_their_errors() {
        let fault = Fault::new(FaultKind::Unique, Effect::Statement);
        for _ in 0..10 * SWEEP_AT {
            remember(&error(), &fault);
        }
        let guard = FINDINGS.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(guard.0.len() <= 2 * SWEEP_AT, "{}", guard.0.len());
    }
}
