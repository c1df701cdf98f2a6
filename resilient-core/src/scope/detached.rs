//! Calls without a transaction.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use crate::failure::{DriverError, Failure};

/// A call without a transaction: what its statements left behind.
#[derive(Debug, Default)]
pub struct Detached {
    wrote: AtomicBool,
    last: Mutex<Option<Failure>>,
}

impl Detached {
    /// A statement that may write is about to be sent, and takes effect at once.
    pub fn writing(&self) {
        self.wrote.store(true, Ordering::Relaxed);
    }

    /// A statement did well.
    pub fn succeeded(&self) {
        *self.last() = None;
    }

    /// A statement failed.
    pub fn failed(&self, error: DriverError) {
        self.failed_of(Failure::database(error));
    }

    /// A statement was refused before it was sent.
    pub fn refused(&self, failure: Failure) {
        self.failed_of(failure);
    }

    pub(crate) fn failed_of(&self, failure: Failure) {
        *self.last() = Some(failure);
    }

    pub(crate) fn wrote(&self) -> bool {
        self.wrote.load(Ordering::Relaxed)
    }

    pub(crate) fn cause(&self) -> Option<Failure> {
        self.last().clone()
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Option<Failure>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
