//! What must not get worse: the figures that do not depend on the machine's mood.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use serde::{Deserialize, Serialize};

use super::Report;
use crate::{Result, row};

/// How much more instructions are let pass, as a share.
const TOLERANCE: f64 = 0.03;
/// The exact figures, and by how much they may grow.
const EXACT: [(&str, f64); 6] = [
    (row::INSTRUCTIONS, TOLERANCE),
    (row::ALLOCATIONS, 0.0),
    // A table that many calls share grows now and then, and a call has its part in that.
    (row::BYTES, 0.01),
    (row::FUTURE, 0.0),
    (row::TRIPS_POSTGRES, 0.0),
    (row::TRIPS_MARIADB, 0.0),
];

/// The exact figures of a run, as they are committed.
#[derive(Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Baseline {
    /// The compiler they were counted with.
    pub rustc: String,
    /// Figures by case and column.
    pub cases: BTreeMap<String, BTreeMap<String, f64>>,
}

impl Baseline {
    /// What a baseline keeps of a report.
    pub fn of(report: &Report) -> Self {
        let exact = |figures: &BTreeMap<String, f64>| {
            let exact = EXACT.iter().filter_map(|(column, _)| {
                let figure = figures.get(*column)?;
                Some(((*column).to_owned(), *figure))
            });
            exact.collect()
        };
        let kept = report.rows.iter().filter(|row| row.kept);
        Self {
            rustc: report.rustc.clone(),
            cases: kept.map(|row| (row.id(), exact(&row.figures))).collect(),
        }
    }

    /// Reads the committed one.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read(path).map_err(|error| {
            format!(
                "{}: {error}; `cargo xtask bench --bless` makes it",
                path.display()
            )
        })?;
        Ok(serde_json::from_slice(&text)?)
    }

    /// Replaces the committed one.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, path: &Path) -> Result {
        fs::write(path, serde_json::to_string_pretty(self)? + "\n")?;
        Ok(())
    }

    /// Holds a report against it.
    ///
    /// # Errors
    /// What got worse, and what to do about it.
    pub fn check(&self, report: &Report) -> Result<String> {
        let now = Self::of(report);
        let (mut worse, mut better) = (String::new(), String::new());
        for (id, figures) in &now.cases {
            let Some(before) = self.cases.get(id) else {
                writeln!(worse, "  {id}: not in the baseline")?;
                continue;
            };
            for (column, tolerance) in EXACT {
                let (new, old) = match (figures.get(column), before.get(column)) {
                    (Some(new), Some(old)) => (new, old),
                    (None, None) => continue,
                    (new, _) => {
                        let now = if new.is_some() {
                            "not in the baseline"
                        } else {
                            "no longer measured"
                        };
                        writeln!(worse, "  {id}: {column} is {now}")?;
                        continue;
                    }
                };
                let line = format!(
                    "  {id}: {column} {old} before, {new} now{}\n",
                    percent(*old, *new)
                );
                if *new > old * (1.0 + tolerance) {
                    worse += &line;
                } else if *new < old * (1.0 - tolerance) {
                    better += &line;
                }
            }
        }
        for id in self.cases.keys().filter(|id| !now.cases.contains_key(*id)) {
            writeln!(worse, "  {id}: in the baseline, but no longer measured")?;
        }
        if worse.is_empty() {
            let better = if better.is_empty() {
                String::new()
            } else {
                format!(
                    "better than the baseline; keep it by `cargo xtask bench --bless`:\n{better}"
                )
            };
            return Ok(format!("{} cases, none worse\n{better}", now.cases.len()));
        }
        Err(format!(
            "worse than benches/baseline.json:\n{worse}{}",
            self.advice(&now)
        )
        .into())
    }

    fn advice(&self, now: &Self) -> String {
        let compilers = if self.rustc == now.rustc {
            String::new()
        } else {
            format!(
                "The baseline is of {}, this is {}: that alone changes instructions.\n",
                self.rustc, now.rustc
            )
        };
        format!(
            "{compilers}Instructions depend on the versions of the compiler and of dependencies \
             (Cargo.lock), allocations and futures on ours alone.\nIf the change is meant, or \
             comes with a new version: cargo xtask bench --bless, and say why in the commit."
        )
    }
}

fn percent(old: f64, new: f64) -> String {
    if old == 0.0 {
        return String::new();
    }
    format!(" ({:+.1} %)", (new / old - 1.0) * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Row;

    fn report(instructions: f64, allocations: f64) -> Report {
        let mut row = Row::new("ready", "resilient")
            .with(row::INSTRUCTIONS, instructions)
            .with(row::ALLOCATIONS, allocations)
            .with(row::NANOSECONDS, instructions);
        row.kept = true;
        let peer = Row::new("ready", "backon").with(row::INSTRUCTIONS, instructions * 9.0);
        Report::new(vec![row, peer])
    }

    #[test]
    fn instructions_have_three_percent_and_allocations_nothing() {
        let baseline = Baseline::of(&report(1_000.0, 2.0));
        assert!(baseline.check(&report(1_030.0, 2.0)).is_ok());
        let worse = baseline
            .check(&report(1_031.0, 2.0))
            .unwrap_err()
            .to_string();
        assert!(
            worse.contains("ready/resilient: instructions 1000 before, 1031 now (+3.1 %)"),
            "{worse}"
        );
        let worse = baseline
            .check(&report(1_000.0, 2.01))
            .unwrap_err()
            .to_string();
        assert!(worse.contains("allocations 2 before, 2.01 now"), "{worse}");
    }

    #[test]
    fn the_first_allocation_is_worse_than_none() {
        let baseline = Baseline::of(&report(1_000.0, 0.0));
        assert!(baseline.check(&report(1_000.0, 1.0)).is_err());
    }

    #[test]
    fn peers_and_times_are_not_kept() {
        let baseline = Baseline::of(&report(1_000.0, 2.0));
        assert_eq!(baseline.cases.len(), 1);
        let figures = &baseline.cases["ready/resilient"];
        assert!(!figures.contains_key(row::NANOSECONDS));
    }

    #[test]
    fn a_case_that_vanishes_or_is_new_is_told() {
        let baseline = Baseline::of(&report(1_000.0, 2.0));
        let none = baseline
            .check(&Report::new(Vec::new()))
            .unwrap_err()
            .to_string();
        assert!(none.contains("no longer measured"), "{none}");
        let new = Baseline::default()
            .check(&report(1.0, 0.0))
            .unwrap_err()
            .to_string();
        assert!(new.contains("not in the baseline"), "{new}");
    }

    #[test]
    fn so_is_a_figure_that_vanishes_or_is_new() {
        let with = report(1_000.0, 2.0);
        let mut without = report(1_000.0, 2.0);
        without.rows[0].figures.remove(row::ALLOCATIONS);
        let none = Baseline::of(&with).check(&without).unwrap_err().to_string();
        assert!(none.contains("allocations is no longer measured"), "{none}");
        let new = Baseline::of(&without).check(&with).unwrap_err().to_string();
        assert!(new.contains("allocations is not in the baseline"), "{new}");
    }

    #[test]
    fn another_compiler_is_named_when_something_is_worse() {
        let mut baseline = Baseline::of(&report(1_000.0, 2.0));
        baseline.rustc = "rustc 1.0.0".to_owned();
        assert!(baseline.check(&report(1_000.0, 2.0)).is_ok());
        let worse = baseline
            .check(&report(2_000.0, 2.0))
            .unwrap_err()
            .to_string();
        assert!(worse.contains("The baseline is of rustc 1.0.0"), "{worse}");
    }

    #[test]
    fn what_is_better_is_told_and_passes() {
        let baseline = Baseline::of(&report(1_000.0, 2.0));
        let text = baseline.check(&report(500.0, 2.0)).unwrap();
        assert!(
            text.contains("(-50.0 %)") && text.contains("--bless"),
            "{text}"
        );
    }
}
