//! Bars of instructions, as SVG.

use std::path::{Path, PathBuf};

use plotters::{
    prelude::{
        ChartBuilder, Color, IntoDrawingArea, IntoLogRange, IntoSegmentedCoord, RGBColor,
        Rectangle, SVGBackend, SegmentValue, Text, WHITE,
    },
    style::{IntoFont, TextStyle},
};

use super::Report;
use crate::{Result, row};

const WIDTH: u32 = 760;
const OURS: RGBColor = RGBColor(32, 99, 155);
const PEERS: RGBColor = RGBColor(168, 178, 189);

/// A picture for each group whose instructions were counted.
///
/// # Errors
/// If a picture cannot be drawn or written.
pub fn draw(report: &Report, folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for group in report.groups() {
        let counted = report.of(group).filter_map(|row| {
            let instructions = row.figures.get(row::INSTRUCTIONS)?;
            Some((row.name.as_str(), *instructions))
        });
        let bars: Vec<_> = counted.collect();
        if bars.is_empty() {
            continue;
        }
        let file = folder.join(format!("{group}.svg"));
        picture(&file, group, &bars)?;
        files.push(file);
    }
    Ok(files)
}

/// One picture: a bar for each row, on a scale on which ten times is always as far.
fn picture(file: &Path, group: &str, bars: &[(&str, f64)]) -> Result {
    let most = bars.iter().map(|(_, count)| *count).fold(1.0, f64::max);
    let height = 90 + 28 * u32::try_from(bars.len())?;
    let area = SVGBackend::new(file, (WIDTH, height)).into_drawing_area();
    area.fill(&WHITE)?;
    // The first row at the top.
    let rows = (0..bars.len()).into_segmented();
    let name = |at: usize| bars.len().checked_sub(at + 1).and_then(|at| bars.get(at));
    let mut chart = ChartBuilder::on(&area)
        .caption(
            format!("{group}: instructions of a call"),
            ("sans-serif", 18),
        )
        .margin(12)
        .x_label_area_size(28)
        .y_label_area_size(170)
        .build_cartesian_2d((1.0..most * 3.0).log_scale(), rows)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .y_labels(bars.len())
        .x_label_formatter(&|count| format!("{count:.0}"))
        .y_label_formatter(&|place| match place {
            SegmentValue::CenterOf(at) => name(*at).map_or("", |bar| bar.0).to_owned(),
            _ => String::new(),
        })
        .label_style(("sans-serif", 13))
        .draw()?;
    let style: TextStyle<'_> = ("sans-serif", 13).into_font().into();
    for (at, (name, count)) in bars.iter().rev().enumerate() {
        let ours = name.starts_with("resilient");
        let color = if ours { OURS } else { PEERS };
        let ends = [
            (1.0, SegmentValue::Exact(at)),
            (*count, SegmentValue::Exact(at + 1)),
        ];
        let mut bar = Rectangle::new(ends, color.filled());
        bar.set_margin(4, 4, 0, 0);
        chart.draw_series([bar])?;
        let place = (*count, SegmentValue::CenterOf(at));
        chart.draw_series([Text::new(format!(" {count:.0}"), place, style.clone())])?;
    }
    area.present()?;
    Ok(())
}
