//! What a sweep tried, and what it found.

use std::{error::Error as StdError, fmt};

use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use serde::Serialize;

use crate::testing::{Disturbance, Step};

/// How a run of a sweep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// All that must hold did.
    Held,
    /// The method did not come to that step; all that must hold did.
    NotReached,
    /// Something did not hold.
    Broken,
}

/// One run of the method.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SweepRun {
    /// Where the fault struck.
    pub step: Step,
    /// What struck.
    pub what: Disturbance,
    /// `ok`, or the outcome that the error gave.
    pub answer: String,
    /// Whether everything held.
    pub verdict: Verdict,
    /// What did not.
    pub problems: Vec<String>,
}

/// What a sweep tried, and what it found. `Display` is a table with a line for each step and
/// fault, and the list of what is broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SweepReport {
    /// The connection's name.
    pub database: String,
    /// The seed of the plans.
    pub seed: u64,
    /// The steps of the method, as it takes them without a fault.
    pub steps: Vec<Step>,
    /// Each run with a fault.
    pub runs: Vec<SweepRun>,
}

impl SweepReport {
    pub(super) fn new(database: &str, seed: u64) -> Self {
        Self {
            database: database.to_owned(),
            seed,
            steps: Vec::new(),
            runs: Vec::new(),
        }
    }

    /// The runs in which something did not hold.
    pub fn broken(&self) -> impl Iterator<Item = &SweepRun> {
        let broken = |run: &&SweepRun| run.verdict == Verdict::Broken;
        self.runs.iter().filter(broken)
    }

    /// Runs in which a fault was injected.
    pub fn injected(&self) -> usize {
        let reached = |run: &&SweepRun| run.verdict != Verdict::NotReached;
        self.runs.iter().filter(reached).count()
    }

    /// Whether faults were injected and everything held.
    pub fn is_sound(&self) -> bool {
        self.injected() > 0 && self.broken().next().is_none()
    }
}

impl fmt::Display for SweepReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        table
            .load_preset(UTF8_FULL_CONDENSED)
            .set_header(["step", "fault", "answer", "verdict"]);
        for run in &self.runs {
            table.add_row([
                run.step.to_string(),
                run.what.to_string(),
                run.answer.clone(),
                run.verdict.to_string(),
            ]);
        }
        let (steps, broken) = (self.steps.len(), self.broken().count());
        writeln!(f, "{table}")?;
        write!(
            f,
            "{}: {steps} steps, {} faults injected, {broken} broken",
            self.database,
            self.injected()
        )?;
        for run in self.broken() {
            for problem in &run.problems {
                write!(f, "\n  {}: {}: {problem}", run.step, run.what)?;
            }
            let (seed, number) = (self.seed, run.step.number);
            let what = run.what.code();
            write!(f, "\n    FaultPlan::new({seed}).at_step({number}, {what})")?;
        }
        Ok(())
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Held => "held",
            Self::NotReached => "not reached",
            Self::Broken => "BROKEN",
        })
    }
}

/// What a sweep found broken. `Debug` is as readable as `Display`, for tests that end in it.
#[derive(Clone)]
pub struct SweepFailed {
    report: Box<SweepReport>,
    why: Option<String>,
}

impl SweepFailed {
    pub(super) fn new(report: SweepReport, why: Option<String>) -> Self {
        Self {
            report: Box::new(report),
            why,
        }
    }

    /// All that was tried until then.
    pub fn report(&self) -> &SweepReport {
        &self.report
    }
}

impl fmt::Display for SweepFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            Some(why) => write!(f, "the sweep came to no end: {why}"),
            None if self.report.injected() == 0 => f.write_str("no fault was injected"),
            None => write!(f, "the method is not sound:\n{}", self.report),
        }
    }
}

impl fmt::Debug for SweepFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for SweepFailed {}
