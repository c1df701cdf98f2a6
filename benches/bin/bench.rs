//! Measures what it is asked for and reports it; started by `cargo xtask bench`, which builds
//! the programs beside it.

use std::path::{Path, PathBuf};

use clap::Parser;
use resilient_benches::{
    Result, compile, measure,
    report::{
        Report,
        baseline::Baseline,
        plot,
        table::{Style, render},
    },
};

#[derive(Debug, Parser)]
struct Arguments {
    /// Only groups whose name begins with one of these: memory, failure, threads, compile,
    /// database and whatever else there is
    names: Vec<String>,
    /// Only exact figures, held against the baseline
    #[arg(long)]
    quick: bool,
    /// Like --quick, and makes the result the baseline
    #[arg(long)]
    bless: bool,
    /// Prints the table as `docs/performance.md` has it
    #[arg(long)]
    markdown: bool,
    /// How many methods a generated crate has
    #[arg(long, default_value_t = 1_000, value_name = "NUMBER")]
    methods: u32,
    /// The program that counts round trips; it needs servers
    #[arg(long, value_name = "PROGRAM", required_if_eq_any([("quick", "true"), ("bless", "true")]))]
    round_trips: Option<PathBuf>,
    /// Where the report goes
    #[arg(long, value_name = "FOLDER")]
    output: PathBuf,
    /// The root of the workspace
    #[arg(long, value_name = "FOLDER")]
    workspace: PathBuf,
}

fn main() -> Result {
    let arguments = Arguments::parse();
    match &arguments.round_trips {
        Some(program) if arguments.quick || arguments.bless => quick(&arguments, program),
        _ => full(&arguments),
    }
}

fn quick(arguments: &Arguments, round_trips: &Path) -> Result {
    let file = arguments.workspace.join("benches/baseline.json");
    let rows = measure::exact(&arguments.output, round_trips)?;
    let report = Report::new(rows);
    report.write(&arguments.output.join("quick.json"))?;
    print(arguments, &report);
    if arguments.bless {
        Baseline::of(&report).write(&file)?;
        println!("written: {}", file.display());
        return Ok(());
    }
    println!("{}", Baseline::read(&file)?.check(&report)?);
    Ok(())
}

fn full(arguments: &Arguments) -> Result {
    let wanted = |group: &str| {
        let names = &arguments.names;
        names.is_empty() || names.iter().any(|name| group.starts_with(name))
    };
    let mut rows = measure::everything(&arguments.output, wanted)?;
    if let Some(program) = &arguments.round_trips
        && wanted(measure::ROUND_TRIPS)
    {
        rows.extend(measure::trips(program)?);
    }
    if wanted(compile::GROUP) {
        let host = compile::Host::new(&arguments.workspace, &arguments.output)?;
        rows.extend(compile::rows(&host, arguments.methods)?);
    }
    if rows.is_empty() {
        return Err(format!("no group begins with {}", arguments.names.join(" or ")).into());
    }
    let report = Report::new(rows);
    let json = arguments.output.join("report.json");
    report.write(&json)?;
    print(arguments, &report);
    println!("written: {}", json.display());
    for file in plot::draw(&report, &arguments.output)? {
        println!("written: {}", file.display());
    }
    Ok(())
}

fn print(arguments: &Arguments, report: &Report) {
    let style = if arguments.markdown {
        Style::Markdown
    } else {
        Style::Terminal
    };
    println!("{}", render(report, style));
}
