//! The composed report, filled by real causes.

mod causes;
mod data;
mod down;
mod everything;
mod light;

use resilient_sea_orm::{
    HealthReport,
    health::report::{Area, Recommendation},
};

/// What is recommended about an area, and speaks of this.
pub fn advice<'a>(
    all: &'a [Recommendation],
    area: Area,
    words: &str,
) -> Option<&'a Recommendation> {
    all.iter()
        .find(|r| r.area == area && r.text.contains(words))
}

/// The page, whose lines are never too wide.
pub fn page(report: &HealthReport) -> String {
    let page = report.to_string();
    for line in page.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    page
}
