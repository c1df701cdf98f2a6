//! The alerts that stand, and those that are over.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use serde::Serialize;

use super::{
    Alert, AlertCallback, AlertConfig, AlertKind, AlertRule, Change, Severity, deliver::Deliveries,
};
use crate::{
    health::Events,
    time::{Clock, unix_ms},
};

/// How many alerts can stand at once; what comes after these is raised for one shared subject,
/// so that subjects without end fill no memory.
const MAX_ACTIVE: usize = 1000;

/// What does not fit.
const OTHERS: &str = "(others)";

/// The alerts of one database.
#[derive(Debug)]
pub struct AlertBoard {
    database: String,
    /// By the number of the kind, so that looking one up costs nothing.
    rules: Box<[AlertRule]>,
    history: usize,
    clock: Arc<dyn Clock>,
    /// How often values come that somebody measures at intervals, in milliseconds.
    heard_every: AtomicU64,
    state: Mutex<State>,
    deliveries: Deliveries,
}

#[derive(Debug, Default)]
struct State {
    active: BTreeMap<(AlertKind, String), Standing>,
    past: VecDeque<Alert>,
}

impl State {
    /// Where an observation belongs; one that is `bad` may have to share a place.
    fn key(&self, kind: AlertKind, subject: &str, bad: bool) -> (AlertKind, String) {
        let key = (kind, subject.to_owned());
        if bad && self.active.len() >= MAX_ACTIVE && !self.active.contains_key(&key) {
            return (kind, OTHERS.to_owned());
        }
        key
    }
}

#[derive(Debug)]
struct Standing {
    alert: Alert,
    /// Any value at all.
    heard: Instant,
    good: u32,
    good_since: Option<Instant>,
}

impl Standing {
    /// Takes a value in; answers what follows.
    fn observe(
        &mut self,
        rule: &AlertRule,
        value: f64,
        detail: Option<&str>,
        now: Instant,
    ) -> Option<Change> {
        self.heard = now;
        if value <= rule.clear_below && value < rule.threshold {
            self.good += 1;
            let since = *self.good_since.get_or_insert(now);
            let over =
                self.good >= rule.clear_after && now.saturating_duration_since(since) >= rule.hold;
            return over.then_some(Change::Cleared);
        }
        (self.good, self.good_since) = (0, None);
        let news = detail.filter(|new| self.alert.detail.as_deref() != Some(*new));
        if value > self.alert.value || news.is_some() {
            self.alert.value = self.alert.value.max(value);
            if let Some(news) = news {
                self.alert.detail = Some(news.to_owned());
            }
            self.alert.describe();
        }
        if value >= rule.critical && self.alert.severity < Severity::Critical {
            self.alert.severity = Severity::Critical;
            return Some(Change::Escalated);
        }
        None
    }
}

/// The alerts of a database at one moment.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct AlertReport {
    /// Those that stand, the most severe first.
    pub active: Vec<Alert>,
    /// Those that are over, the latest first.
    pub history: Vec<Alert>,
}

impl AlertBoard {
    /// A board without alerts.
    pub fn new(
        database: impl Into<String>,
        config: &AlertConfig,
        callbacks: Vec<AlertCallback>,
        events: Events,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            database: database.into(),
            rules: AlertKind::ALL.iter().map(|kind| config.of(*kind)).collect(),
            history: config.history,
            clock,
            heard_every: AtomicU64::new(0),
            state: Mutex::default(),
            deliveries: Deliveries::new(callbacks, events),
        }
    }

    /// The rule of a kind.
    pub fn rule(&self, kind: AlertKind) -> &AlertRule {
        &self.rules[kind as usize]
    }

    /// Whether a value of this kind raises an alert; costs no lock.
    pub fn passes(&self, kind: AlertKind, value: f64) -> bool {
        let rule = self.rule(kind);
        rule.enabled && value >= rule.threshold
    }

    /// Takes in what was measured of `subject`, in the kind's unit. Raises, escalates or clears
    /// its alert, if that is due, and tells of it.
    pub fn observe(&self, kind: AlertKind, subject: &str, value: f64) {
        self.observe_with(kind, subject, value, None);
    }

    /// The same, with what is known about the cause; the alert's message says it.
    pub fn observe_with(&self, kind: AlertKind, subject: &str, value: f64, detail: Option<&str>) {
        let rule = self.rule(kind);
        if !rule.enabled || value.is_nan() {
            return;
        }
        let now = self.clock.now();
        {
            let mut state = self.state();
            self.expire(&mut state, now);
            let key = state.key(kind, subject, value >= rule.threshold);
            if let Some(standing) = state.active.get_mut(&key) {
                match standing.observe(rule, value, detail, now) {
                    Some(Change::Cleared) => self.clear(&mut state, &key),
                    Some(change) => self.deliveries.push(change, standing.alert.clone()),
                    None => {}
                }
            } else if value >= rule.threshold {
                let mut alert = self.alert(rule, kind, key.1.clone(), value);
                alert.detail = detail.map(str::to_owned);
                alert.describe();
                self.deliveries.push(Change::Raised, alert.clone());
                let standing = Standing {
                    alert,
                    heard: now,
                    good: 0,
                    good_since: None,
                };
                state.active.insert(key, standing);
            }
        }
        self.deliveries.flush();
    }

    /// The subject is gone, or what was wrong with it is over for certain: clears its alert at
    /// once, if one stands.
    pub fn resolve(&self, kind: AlertKind, subject: &str) {
        {
            let mut state = self.state();
            self.clear(&mut state, &(kind, subject.to_owned()));
        }
        self.deliveries.flush();
    }

    /// Says that values are measured once in so long, so that silence for less than three of
    /// these means nothing. Single events (a bulk operation, an empty budget) are not measured.
    pub fn heard_every(&self, interval: Duration) {
        let ms = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
        self.heard_every.store(ms, Relaxed);
    }

    /// Clears what nothing was heard of for as long as its rule says. The monitor asks for it,
    /// and every other use of the board does too.
    pub fn sweep(&self) {
        self.expire(&mut self.state(), self.clock.now());
        self.deliveries.flush();
    }

    /// Whether an alert of this kind stands for this subject.
    pub fn stands(&self, kind: AlertKind, subject: &str) -> bool {
        let state = self.state();
        state.active.contains_key(&(kind, subject.to_owned()))
    }

    /// How many stand, without clearing any.
    pub(crate) fn counts(&self) -> BTreeMap<(AlertKind, Severity), u64> {
        let mut counts = BTreeMap::new();
        for standing in self.state().active.values() {
            let alert = &standing.alert;
            *counts.entry((alert.kind, alert.severity)).or_default() += 1;
        }
        counts
    }

    /// Those that stand and those that are over.
    pub fn report(&self) -> AlertReport {
        self.sweep();
        let state = self.state();
        let mut active: Vec<_> = state.active.values().map(|s| s.alert.clone()).collect();
        active.sort_by_key(|alert| std::cmp::Reverse(alert.severity));
        AlertReport {
            active,
            history: state.past.iter().rev().cloned().collect(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn alert(&self, rule: &AlertRule, kind: AlertKind, subject: String, value: f64) -> Alert {
        let critical = value >= rule.critical;
        Alert {
            database: self.database.clone(),
            kind,
            severity: if critical {
                Severity::Critical
            } else {
                Severity::Warning
            },
            subject,
            value,
            threshold: rule.threshold,
            detail: None,
            message: String::new(),
            since_unix_ms: unix_ms(),
            cleared_unix_ms: None,
        }
    }

    fn expire(&self, state: &mut State, now: Instant) {
        let silent = |standing: &Standing| {
            let mut quiet = self.rule(standing.alert.kind).quiet;
            if standing.alert.kind.is_measured() {
                quiet = quiet.max(Duration::from_millis(self.heard_every.load(Relaxed)) * 3);
            }
            now.saturating_duration_since(standing.heard) >= quiet
        };
        let over: Vec<_> = state
            .active
            .iter()
            .filter(|(_, standing)| silent(standing))
            .map(|(key, _)| key.clone())
            .collect();
        for key in over {
            self.clear(state, &key);
        }
    }

    fn clear(&self, state: &mut State, key: &(AlertKind, String)) {
        let Some(standing) = state.active.remove(key) else {
            return;
        };
        let mut alert = standing.alert;
        alert.cleared_unix_ms = Some(unix_ms());
        state.past.push_back(alert.clone());
        while state.past.len() > self.history {
            state.past.pop_front();
        }
        self.deliveries.push(Change::Cleared, alert);
    }
}
