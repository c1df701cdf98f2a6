//! A snapshot by metric: what every exporter writes out in its own way.

use std::collections::BTreeMap;

use super::{
    ConnectionSnapshot, DatabaseSnapshot, LatencySnapshot, MethodSnapshot, Snapshot,
    instrument::{self as on, Instrument},
};
use crate::health::breaker::BreakerState;

/// A metric and its numbers.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Family {
    /// What they are.
    pub instrument: &'static Instrument,
    /// At least one, each with other values of its labels.
    pub points: Vec<Point>,
}

/// One number.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Point {
    /// The values of [`Instrument::labels`], in their order; empty where they are not known.
    pub labels: Vec<String>,
    /// What was counted.
    pub value: Value,
}

/// What was counted.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Things.
    Count(u64),
    /// An amount, in seconds.
    Amount(f64),
    /// Durations.
    Distribution(Box<LatencySnapshot>),
}

/// The numbers of each metric while they are put together.
#[derive(Default)]
struct Families(BTreeMap<usize, BTreeMap<Vec<String>, Value>>);

impl Families {
    fn add(&mut self, instrument: &'static Instrument, labels: &[&str], value: Value) {
        debug_assert_eq!(instrument.labels.len(), labels.len());
        let position = on::ALL.iter().position(|i| std::ptr::eq(*i, instrument));
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        let points = self.0.entry(position.unwrap_or(usize::MAX)).or_default();
        match (points.get_mut(&labels), &value) {
            // Without some of their names, different constraints look the same.
            (Some(Value::Count(sum)), Value::Count(n)) => *sum += n,
            _ => drop(points.insert(labels, value)),
        }
    }

    fn count(&mut self, instrument: &'static Instrument, labels: &[&str], n: u64) {
        self.add(instrument, labels, Value::Count(n));
    }

    fn method(&mut self, name: &str, m: &MethodSnapshot) {
        self.count(&on::CALLS, &[name, "succeeded", ""], m.succeeded);
        self.count(&on::CALLS, &[name, "cancelled", ""], m.cancelled);
        for (outcome, n) in &m.outcomes {
            self.count(&on::CALLS, &[name, "failed", &outcome.to_string()], *n);
        }
        self.count(&on::ATTEMPTS, &[name], m.attempts);
        for (fault, n) in &m.retries {
            self.count(&on::RETRIES, &[name, &fault.to_string()], *n);
        }
        for (fault, n) in &m.faults {
            self.count(&on::ATTEMPT_FAULTS, &[name, &fault.to_string()], *n);
        }
        for (reason, n) in [
            ("attempts_exhausted", m.attempts_exhausted),
            ("budget_exhausted", m.budget_exhausted),
            ("circuit_open", m.circuit_open),
            ("deadline_exceeded", m.deadline_exceeded),
        ] {
            self.count(&on::STOPS, &[name, reason], n);
        }
        self.add(&on::BACKOFF, &[name], Value::Amount(m.backoff_seconds));
        let latency = Value::Distribution(Box::new(m.latency));
        self.add(&on::CALL_DURATION, &[name], latency);
    }

    fn connection(&mut self, name: &str, c: &ConnectionSnapshot) {
        for (instrument, n) in [
            (&on::BEGUN, c.begun),
            (&on::VERIFIED, c.verified),
            (&on::HOOKS_RUN, c.hooks_run),
            (&on::HOOKS_FAILED, c.hooks_failed),
            (&on::DOOMED, c.doomed),
            (&on::SAVEPOINTS, c.savepoints),
            (&on::SAVEPOINTS_BACK, c.savepoints_rolled_back),
            (&on::DISCARDED, c.discarded),
            (&on::BUDGET_EXHAUSTED, c.budget_exhausted),
            (&on::TURNS_WAITED, c.turns_waited),
            (&on::BREAKER_OPENED, c.breaker_opened),
            (&on::BREAKER_REJECTED, c.breaker_rejected),
        ] {
            self.count(instrument, &[name], n);
        }
        for (result, n) in [
            ("committed", c.committed),
            ("rolled_back", c.rolled_back),
            ("unknown", c.commit_unknown),
        ] {
            self.count(&on::ENDED, &[name, result], n);
        }
        for (result, n) in [
            ("committed", c.resolved_committed),
            ("rolled_back", c.resolved_rolled_back),
        ] {
            self.count(&on::RESOLVED, &[name, result], n);
        }
        for (fault, n) in &c.faults {
            self.count(&on::FAULTS, &[name, &fault.to_string()], *n);
        }
        self.add(&on::TURNS_WAIT, &[name], Value::Amount(c.turn_wait_seconds));
        for state in [
            BreakerState::Closed,
            BreakerState::HalfOpen,
            BreakerState::Open,
        ] {
            let is = u64::from(state == c.breaker_state);
            self.count(&on::BREAKER_STATE, &[name, &state.to_string()], is);
        }
    }

    fn database(&mut self, name: &str, d: &DatabaseSnapshot) {
        let acquire = Value::Distribution(Box::new(d.acquire));
        self.add(&on::POOL_WAIT, &[name], acquire);
        self.count(&on::POOL_FAILED, &[name], d.acquire_failures);
        self.count(&on::POOL_OPENED, &[name], d.connections_opened);
        for (reason, n) in &d.connections_closed {
            self.count(&on::POOL_CLOSED, &[name, reason.as_str()], *n);
        }
        self.count(&on::OVERDUE, &[name, "warned"], d.transactions_warned);
        self.count(&on::OVERDUE, &[name, "ended"], d.transactions_ended);
        self.count(&on::DEADLOCKS, &[name], d.deadlocks);
        for gate in &d.admission {
            let labels = [name, gate.method];
            self.count(&on::ADMISSION_WAITED, &labels, gate.waited);
            self.count(&on::ADMISSION_CHANGES, &labels, gate.changes);
        }
        // What is not there any more has no state.
        if d.handles > 0 {
            self.state(name, d);
        }
    }

    fn state(&mut self, name: &str, d: &DatabaseSnapshot) {
        if let Some(pool) = &d.pool {
            self.count(&on::POOL_COUNT, &[name, "idle"], pool.idle);
            self.count(&on::POOL_COUNT, &[name, "used"], pool.in_use);
            self.count(&on::POOL_MAX, &[name], pool.max_connections);
            self.count(&on::POOL_WAITING, &[name], pool.waiting);
            self.count(&on::POOL_LEAKS, &[name], pool.suspected_leaks);
        }
        self.count(&on::OPEN, &[name], d.open_transactions);
        let oldest = Value::Amount(d.oldest_transaction_seconds);
        self.add(&on::OLDEST, &[name], oldest);
        self.count(&on::BUDGET, &[name], d.retry_budget);
        for alert in &d.alerts {
            let severity = alert.severity.to_string();
            let labels = [name, alert.kind.as_str(), &severity];
            self.count(&on::ALERTS, &labels, alert.count);
        }
        for gate in &d.admission {
            let labels = [name, gate.method];
            if let Some(limit) = gate.limit {
                self.count(&on::ADMISSION_LIMIT, &labels, limit);
            }
            self.count(&on::ADMISSION_OPEN, &labels, gate.in_flight);
            self.count(&on::ADMISSION_WAITING, &labels, gate.waiting);
        }
    }
}

impl Snapshot {
    /// The numbers by metric, in the order of [`instrument::ALL`](super::instrument::ALL);
    /// metrics without any are left out.
    pub fn families(&self) -> Vec<Family> {
        let mut families = Families::default();
        for (name, method) in &self.methods {
            families.method(name, method);
        }
        for (name, connection) in &self.connections {
            families.connection(name, connection);
        }
        for seen in &self.violations {
            let labels = [
                &*seen.connection,
                &seen.kind.to_string(),
                seen.table.as_deref().unwrap_or_default(),
                seen.constraint.as_deref().unwrap_or_default(),
                &seen.columns.join(","),
            ];
            families.count(&on::VIOLATIONS, &labels, seen.count);
        }
        for (name, database) in &self.databases {
            families.database(name, database);
        }
        let by_metric = families.0.into_iter();
        by_metric
            .filter_map(|(at, points)| {
                let points = points.into_iter();
                let points = points.map(|(labels, value)| Point { labels, value });
                Some(Family {
                    instrument: on::ALL.get(at)?,
                    points: points.collect(),
                })
            })
            .collect()
    }
}
