//! The programs that are measured: they do one kind of measurement of their cases when told to.

use std::hint::black_box;

use clap::{Parser, Subcommand};

use crate::{Case, Result, Row, Subject, row, wall};

/// Rows that are measured in a way of their own.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// What it is chosen by.
    pub name: &'static str,
    /// Measures; progress goes to stderr.
    pub rows: fn() -> Result<Vec<Row>>,
}

/// Runs something and tells the allocations and bytes that it took on this thread.
pub type Count = fn(&mut dyn FnMut()) -> (u64, u64);

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// The cases, as rows without figures but the number of calls
    List,
    /// Makes the calls of a case, to be watched
    Calls {
        /// `group/name`
        id: String,
    },
    /// Allocations and future sizes of cases
    Sizes {
        /// `group/name`
        ids: Vec<String>,
    },
    /// Wall times of a group's cases, and the rows of a group that measures by itself
    Rows {
        /// The group
        group: String,
    },
}

/// What one such program does with its arguments; rows are printed as JSON.
///
/// # Errors
/// If a case or group does not exist, or cannot be made ready.
pub fn run(cases: &[Case], groups: &[Group], count: Option<Count>) -> Result {
    match Arguments::parse().what {
        What::List => {
            let listed = cases.iter().map(|case| {
                let mut row = Row::new(case.group, case.name).beside(case.beside);
                row.kept = case.kept;
                row.with(CALLS, f64::from(case.calls))
            });
            let own = groups.iter().map(|group| Row::new(group.name, ""));
            print(&listed.chain(own).collect::<Vec<_>>())
        }
        What::Calls { id } => {
            let case = find(cases, &id)?;
            let mut subject = (case.make)()?;
            subject.run(case.calls);
            watched(subject.as_mut(), case.calls);
            Ok(())
        }
        What::Sizes { ids } => {
            let count = count.ok_or("this program does not count allocations")?;
            let rows = ids.iter().map(|id| sizes(find(cases, id)?, count));
            print(&rows.collect::<Result<Vec<_>>>()?)
        }
        What::Rows { group } => {
            let of_group = cases.iter().filter(|case| case.group == group).copied();
            let mut rows = wall::measure(&of_group.collect::<Vec<_>>())?;
            for own in groups.iter().filter(|own| own.name == group) {
                rows.extend((own.rows)()?);
            }
            print(&rows)
        }
    }
}

/// The column by which a program tells how many calls it makes when watched.
pub const CALLS: &str = "calls";

/// The function whose instructions are counted. Its name is looked for, so it is never inlined.
#[inline(never)]
pub fn watched(subject: &mut dyn Subject, calls: u32) {
    black_box(subject).run(black_box(calls));
}

fn sizes(case: &Case, count: Count) -> Result<Row> {
    let mut subject = (case.make)()?;
    subject.run(case.calls);
    let (allocations, bytes) = count(&mut || subject.run(case.calls));
    let calls = f64::from(case.calls);
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    let row = Row::new(case.group, case.name)
        .with(row::ALLOCATIONS, round(allocations as f64 / calls))
        .with(row::BYTES, round(bytes as f64 / calls))
        .with(row::FUTURE, subject.future_bytes() as f64);
    Ok(row)
}

/// To hundredths: once in many calls something grows.
fn round(figure: f64) -> f64 {
    (figure * 100.0).round() / 100.0
}

fn find<'a>(cases: &'a [Case], id: &str) -> Result<&'a Case> {
    let mut found = cases.iter().filter(|case| case.id() == id);
    found.next().ok_or_else(|| format!("no case `{id}`").into())
}

fn print(rows: &[Row]) -> Result {
    println!("{}", serde_json::to_string(rows)?);
    Ok(())
}
