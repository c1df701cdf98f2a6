//! The runs of a sweep, one after another.

use std::{fmt, future::Future};

use indicatif::{ProgressBar, ProgressStyle};
use resilient_core::{FaultKind, FaultSet, Outcome};

use super::{CallOutcome, FaultSweep, SweepReport, SweepRun, Verdict, leaks};
use crate::{
    ResilientConnection,
    testing::{Disturbance, FaultPlan, Injection, Point, Step, inflict::backend},
};

pub(super) struct Sweeping<'s, 'a> {
    db: &'s ResilientConnection,
    sweep: FaultSweep<'a>,
    report: SweepReport,
}

/// What a call answered.
struct Answer {
    ok: bool,
    outcome: Option<Outcome>,
    text: String,
}

impl Answer {
    fn of<T, E: CallOutcome>(result: &Result<T, E>) -> Self {
        match result {
            Ok(_) => Self {
                ok: true,
                outcome: Some(Outcome::Committed),
                text: "ok".to_owned(),
            },
            Err(error) => {
                let outcome = error.call_outcome();
                Self {
                    ok: false,
                    outcome,
                    text: outcome.map_or_else(|| "error".to_owned(), |o| o.to_string()),
                }
            }
        }
    }
}

impl<'s, 'a> Sweeping<'s, 'a> {
    pub(super) fn new(db: &'s ResilientConnection, sweep: FaultSweep<'a>) -> Self {
        let report = SweepReport::new(db.name(), sweep.seed);
        Self { db, sweep, report }
    }

    pub(super) fn finish(self) -> SweepReport {
        self.report
    }

    pub(super) async fn run<T, E, MF, IF, IE>(
        &mut self,
        method: &mut impl FnMut() -> MF,
        invariant: &mut impl FnMut() -> IF,
    ) -> Result<(), String>
    where
        E: CallOutcome,
        MF: Future<Output = Result<T, E>>,
        IF: Future<Output = Result<(), IE>>,
        IE: fmt::Display,
    {
        let steps = self.count(method, invariant).await?;
        self.report.steps.clone_from(&steps);
        let faults = self.sweep.faults.clone();
        let faults = faults.unwrap_or_else(|| FaultSweep::FAULTS.to_vec());
        let backend = backend(self.db.get_database_backend());
        let possible: Vec<(Step, Disturbance)> = steps
            .iter()
            .flat_map(|step| faults.iter().map(move |what| (step.clone(), *what)))
            .filter(|(step, what)| what.is_possible(step.point, backend))
            .collect();
        if possible.is_empty() {
            return Err("none of the faults can happen at any of its steps".to_owned());
        }
        let bar = self.progress(possible.len());
        for (step, what) in possible {
            bar.set_message(format!("{step}: {what}"));
            let run = self.one(step, what, method, invariant).await;
            self.report.runs.push(run?);
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(())
    }

    /// Nothing is shown where standard error is not a terminal.
    fn progress(&self, runs: usize) -> ProgressBar {
        if self.sweep.quiet {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len}  {msg}");
        let bar = ProgressBar::new(runs as u64);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar
    }

    /// The steps of a run without a fault, which has to go well.
    async fn count<T, E, MF, IF, IE>(
        &mut self,
        method: &mut impl FnMut() -> MF,
        invariant: &mut impl FnMut() -> IF,
    ) -> Result<Vec<Step>, String>
    where
        E: CallOutcome,
        MF: Future<Output = Result<T, E>>,
        IF: Future<Output = Result<(), IE>>,
        IE: fmt::Display,
    {
        self.reset().await?;
        let watched = self.inject(FaultPlan::new(self.sweep.seed))?;
        let result = method().await;
        let steps = watched.steps();
        drop(watched);
        if let Err(error) = &result {
            return Err(format!("without any fault, the method fails: {error}"));
        }
        if steps.is_empty() {
            return Err("the method takes no step on this connection".to_owned());
        }
        let problems = self.problems(&Answer::of(&result), invariant).await?;
        match problems.first() {
            Some(problem) => Err(format!("without any fault: {problem}")),
            None => Ok(steps),
        }
    }

    async fn one<T, E, MF, IF, IE>(
        &mut self,
        step: Step,
        what: Disturbance,
        method: &mut impl FnMut() -> MF,
        invariant: &mut impl FnMut() -> IF,
    ) -> Result<SweepRun, String>
    where
        E: CallOutcome,
        MF: Future<Output = Result<T, E>>,
        IF: Future<Output = Result<(), IE>>,
        IE: fmt::Display,
    {
        self.reset().await?;
        let plan = FaultPlan::new(self.sweep.seed).at_step(step.number, what);
        let injection = self.inject(plan)?;
        let answer = Answer::of(&method().await);
        let late = tokio::time::timeout(self.sweep.patience, injection.settled()).await;
        let reached = !injection.injected().is_empty();
        let mut problems = injection.failures();
        drop(injection);
        if late.is_err() {
            problems.push("a late COMMIT is still not carried out".to_owned());
        }
        problems.extend(self.problems(&answer, invariant).await?);
        // At COMMIT, only a verified one can tell.
        let told = step.point != Point::Commit || answer.outcome != Some(Outcome::Unknown);
        if reached && told && !answer.ok && self.must_heal(what) {
            problems.push(format!("{what} was to be healed, but the call failed"));
        }
        let verdict = match (problems.is_empty(), reached) {
            (false, _) => Verdict::Broken,
            (true, true) => Verdict::Held,
            (true, false) => Verdict::NotReached,
        };
        Ok(SweepRun {
            step,
            what,
            answer: answer.text,
            verdict,
            problems,
        })
    }

    fn must_heal(&self, what: Disturbance) -> bool {
        let kind = match what {
            Disturbance::Fault(kind) => kind,
            Disturbance::NotApplied | Disturbance::ReplyLost => FaultKind::ConnectionLost,
            Disturbance::Slow(_) => return self.sweep.must_heal != FaultSet::NONE,
            Disturbance::Late(_) | Disturbance::Hung => return false,
        };
        self.sweep.must_heal.contains(kind)
    }

    fn inject(&self, plan: FaultPlan) -> Result<Injection, String> {
        self.db.inject(plan).map_err(|error| error.to_string())
    }

    async fn reset(&mut self) -> Result<(), String> {
        match &mut self.sweep.reset {
            Some(reset) => reset()
                .await
                .map_err(|why| format!("the reset failed: {why}")),
            None => Ok(()),
        }
    }

    /// What does not hold after a run.
    async fn problems<IF, IE>(
        &mut self,
        answer: &Answer,
        invariant: &mut impl FnMut() -> IF,
    ) -> Result<Vec<String>, String>
    where
        IF: Future<Output = Result<(), IE>>,
        IE: fmt::Display,
    {
        // First: what is asked next may wait for what is left open.
        let mut problems = leaks::look(self.db, self.sweep.patience).await;
        if let Err(broken) = invariant().await {
            problems.push(format!("the invariant is broken: {broken}"));
        }
        if let Some(applied) = &mut self.sweep.applied {
            let times = applied().await;
            let times = times.map_err(|why| format!("applied() failed: {why}"))?;
            let right = match answer.outcome {
                Some(Outcome::Committed) => times == 1,
                Some(Outcome::RolledBack | Outcome::NotSent) => times == 0,
                _ => times <= 1,
            };
            if !right {
                let said = &answer.text;
                problems.push(format!(
                    "the call said {said}, and its work is stored {times} times"
                ));
            }
        }
        Ok(problems)
    }
}
