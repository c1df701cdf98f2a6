//! The slowest statements of the last day.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde::Serialize;

const DAY: Duration = Duration::from_hours(24);

/// A statement that was slower than the threshold, by its text without values.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SlowStatement {
    /// The text, normalised: no values, no comments, at most 1,000 characters.
    pub text: String,
    /// The method that sent the slowest of them, if one did.
    pub method: Option<&'static str>,
    /// How often it was slow.
    pub count: u64,
    /// The slowest, in milliseconds.
    pub max_ms: f64,
    /// The average of the slow ones, in milliseconds.
    pub average_ms: f64,
    /// How many seconds ago the latest was.
    pub last_seen_seconds_ago: f64,
}

#[derive(Debug)]
struct Entry {
    text: String,
    method: Option<&'static str>,
    count: u64,
    total: Duration,
    max: Duration,
    max_at: Duration,
    last_at: Duration,
}

/// A bounded list behind a lock that only slow statements take.
#[derive(Debug)]
pub(super) struct SlowStatements {
    entries: Mutex<Vec<Entry>>,
    keep: usize,
}

impl SlowStatements {
    pub(super) fn new(keep: usize) -> Self {
        Self {
            entries: Mutex::default(),
            keep,
        }
    }

    pub(super) fn record(
        &self,
        text: String,
        method: Option<&'static str>,
        took: Duration,
        at: Duration,
    ) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|e| at.saturating_sub(e.last_at) < DAY);
        if let Some(entry) = entries.iter_mut().find(|e| e.text == text) {
            entry.count += 1;
            entry.total += took;
            entry.last_at = at;
            // The worst of the window, not of all time.
            if took >= entry.max || at.saturating_sub(entry.max_at) >= DAY {
                (entry.max, entry.max_at, entry.method) = (took, at, method);
            }
            return;
        }
        if entries.len() >= self.keep {
            let mildest = entries.iter().enumerate().min_by_key(|(_, e)| e.max);
            match mildest.map(|(i, e)| (i, e.max)) {
                Some((i, max)) if max < took => {
                    entries.swap_remove(i);
                }
                _ => return,
            }
        }
        entries.push(Entry {
            text,
            method,
            count: 1,
            total: took,
            max: took,
            max_at: at,
            last_at: at,
        });
    }

    #[allow(clippy::cast_precision_loss)]
    pub(super) fn report(&self, now: Duration) -> Vec<SlowStatement> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let mut report: Vec<_> = entries
            .iter()
            .filter(|e| now.saturating_sub(e.last_at) < DAY)
            .map(|e| SlowStatement {
                text: e.text.clone(),
                method: e.method,
                count: e.count,
                max_ms: e.max.as_secs_f64() * 1e3,
                average_ms: e.total.as_secs_f64() * 1e3 / e.count as f64,
                last_seen_seconds_ago: now.saturating_sub(e.last_at).as_secs_f64(),
            })
            .collect();
        report.sort_by(|a, b| b.max_ms.total_cmp(&a.max_ms));
        report
    }
}
