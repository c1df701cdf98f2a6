//! The fence: what makes sure that a commit has happened or never will.

use resilient_core::{
    CommitStatus, CommitToken, DriverError, Effect, Fault, FaultKind,
    driver::{Database as _, Disposal, Session as _},
};

use crate::{
    health::Own,
    pool::{Pool, driver_error},
};

/// See [`Database::fence`](resilient_core::driver::Database::fence).
pub(crate) async fn fence(pool: &Pool, token: CommitToken) -> Result<CommitStatus, DriverError> {
    let backend = pool.connection.get_database_backend();
    // Dropped in the middle of the fence's transaction, it is given up.
    let mut held = Own(Some(pool.acquire().await?));
    let Some(session) = &mut held.0 else {
        return Err(silent());
    };
    session.find_markers().await;
    let answer = session
        .last_number(pool.markers.fence(token, backend))
        .await;
    let fenced = answer.map_err(|error| {
        session.failed(&error);
        driver_error(&error)
    })?;
    if let Some(session) = held.0.take() {
        session.dispose(Disposal::Clean);
    }
    match fenced {
        Some(0) => Ok(CommitStatus::Committed),
        Some(_) => Ok(CommitStatus::NotCommitted),
        None => Err(silent()),
    }
}

/// A server that says neither.
fn silent() -> DriverError {
    let fault = Fault::new(FaultKind::Other, Effect::Unknown);
    DriverError::from(fault).with_advice("the fence of a verified commit was not answered")
}
