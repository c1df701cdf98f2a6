//! The rows of a table: counted where that is cheap or wanted, else estimated.

use resilient_core::health::tables::RowCounts;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement};

use super::{
    TableOptions,
    facts::{Facts, planned},
    sample::{self, Sample},
    target::Target,
};

pub(super) async fn rows(
    db: &impl ConnectionTrait,
    target: &Target<'_>,
    facts: &Facts,
    options: &TableOptions,
) -> Result<RowCounts, DbErr> {
    let days = options.thresholds.old_after_days;
    let limit = u64::from(options.count_up_to);
    if options.exact {
        let from = format!("(SELECT {} FROM {}) q", target.reads(), target.name());
        return counted(db, target, &from, days).await;
    }
    // The engine's number lags behind: not by this much.
    let known = facts.rows.filter(|rows| *rows / 2 > limit);
    let mut first = None;
    if known.is_none() {
        let found = first_rows(db, target, days, limit + 1).await?;
        if found.total <= limit {
            return Ok(found);
        }
        first = Some(found);
    }
    if target.column.is_none()
        && let Some(total) = facts.rows
    {
        let total = first.map_or(total, |found| total.max(found.total));
        return Ok(RowCounts {
            total,
            estimated: true,
            ..RowCounts::default()
        });
    }
    if facts.analyzed {
        return from_statistics(db, target, facts, days).await;
    }
    let sample = match (target.backend, &facts.number) {
        (DbBackend::Postgres, _) if facts.stored => {
            sample::of_pages(db, target, facts, days, limit).await?
        }
        (_, Some(number)) => sample::of_places(db, target, number, days, limit).await?,
        // The first rows: there is no way to others.
        _ => {
            let found = match first {
                Some(found) => found,
                None => first_rows(db, target, days, limit).await?,
            };
            Sample::of(&found)
        }
    };
    let least = first.map_or(0, |found| found.total);
    Ok(sample.scaled(target, facts, least, days))
}

/// No more than these rows, whichever are at hand.
async fn first_rows(
    db: &impl ConnectionTrait,
    target: &Target<'_>,
    days: u32,
    limit: u64,
) -> Result<RowCounts, DbErr> {
    let (reads, from) = (target.reads(), target.name());
    let from = format!("(SELECT {reads} FROM {from} LIMIT {limit}) q");
    counted(db, target, &from, days).await
}

/// What the columns of [`Target::counts`] give over these rows.
async fn counted(
    db: &impl ConnectionTrait,
    target: &Target<'_>,
    from: &str,
    days: u32,
) -> Result<RowCounts, DbErr> {
    let query = format!("SELECT {} FROM {from}", target.counts(days));
    let query = Statement::from_string(target.backend, query);
    match db.query_one_raw(query).await? {
        Some(row) => read(&row, target, days),
        None => Ok(RowCounts::default()),
    }
}

fn read(row: &QueryResult, target: &Target<'_>, days: u32) -> Result<RowCounts, DbErr> {
    let number = |name| Ok::<_, DbErr>(row.try_get::<i64>("", name)?.unsigned_abs());
    let (deleted, old) = (number("deleted")?, number("old_deleted")?);
    Ok(RowCounts {
        total: number("total")?,
        deleted: target.column.map(|_| deleted),
        old_deleted: target.old("gone", days).map(|_| old),
        estimated: false,
    })
}

/// What PostgreSQL's planner expects.
async fn from_statistics(
    db: &impl ConnectionTrait,
    target: &Target<'_>,
    facts: &Facts,
    days: u32,
) -> Result<RowCounts, DbErr> {
    let column = target.column.map(|(column, _)| target.quoted(column));
    let column = column.unwrap_or_default();
    let deleted = target.deleted(&column);
    let old = target.old(&column, days);
    let mut rows = RowCounts {
        total: facts.rows.unwrap_or_default(),
        estimated: true,
        ..RowCounts::default()
    };
    if let Some(deleted) = deleted {
        rows.deleted = Some(planned(db, target, Some(&deleted)).await?);
    }
    if let Some(old) = old {
        rows.old_deleted = Some(planned(db, target, Some(&old)).await?);
    }
    Ok(rows)
}
