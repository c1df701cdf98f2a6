//! What became of a call, told to the errors that were made in it.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU8, AtomicU32, Ordering},
};

use crate::{Outcome, failure::DriverError, policy::StopReason};

/// What an error can still learn about the call it came from, after it was made.
#[derive(Debug)]
pub struct CallStatus {
    method: &'static str,
    attempts: AtomicU32,
    /// 0 while it runs, 1 after success, else 2 plus the outcome.
    end: AtomicU8,
    stop: OnceLock<StopReason>,
    rollback: OnceLock<DriverError>,
    parent: Option<Arc<CallStatus>>,
}

const RUNNING: u8 = 0;
const SUCCEEDED: u8 = 1;

impl CallStatus {
    pub(crate) fn new(method: &'static str, parent: Option<Arc<CallStatus>>) -> Self {
        Self {
            method,
            attempts: AtomicU32::new(1),
            end: AtomicU8::new(RUNNING),
            stop: OnceLock::new(),
            rollback: OnceLock::new(),
            parent,
        }
    }

    pub(crate) fn attempt(&self, number: u32) {
        self.attempts.store(number, Ordering::Relaxed);
    }

    pub(crate) fn succeed(&self) {
        self.end.store(SUCCEEDED, Ordering::Release);
    }

    pub(crate) fn fail(&self, outcome: Outcome, stop: StopReason, rollback: Option<DriverError>) {
        let _ = self.stop.set(stop);
        if let Some(rollback) = rollback {
            let _ = self.rollback.set(rollback);
        }
        self.end.store(2 + outcome as u8, Ordering::Release);
    }

    /// The outermost call that ended in an error and contains this one: the call whose caller
    /// holds the error now.
    fn reached(&self) -> &Self {
        let mut at = self;
        while let Some(parent) = at.parent.as_deref() {
            if parent.end.load(Ordering::Acquire) < 2 {
                break;
            }
            at = parent;
        }
        at
    }

    /// The method that failed.
    pub fn method(&self) -> &'static str {
        self.reached().method
    }

    /// How often its body ran.
    pub fn attempts(&self) -> u32 {
        self.reached().attempts.load(Ordering::Relaxed)
    }

    /// What became of it, once it has ended.
    pub fn outcome(&self) -> Option<Outcome> {
        const ALL: [Outcome; 4] = [
            Outcome::NotSent,
            Outcome::RolledBack,
            Outcome::Committed,
            Outcome::Unknown,
        ];
        let end = self.reached().end.load(Ordering::Acquire);
        ALL.get(usize::from(end).checked_sub(2)?).copied()
    }

    /// Why it was not tried again.
    pub fn stop_reason(&self) -> Option<StopReason> {
        self.reached().stop.get().copied()
    }

    /// The error of its rollback, if that failed.
    pub fn rollback_error(&self) -> Option<&DriverError> {
        self.reached().rollback.get()
    }
}
