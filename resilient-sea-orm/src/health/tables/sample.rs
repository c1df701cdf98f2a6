//! Some rows of a big table that stand for all of them.

use std::fmt::Write as _;

use resilient_core::health::tables::RowCounts;
use sea_orm::{ConnectionTrait, DbErr, Statement};

use super::{facts::Facts, target::Target};

/// In how many places of a table rows are read.
const PLACES: u64 = 50;

/// What rows were read, and how many they stand for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sample {
    read: f64,
    deleted: f64,
    old: f64,
    /// How many rows there are in all, if the sample tells.
    total: Option<f64>,
}

// Estimates need no more than 52 bits.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]
impl Sample {
    pub(super) fn of(rows: &RowCounts) -> Self {
        Self {
            read: rows.total as f64,
            deleted: rows.deleted.unwrap_or_default() as f64,
            old: rows.old_deleted.unwrap_or_default() as f64,
            total: None,
        }
    }

    /// As if all rows were like these; there are `least` of them at least.
    pub(super) fn scaled(
        self,
        target: &Target<'_>,
        facts: &Facts,
        least: u64,
        days: u32,
    ) -> RowCounts {
        let total = match (facts.rows, self.total) {
            (Some(known), _) if !facts.guessed => known,
            (_, Some(total)) => total.round() as u64,
            (Some(guess), None) => guess,
            (None, None) => self.read as u64,
        };
        let total = total.max(least);
        let share = |part: f64| {
            let all = if self.read > 0.0 { self.read } else { 1.0 };
            (part / all * total as f64).round() as u64
        };
        RowCounts {
            total,
            deleted: target.column.map(|_| share(self.deleted)),
            old_deleted: target.old("gone", days).map(|_| share(self.old)),
            estimated: true,
        }
    }
}

/// On PostgreSQL: pages from all over the table, about `limit` rows; the same ones next time, so
/// that a report does not change by chance.
pub(super) async fn of_pages(
    db: &impl ConnectionTrait,
    target: &Target<'_>,
    facts: &Facts,
    days: u32,
    limit: u64,
) -> Result<Sample, DbErr> {
    let expected = facts.rows.unwrap_or_default().max(1);
    #[allow(clippy::cast_precision_loss)]
    let percent = (100.0 * limit as f64 / expected as f64).clamp(0.000_001, 100.0);
    // The planner only guesses how many rows fit on a page of a table that it never analyzed.
    let most = limit.saturating_mul(10);
    let query = format!(
        "SELECT {} FROM (SELECT {} FROM {} TABLESAMPLE SYSTEM ({percent:.6}) \
         REPEATABLE (0) LIMIT {most}) q",
        target.counts(days),
        target.reads(),
        target.name(),
    );
    let query = Statement::from_string(target.backend, query);
    let Some(row) = db.query_one_raw(query).await? else {
        return Ok(Sample::default());
    };
    let number = |name| row.try_get::<i64>("", name).map(i64::unsigned_abs);
    let mut sample = Sample::of(&RowCounts {
        total: number("total")?,
        deleted: Some(number("deleted")?),
        old_deleted: Some(number("old_deleted")?),
        estimated: true,
    });
    if number("total")? < most {
        sample.total = Some(sample.read * 100.0 / percent);
    }
    Ok(sample)
}

/// Rows behind places that are evenly spread over a key of integers, about `limit` in all.
///
/// How close together the keys are in a place says for how many rows it stands, so that neither
/// gaps nor keys made of the time spoil it.
pub(super) async fn of_places(
    db: &impl ConnectionTrait,
    target: &Target<'_>,
    number: &str,
    days: u32,
    limit: u64,
) -> Result<Sample, DbErr> {
    let from = target.name();
    let [low, high] = ["MIN", "MAX"].map(|end| as_integer(target, &format!("{end}({number})")));
    let ends = format!("SELECT {low} AS low, {high} AS high FROM {from}");
    let ends = Statement::from_string(target.backend, ends);
    let row = db.query_one_raw(ends).await?;
    let end = |name| match &row {
        Some(row) => row.try_get::<Option<i64>>("", name),
        None => Ok(None),
    };
    let (Some(low), Some(high)) = (end("low")?, end("high")?) else {
        return Ok(Sample::default());
    };
    let (each, starts) = ((limit / PLACES).max(1), starts(low, high));
    let mut places = String::new();
    for (place, start) in starts.iter().enumerate() {
        let union = if place > 0 { " UNION ALL " } else { "" };
        let key = as_integer(target, number);
        let _ = write!(
            places,
            "{union}SELECT * FROM (SELECT {place} AS place, {key} AS number, {} FROM {from} \
             WHERE {number} >= {start} ORDER BY {number} LIMIT {each}) p{place}",
            target.reads(),
        );
    }
    let query = format!(
        "SELECT q.place AS place, MAX(q.number) AS last, {} FROM ({places}) q GROUP BY q.place",
        target.counts(days),
    );
    let query = Statement::from_string(target.backend, query);
    let mut sample = Sample {
        total: Some(0.0),
        ..Sample::default()
    };
    let width = (i128::from(high) - i128::from(low) + 1) / starts.len().max(1) as i128;
    for row in db.query_all_raw(query).await? {
        let number = |name| row.try_get::<i64>("", name);
        let start = usize::try_from(number("place")?).ok();
        let Some(start) = start.and_then(|place| starts.get(place)) else {
            continue;
        };
        let found = number("total")?;
        let full = found.unsigned_abs() >= each;
        let last = if full { number("last")? } else { high };
        let span = (i128::from(last) - i128::from(*start) + 1).max(1);
        sample.add(
            [found, number("deleted")?, number("old_deleted")?],
            width.max(1),
            span,
        );
    }
    Ok(sample)
}

#[allow(clippy::cast_precision_loss)]
impl Sample {
    /// A place that holds `found` rows within `span` keys, and stands for `width` of them.
    fn add(&mut self, found: [i64; 3], width: i128, span: i128) {
        let weight = width as f64 / span as f64;
        let [read, deleted, old] = found.map(|rows| rows as f64 * weight);
        self.read += read;
        self.deleted += deleted;
        self.old += old;
        self.total = Some(self.total.unwrap_or_default() + read);
    }
}

/// MySQL's smaller integers are other types to the driver.
fn as_integer(target: &Target<'_>, value: &str) -> String {
    match target.backend {
        sea_orm::DbBackend::MySql => format!("CAST({value} AS SIGNED)"),
        _ => value.to_owned(),
    }
}

/// Where places begin, evenly from the lowest key on.
fn starts(low: i64, high: i64) -> Vec<i64> {
    let (low, high) = (i128::from(low), i128::from(high));
    let span = high - low + 1;
    let places = i128::from(PLACES).min(span.max(1));
    (0..places)
        .filter_map(|place| i64::try_from(low + span * place / places).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_spread_over_the_whole() {
        let all = starts(1, 1_000_000);
        assert_eq!((all.len(), all[0], all[49]), (50, 1, 980_001));
        assert_eq!(starts(5, 7), [5, 6, 7]);
        assert_eq!(starts(i64::MIN, i64::MAX).len(), 50);
    }
}
