//! Admission: how many transactions of one method may be open at a time.
//!
//! Calls that take each other's rows lose more by trying at once than by waiting for each other.
//! How many are best depends on the rows, the isolation level and the server, so it is found out
//! while they run. There is no limit until calls fail by contention, and one
//! that does not pay is lifted again.

mod gate;
mod limit;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use serde::Serialize;
use strum::{Display, EnumString};

pub(crate) use gate::{Gate, Permit};
pub(crate) use limit::Ended;

use crate::time::Clock;

/// Whether calls that are in each other's way take turns before they begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Display, EnumString, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Admission {
    /// Every call begins at once. The default.
    #[default]
    Off,
    /// As many transactions of a method are open at a time as bring the most commits; no limit
    /// while none fails by contention.
    Adaptive,
}

/// How a method's admission stands on one database.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct AdmissionSnapshot {
    /// The method.
    pub method: &'static str,
    /// How many transactions may be open at a time; `None` without a limit.
    pub limit: Option<u64>,
    /// How many are open.
    pub in_flight: u64,
    /// How many calls wait.
    pub waiting: u64,
    /// How many have waited so far.
    pub waited: u64,
    /// How often the limit was changed.
    pub changes: u64,
    /// How long a statement may wait for a lock before its attempt is given up, in seconds;
    /// `None` without a limit.
    pub lock_timeout_seconds: Option<f64>,
}

/// The gates of one database, by method.
#[derive(Default)]
pub(crate) struct Gates(RwLock<BTreeMap<&'static str, Arc<Gate>>>);

impl Gates {
    /// The gate of a method, made if it is the first call.
    pub(crate) fn of(&self, method: &'static str, clock: &Arc<dyn Clock>) -> Arc<Gate> {
        {
            let gates = self.0.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(gate) = gates.get(method) {
                return Arc::clone(gate);
            }
        }
        let mut gates = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let made = || Arc::new(Gate::new(Arc::clone(clock)));
        Arc::clone(gates.entry(method).or_insert_with(made))
    }

    /// How each stands.
    pub(crate) fn snapshot(&self) -> Vec<AdmissionSnapshot> {
        let gates = self.0.read().unwrap_or_else(PoisonError::into_inner);
        gates
            .iter()
            .map(|(method, gate)| gate.snapshot(method))
            .collect()
    }
}

impl fmt::Debug for Gates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.snapshot()).finish()
    }
}

/// What a transaction's owner says about itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Owner {
    /// Whose it is; `None` for one of `begin()`.
    pub(crate) method: Option<&'static str>,
    pub(crate) admission: Admission,
    /// Whether a lock timeout would be followed by another attempt.
    pub(crate) repeats_lock_timeouts: bool,
}

impl Owner {
    /// Which gate its transaction passes, if one.
    pub(crate) fn gated(&self) -> Option<&'static str> {
        match self.admission {
            Admission::Off => None,
            Admission::Adaptive => self.method,
        }
    }
}

/// How long a statement may wait for a lock if nobody says otherwise: a share of the time that
/// the attempt has, so that there is time for all attempts that may follow.
pub(crate) fn share_for_locks(left: Duration, retries_left: u32) -> Duration {
    /// Half is for the work itself.
    const HALVES: u32 = 2;
    let attempts = retries_left.saturating_add(1).min(32);
    (left / (HALVES * attempts)).max(Duration::from_millis(1))
}
