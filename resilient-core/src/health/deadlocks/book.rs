//! [`DeadlockBook`]: the deadlocks of one database, counted and kept.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr};

use super::{Advice, Deadlock, advice};

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// How many deadlocks are kept whole.
const KEPT: usize = 20;

/// How many moments are remembered for the rates; more within a day count as that many.
const MOMENTS: usize = 10_000;

/// The same for each pair and its last hour.
const PAIR_MOMENTS: usize = 1_000;

/// From how many deadlocks within the last hour they are worse than `low`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct DeadlockThresholds {
    /// `medium`; 5 by default.
    pub medium_per_hour: u64,
    /// `high`; 30 by default.
    pub high_per_hour: u64,
}

impl Default for DeadlockThresholds {
    fn default() -> Self {
        Self {
            medium_per_hour: 5,
            high_per_hour: 30,
        }
    }
}

impl DeadlockThresholds {
    fn severity(&self, per_hour: u64) -> Severity {
        match per_hour {
            n if n >= self.high_per_hour => Severity::High,
            n if n >= self.medium_per_hour => Severity::Medium,
            _ => Severity::Low,
        }
    }
}

/// How bad it is.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Display,
    EnumString,
    IntoStaticStr,
    Serialize,
    Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "DeadlockSeverity"))]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Now and then: the retries heal it.
    #[default]
    Low,
    /// Often enough to cost throughput.
    Medium,
    /// So often that retries collide again.
    High,
}

impl Severity {
    /// 1 low, 2 medium, 3 high: what the alert counts.
    pub fn level(self) -> u8 {
        self as u8 + 1
    }
}

/// Two methods, or one with itself, and how often they fought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct DeadlockPair {
    /// Both methods, in alphabetical order; `?` for a session of another process.
    pub methods: [String; 2],
    /// The tables that they waited for.
    pub tables: Vec<String>,
    /// How often.
    pub count: u64,
    /// Within the last hour; more than 1000 count as that many.
    pub last_hour: u64,
    /// How bad the last hour was for this pair.
    pub severity: Severity,
    /// Whether gaps between index entries were locked.
    pub gaps: bool,
}

/// What is known about the deadlocks of one database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct DeadlockReport {
    /// Since the start.
    pub total: u64,
    /// Within the last hour.
    pub last_hour: u64,
    /// Within the last 24 hours.
    pub last_24_hours: u64,
    /// How bad the last hour was.
    pub severity: Severity,
    /// By method, a participant each.
    pub by_method: BTreeMap<String, u64>,
    /// By table.
    pub by_table: BTreeMap<String, u64>,
    /// Who fights whom, the most frequent first.
    pub pairs: Vec<DeadlockPair>,
    /// The last ones, the newest first.
    pub last: Vec<Deadlock>,
    /// What to do, for the most frequent pair first.
    pub advice: Vec<Advice>,
}

/// The deadlocks of one database.
#[derive(Debug, Default)]
pub struct DeadlockBook {
    thresholds: DeadlockThresholds,
    pages: Mutex<Pages>,
}

#[derive(Debug, Default)]
struct Pages {
    total: u64,
    moments: VecDeque<u64>,
    by_method: BTreeMap<String, u64>,
    by_table: BTreeMap<String, u64>,
    pairs: BTreeMap<[String; 2], Pair>,
    last: VecDeque<Deadlock>,
}

#[derive(Debug, Default)]
struct Pair {
    count: u64,
    moments: VecDeque<u64>,
    tables: Vec<String>,
    gaps: bool,
}

impl DeadlockBook {
    /// An empty book.
    pub fn new(thresholds: DeadlockThresholds) -> Self {
        Self {
            thresholds,
            pages: Mutex::default(),
        }
    }

    fn pages(&self) -> std::sync::MutexGuard<'_, Pages> {
        // Taken once a deadlock, never on the way of a call that succeeds.
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many there were.
    pub(crate) fn total(&self) -> u64 {
        self.pages().total
    }

    /// Enters a deadlock. One that is in the book already, as several sessions of this process
    /// can have been told of it, is not entered twice.
    pub fn enter(&self, deadlock: Deadlock) {
        let mut pages = self.pages();
        let same = |known: &Deadlock| {
            known.at_unix_ms.abs_diff(deadlock.at_unix_ms) < 60_000
                && !deadlock.participants.is_empty()
                && pids(known) == pids(&deadlock)
                && victim(known) == victim(&deadlock)
        };
        if pages.last.iter().take(3).any(same) {
            return;
        }
        pages.total += 1;
        remember(&mut pages.moments, deadlock.at_unix_ms, MOMENTS);
        for method in deadlock.methods() {
            *pages.by_method.entry(method.to_owned()).or_default() += 1;
        }
        let tables: Vec<String> = deadlock.tables().iter().map(ToString::to_string).collect();
        for table in &tables {
            *pages.by_table.entry(table.clone()).or_default() += 1;
        }
        if let [first, second, ..] = &*deadlock.participants {
            let name = |method: &Option<String>| method.clone().unwrap_or_else(|| "?".to_owned());
            let mut methods = [name(&first.method), name(&second.method)];
            methods.sort();
            let pair = pages.pairs.entry(methods).or_default();
            pair.count += 1;
            remember(&mut pair.moments, deadlock.at_unix_ms, PAIR_MOMENTS);
            pair.gaps |= [first, second]
                .iter()
                .any(|p| p.waits_for.as_ref().is_some_and(|lock| lock.gap));
            for table in tables {
                if !pair.tables.contains(&table) {
                    pair.tables.push(table);
                }
            }
        }
        pages.last.push_front(deadlock);
        pages.last.truncate(KEPT);
    }

    /// What is known at `now`, in milliseconds since the Unix epoch.
    pub fn report(&self, now_unix_ms: u64) -> DeadlockReport {
        let pages = self.pages();
        let within = |moments: &VecDeque<u64>, span: u64| {
            let recent = moments.iter().filter(|at| **at + span > now_unix_ms);
            recent.count() as u64
        };
        let last_hour = within(&pages.moments, HOUR_MS);
        let mut pairs: Vec<DeadlockPair> = pages
            .pairs
            .iter()
            .map(|(methods, pair)| {
                let last_hour = within(&pair.moments, HOUR_MS);
                DeadlockPair {
                    methods: methods.clone(),
                    tables: pair.tables.clone(),
                    count: pair.count,
                    last_hour,
                    severity: self.thresholds.severity(last_hour),
                    gaps: pair.gaps,
                }
            })
            .collect();
        pairs.sort_by_key(|pair| std::cmp::Reverse(pair.count));
        DeadlockReport {
            total: pages.total,
            last_hour,
            last_24_hours: within(&pages.moments, DAY_MS),
            severity: self.thresholds.severity(last_hour),
            by_method: pages.by_method.clone(),
            by_table: pages.by_table.clone(),
            advice: pairs.iter().take(5).map(advice::on).collect(),
            pairs,
            last: pages.last.iter().cloned().collect(),
        }
    }
}

fn remember(moments: &mut VecDeque<u64>, at: u64, most: usize) {
    if moments.len() == most {
        moments.pop_front();
    }
    moments.push_back(at);
}

fn pids(deadlock: &Deadlock) -> Vec<u64> {
    let mut pids: Vec<u64> = deadlock.participants.iter().map(|p| p.pid).collect();
    pids.sort_unstable();
    pids
}

fn victim(deadlock: &Deadlock) -> Option<u64> {
    deadlock.victim().map(|p| p.pid)
}
