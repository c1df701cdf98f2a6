//! Sessions brought back to a known state: how often, by which step, and whether it worked.

use std::{
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use serde::Serialize;
use strum::{IntoStaticStr, VariantArray};

use crate::time::unix_ms;

/// A way back to a known state. Where one fails, the next is tried.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, VariantArray, IntoStaticStr,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[non_exhaustive]
pub enum RecoveryStep {
    /// `ROLLBACK TO SAVEPOINT`: what an outer scope did stays.
    Savepoint,
    /// `ROLLBACK` of the whole transaction; the connection stays.
    Root,
    /// The connection is closed, and another one taken where somebody needs it. The server rolls
    /// back what was open.
    Close,
}

impl RecoveryStep {
    /// Every step, the gentlest first.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The `snake_case` name.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// What one recovery did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Recovery {
    /// How often it was verified, at least once; 0 if nobody could tell.
    pub attempts: u32,
    /// The steps it took, in order, and whether each worked.
    pub steps: Vec<(RecoveryStep, bool)>,
    /// Whether a connection was closed, and another one taken in its place.
    pub replaced: bool,
    /// Whether the server answered. It is not asked where every connection is in use.
    pub verified: bool,
}

/// `recovered in 2 attempts: root failed, close; connection replaced`
impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let times = if self.attempts == 1 { "" } else { "s" };
        if self.verified {
            write!(f, "recovered in {} attempt{times}", self.attempts)?;
        } else {
            f.write_str("not verified, as every connection is in use")?;
        }
        for (at, (step, worked)) in self.steps.iter().enumerate() {
            f.write_str(if at == 0 { ": " } else { ", " })?;
            f.write_str(step.as_str())?;
            if !worked {
                f.write_str(" failed")?;
            }
        }
        if self.replaced {
            f.write_str("; connection replaced")?;
        }
        Ok(())
    }
}

/// What is counted of one step.
#[derive(Debug, Default)]
struct Step {
    tried: AtomicU64,
    succeeded: AtomicU64,
}

/// The recoveries of one database.
#[derive(Debug, Default)]
pub struct RecoveryBook {
    steps: [Step; RecoveryStep::VARIANTS.len()],
    succeeded: AtomicU64,
    failed: AtomicU64,
    failed_in_a_row: AtomicU64,
    last_failure: Mutex<Option<RecoveryFailure>>,
}

impl RecoveryBook {
    /// A step was tried.
    pub fn step(&self, step: RecoveryStep, succeeded: bool) {
        let counted = &self.steps[step as usize];
        counted.tried.fetch_add(1, Relaxed);
        if succeeded {
            counted.succeeded.fetch_add(1, Relaxed);
        }
    }

    /// A recovery has ended. Answers how many have failed in a row by now.
    pub fn ended(&self, subject: &str, attempts: u32, result: Result<(), &str>) -> u64 {
        match result {
            Ok(()) => {
                self.succeeded.fetch_add(1, Relaxed);
                self.failed_in_a_row.store(0, Relaxed);
                0
            }
            Err(reason) => {
                self.failed.fetch_add(1, Relaxed);
                *self.last_failure() = Some(RecoveryFailure {
                    subject: subject.to_owned(),
                    attempts,
                    reason: reason.to_owned(),
                    at_unix_ms: unix_ms(),
                });
                self.failed_in_a_row.fetch_add(1, Relaxed) + 1
            }
        }
    }

    /// What was counted so far.
    pub fn report(&self) -> RecoveryReport {
        let (succeeded, failed) = (self.succeeded.load(Relaxed), self.failed.load(Relaxed));
        let steps = RecoveryStep::ALL.iter().map(|step| {
            let counted = &self.steps[*step as usize];
            StepReport {
                step: *step,
                tried: counted.tried.load(Relaxed),
                succeeded: counted.succeeded.load(Relaxed),
            }
        });
        let all = succeeded + failed;
        #[allow(clippy::cast_precision_loss)]
        let ratio = (all > 0).then(|| succeeded as f64 / all as f64);
        RecoveryReport {
            succeeded,
            failed,
            success_ratio: ratio,
            steps: steps.collect(),
            last_failure: self.last_failure().clone(),
        }
    }

    fn last_failure(&self) -> std::sync::MutexGuard<'_, Option<RecoveryFailure>> {
        self.last_failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A recovery that did not work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RecoveryFailure {
    /// What was to be recovered.
    pub subject: String,
    /// Attempts that were made.
    pub attempts: u32,
    /// Why it failed, without data of users.
    pub reason: String,
    /// When, in milliseconds since 1970.
    pub at_unix_ms: u64,
}

/// The recoveries of a database so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RecoveryReport {
    /// Those that worked.
    pub succeeded: u64,
    /// Those that did not, after every attempt.
    pub failed: u64,
    /// Those that worked in all, 0 to 1; `None` if there were none.
    pub success_ratio: Option<f64>,
    /// The steps, the gentlest first.
    pub steps: Vec<StepReport>,
    /// The last one that failed.
    pub last_failure: Option<RecoveryFailure>,
}

/// One step's share in them. Steps are counted wherever they are taken: by recoveries, and by
/// calls that undo what they did. One that cannot be taken any more, such as a `ROLLBACK` on a
/// connection that is lost, counts as tried, and the next one follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct StepReport {
    /// Which step.
    pub step: RecoveryStep,
    /// How often it was tried.
    pub tried: u64,
    /// How often it worked.
    pub succeeded: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recovery_in_words() {
        let mut recovery = Recovery {
            attempts: 1,
            verified: true,
            ..Recovery::default()
        };
        assert_eq!(recovery.to_string(), "recovered in 1 attempt");
        recovery.attempts = 2;
        recovery.replaced = true;
        recovery.steps = vec![(RecoveryStep::Root, false), (RecoveryStep::Close, true)];
        assert_eq!(
            recovery.to_string(),
            "recovered in 2 attempts: root failed, close; connection replaced"
        );
    }

    #[test]
    fn counts_steps_and_recoveries_and_failures_in_a_row() {
        let book = RecoveryBook::default();
        assert_eq!(book.report().success_ratio, None);
        book.step(RecoveryStep::Savepoint, false);
        book.step(RecoveryStep::Root, true);
        assert_eq!(book.ended("session cart", 2, Ok(())), 0);
        assert_eq!(book.ended("session cart", 3, Err("server_unavailable")), 1);
        assert_eq!(book.ended("session cart", 3, Err("server_unavailable")), 2);
        assert_eq!(book.ended("session cart", 1, Ok(())), 0);
        assert_eq!(book.ended("session cart", 3, Err("disk_full")), 1);

        let report = book.report();
        assert_eq!((report.succeeded, report.failed), (2, 3));
        assert_eq!(report.success_ratio, Some(0.4));
        assert_eq!(report.last_failure.unwrap().reason, "disk_full");
        let counted: Vec<_> = report
            .steps
            .iter()
            .map(|s| (s.step.as_str(), s.tried, s.succeeded))
            .collect();
        assert_eq!(
            counted,
            [("savepoint", 1, 0), ("root", 1, 1), ("close", 0, 0)]
        );
    }
}
