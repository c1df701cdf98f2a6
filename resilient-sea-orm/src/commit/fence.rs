//! The fence: what makes sure that a commit has happened or never will.

use resilient_core::{
    CommitStatus, CommitToken, DriverError, Effect, Fault, FaultKind,
    driver::{Database as _, Disposal, Session as _},
};

use crate::{
    pool::{Pool, driver_error},
    session::Session,
};

/// See [`Database::fence`](resilient_core::driver::Database::fence).
pub(crate) async fn fence(pool: &Pool, token: CommitToken) -> Result<CommitStatus, DriverError> {
    let backend = pool.connection.get_database_backend();
    let mut held = Held(Some(pool.acquire().await?));
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
    held.give_back(Disposal::Clean);
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

/// A session in the middle of a transaction: given up if that is cancelled or fails.
struct Held(Option<Session>);

impl Held {
    fn give_back(&mut self, how: Disposal) {
        if let Some(session) = self.0.take() {
            session.dispose(how);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.give_back(Disposal::Discard);
    }
}
