//! [`fault_sweep`]: every fault at every step of a method.

mod leaks;
mod report;
mod run;

use std::{fmt, future::Future, pin::Pin, time::Duration};

use resilient_core::{FaultKind, FaultSet, Outcome};
use sea_orm::DbErr;

pub use report::{SweepFailed, SweepReport, SweepRun, Verdict};
use run::Sweeping;

use super::Disturbance;
use crate::{Error, ResilientConnection, extract};

/// What an error says about the work of the call that returned it. For an error enum of your own,
/// ask the variant that holds the framework's [`Error`].
pub trait CallOutcome: fmt::Display {
    /// What became of the work; `None` if the error does not know.
    fn call_outcome(&self) -> Option<Outcome>;
}

impl CallOutcome for Error {
    fn call_outcome(&self) -> Option<Outcome> {
        Some(self.outcome())
    }
}

impl CallOutcome for DbErr {
    fn call_outcome(&self) -> Option<Outcome> {
        extract::carried(self).map(Error::outcome)
    }
}

type Ask<'a, T> = Box<dyn FnMut() -> Pin<Box<dyn Future<Output = Result<T, String>> + 'a>> + 'a>;

/// What a sweep tries, and what it asks in between.
pub struct FaultSweep<'a> {
    faults: Option<Vec<Disturbance>>,
    seed: u64,
    reset: Option<Ask<'a, ()>>,
    applied: Option<Ask<'a, u64>>,
    must_heal: FaultSet,
    patience: Duration,
    quiet: bool,
}

impl Default for FaultSweep<'_> {
    fn default() -> Self {
        Self {
            faults: None,
            seed: 0,
            reset: None,
            applied: None,
            must_heal: FaultSet::NONE,
            patience: Duration::from_secs(10),
            quiet: false,
        }
    }
}

impl<'a> FaultSweep<'a> {
    /// The faults of [`FaultSweep::FAULTS`], and nothing to ask but the invariant.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is tried unless [`faults`](Self::faults) says otherwise. Not among them is what takes
    /// time: [`Disturbance::Slow`] and [`Disturbance::Hung`].
    pub const FAULTS: &'static [Disturbance] = &[
        Disturbance::Fault(FaultKind::PoolTimeout),
        Disturbance::Fault(FaultKind::ServerUnavailable),
        Disturbance::Fault(FaultKind::Deadlock),
        Disturbance::Fault(FaultKind::SerializationFailure),
        Disturbance::Fault(FaultKind::LockTimeout),
        Disturbance::Fault(FaultKind::StatementTimeout),
        Disturbance::Fault(FaultKind::StalePlan),
        Disturbance::Fault(FaultKind::ReadOnly),
        Disturbance::Fault(FaultKind::DiskFull),
        Disturbance::Fault(FaultKind::Internal),
        Disturbance::NotApplied,
        Disturbance::ReplyLost,
        Disturbance::Late(Duration::from_millis(50)),
    ];

    /// The faults to try, each at each step where the engine can have it.
    #[must_use]
    pub fn faults<D: Into<Disturbance>>(mut self, faults: impl IntoIterator<Item = D>) -> Self {
        self.faults = Some(faults.into_iter().map(Into::into).collect());
        self
    }

    /// The seed of the plans, which the messages name; 0 by default.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Runs before each run of the method: it puts the data back to where they were.
    #[must_use]
    pub fn reset<F, R, T, E>(mut self, mut reset: F) -> Self
    where
        F: FnMut() -> R + 'a,
        R: Future<Output = Result<T, E>> + 'a,
        T: 'a,
        E: fmt::Display + 'a,
    {
        self.reset = Some(Box::new(move || {
            let reset = reset();
            text(async move { reset.await.map(drop) })
        }));
        self
    }

    /// Tells how often the method's work is stored: 0 if not at all. The sweep then checks that
    /// an `Ok`, or an error whose outcome is `committed`, means once; that `rolled_back` and
    /// `not_sent` mean not at all; and that `unknown` means at most once.
    #[must_use]
    pub fn applied<F, R, E>(mut self, mut applied: F) -> Self
    where
        F: FnMut() -> R + 'a,
        R: Future<Output = Result<u64, E>> + 'a,
        E: fmt::Display,
    {
        self.applied = Some(Box::new(move || text(applied())));
        self
    }

    /// Kinds of fault that the method has to survive with an `Ok` when they strike once, at
    /// whatever step; none by default. An answer of `unknown` at COMMIT is left out: only a
    /// verified commit could tell.
    #[must_use]
    pub fn must_heal(mut self, kinds: FaultSet) -> Self {
        self.must_heal = kinds;
        self
    }

    /// How long connections may take to be back in the pool after a run; 10 s by default.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Shows no progress and prints no table.
    #[must_use]
    pub fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }
}

impl fmt::Debug for FaultSweep<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultSweep")
            .field("faults", &self.faults)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

fn text<'a, T, E: fmt::Display>(
    asked: impl Future<Output = Result<T, E>> + 'a,
) -> Pin<Box<dyn Future<Output = Result<T, String>> + 'a>> {
    Box::pin(async move { asked.await.map_err(|error| error.to_string()) })
}

/// Runs `method` once to count its steps on `db`, then once for each step and fault, and checks
/// `invariant` after each run.
///
/// After each run it also checks that no transaction is open and every connection of the pool
/// can be had, and what [`FaultSweep::applied`] says. Progress is shown on a terminal's standard
/// error, the table printed to standard output.
///
/// The method must take the same steps each time, so [`FaultSweep::reset`] has to put back what
/// it changes. Nothing else should use `db` meanwhile; the closures may. A fault strikes once:
/// a method that retries gets the chance to heal.
///
/// # Errors
/// When anything did not hold, with each broken combination and how to reproduce it; when the
/// method fails without a fault, or takes no step; and when no fault could be injected.
///
/// # Cancel safety
/// Dropping the future ends the sweep as dropping the method's own future would end that.
pub async fn fault_sweep<T, E, M, MF, I, IF, IE>(
    db: &ResilientConnection,
    sweep: FaultSweep<'_>,
    mut method: M,
    mut invariant: I,
) -> Result<SweepReport, SweepFailed>
where
    E: CallOutcome,
    M: FnMut() -> MF,
    MF: Future<Output = Result<T, E>>,
    I: FnMut() -> IF,
    IF: Future<Output = Result<(), IE>>,
    IE: fmt::Display,
{
    let quiet = sweep.quiet;
    let mut sweeping = Sweeping::new(db, sweep);
    let result = sweeping.run(&mut method, &mut invariant).await;
    let report = sweeping.finish();
    if !quiet {
        println!("{report}");
    }
    match result {
        Ok(()) if report.is_sound() => Ok(report),
        Ok(()) => Err(SweepFailed::new(report, None)),
        Err(why) => Err(SweepFailed::new(report, Some(why))),
    }
}
