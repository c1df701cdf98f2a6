//! The table, for terminals and for the documentation.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::Report;
use crate::row;

/// How it is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// For a terminal.
    Terminal,
    /// For `docs/performance.md`.
    Markdown,
}

/// The whole report, a section for each group.
pub fn render(report: &Report, style: Style) -> String {
    let machine = format!(
        "{} processors, {}, release build\n",
        report.processors, report.rustc
    );
    let sections = report.groups().into_iter().map(|group| {
        let title = match style {
            Style::Terminal => group.to_owned(),
            Style::Markdown => format!("### `{group}`\n"),
        };
        format!("{title}\n{}\n", section(report, group, style))
    });
    let sections: Vec<_> = std::iter::once(machine).chain(sections).collect();
    sections.join("\n")
}

fn section(report: &Report, group: &str, style: Style) -> Table {
    let columns = columns(report, group);
    let mut table = Table::new();
    table.load_preset(match style {
        Style::Terminal => presets::UTF8_FULL_CONDENSED,
        Style::Markdown => presets::ASCII_MARKDOWN,
    });
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(std::iter::once("").chain(columns.iter().copied()));
    for line in report.of(group) {
        let figures = columns.iter().map(|column| {
            let figure = line.figures.get(*column);
            figure.map_or_else(|| "–".to_owned(), |figure| show(*figure))
        });
        table.add_row(std::iter::once(line.name.clone()).chain(figures));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// The columns that any row of the group has.
fn columns<'a>(report: &'a Report, group: &'a str) -> Vec<&'a str> {
    let mut columns: Vec<&str> = Vec::new();
    for column in report.of(group).flat_map(|line| line.figures.keys()) {
        if !columns.contains(&column.as_str()) {
            columns.push(column);
        }
    }
    let place = |column: &str| {
        let known = row::ORDER.iter().position(|known| *known == column);
        known.unwrap_or(row::ORDER.len())
    };
    columns.sort_by(|one, other| (place(one), one).cmp(&(place(other), other)));
    columns
}

/// Three digits are enough, except of what is exact.
fn show(figure: f64) -> String {
    if figure.fract() == 0.0 || figure.abs() >= 100.0 {
        thousands(figure)
    } else if figure.abs() >= 10.0 {
        format!("{figure:.1}")
    } else {
        format!("{figure:.2}")
    }
}

fn thousands(figure: f64) -> String {
    let digits = format!("{:.0}", figure.abs());
    let mut shown = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    let negative = figure <= -0.5;
    if negative { format!("-{shown}") } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Row;

    #[test]
    fn figures_are_short_and_exact_ones_whole() {
        let shown = [0.0, 34.0, 5_789.0, 1_234_567.0, 0.417, 12.34, -39.0, 100.4].map(show);
        let expected = [
            "0",
            "34",
            "5,789",
            "1,234,567",
            "0.42",
            "12.3",
            "-39",
            "100",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_group_shows_only_its_own_columns() {
        let report = Report::new(vec![
            Row::new("a", "one")
                .with(row::FUTURE, 40.0)
                .with(row::INSTRUCTIONS, 27.0),
            Row::new("b", "two").with("check ms", 3.2),
        ]);
        let text = render(&report, Style::Markdown);
        assert!(text.contains("|     | instructions | future |"), "{text}");
        assert!(text.contains("|     | check ms |"), "{text}");
    }
}
