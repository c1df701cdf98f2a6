//! The reports as a person likes to read them in a terminal.

mod page;
mod sections;

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use self::page::{Mark, Page, count};
use super::{Diagnostics, HealthReport, OverallStatus, PartOutcome, Recommendation, Severity};

/// A report that shows itself in a terminal, at most 100 columns wide.
///
/// What does not print, such as an escape character in a table's name, is shown as `?`.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    what: What<'a>,
    color: bool,
}

#[derive(Clone, Copy, Debug)]
enum What<'a> {
    Report(&'a HealthReport),
    Diagnostics(&'a Diagnostics),
}

impl<'a> Shown<'a> {
    pub(super) fn report(report: &'a HealthReport) -> Self {
        Self {
            what: What::Report(report),
            color: false,
        }
    }

    pub(super) fn diagnostics(diagnostics: &'a Diagnostics) -> Self {
        Self {
            what: What::Diagnostics(diagnostics),
            color: false,
        }
    }

    /// Whether marks and headings are coloured by ANSI codes; off by default.
    #[must_use]
    pub fn color(mut self, color: bool) -> Self {
        self.color = color;
        self
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut page = Page::new(f, self.color);
        match self.what {
            What::Report(report) => {
                head(&mut page, report)?;
                sections::all(&mut page, report)?;
                advice(&mut page, &report.recommendations)
            }
            What::Diagnostics(all) => {
                head(&mut page, &all.report)?;
                parts(&mut page, all)?;
                sections::all(&mut page, &all.report)?;
                constraints(&mut page, all)?;
                advice(&mut page, &all.recommendations)
            }
        }
    }
}

impl fmt::Display for HealthReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.display().fmt(f)
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.display().fmt(f)
    }
}

fn head(page: &mut Page<'_, '_>, report: &HealthReport) -> fmt::Result {
    let summary = &report.summary;
    let mark = match summary.status {
        OverallStatus::Healthy => Mark::Good,
        OverallStatus::Degraded => Mark::Warn,
        OverallStatus::Unhealthy => Mark::Bad,
    };
    let at = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(summary.at_unix_ms));
    let at = at.map_or_else(String::new, |at| {
        humantime::format_rfc3339_seconds(at).to_string()
    });
    let from_cache = if report.from_cache {
        ", from before"
    } else {
        ""
    };
    page.title(
        mark,
        &format!("{}: {}", summary.database, summary.status),
        &format!("{at}{from_cache}"),
    )?;
    for reason in &summary.reasons {
        let mark = match reason.status {
            OverallStatus::Unhealthy => Mark::Bad,
            _ => Mark::Warn,
        };
        page.line(mark, &format!("{}: {}", reason.area, reason.text))?;
    }
    Ok(())
}

fn parts(page: &mut Page<'_, '_>, all: &Diagnostics) -> fmt::Result {
    page.heading("Looked at")?;
    for part in &all.parts {
        let mark = match part.outcome {
            PartOutcome::Good => Mark::Good,
            PartOutcome::Found => Mark::Bad,
            PartOutcome::Failed | PartOutcome::TimedOut => Mark::Warn,
            PartOutcome::Skipped => Mark::None,
        };
        let took = page::millis(part.took_seconds * 1e3);
        page.line(mark, &format!("{}: {} ({took})", part.name, part.text))?;
    }
    Ok(())
}

fn constraints(page: &mut Page<'_, '_>, all: &Diagnostics) -> fmt::Result {
    let Some(constraints) = all.constraints.as_ref().filter(|c| !c.is_clean()) else {
        return Ok(());
    };
    page.heading("Constraints")?;
    for finding in &constraints.findings {
        let mark = if finding.drift.is_error() {
            Mark::Warn
        } else {
            Mark::None
        };
        page.line(mark, &finding.to_string())?;
    }
    Ok(())
}

fn advice(page: &mut Page<'_, '_>, all: &[Recommendation]) -> fmt::Result {
    page.heading("What to do")?;
    if all.is_empty() {
        return page.line(Mark::Good, "nothing");
    }
    for (number, one) in (1_u64..).zip(all) {
        let mark = match one.severity {
            Severity::Critical => Mark::Bad,
            Severity::Warning => Mark::Warn,
            Severity::Info => Mark::None,
        };
        page.line(
            mark,
            &format!("{}. {}: {}", count(number), one.area, one.text),
        )?;
        if let Some(statement) = &one.statement {
            page.statement(statement)?;
        }
    }
    Ok(())
}
