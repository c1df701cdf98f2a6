//! Runs the programs that have cases, and puts together what each of them tells.

use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{Result, Row, program, row, valgrind};

/// A program with cases, and the same with an allocator that counts.
struct Program {
    name: &'static str,
    counted: &'static str,
}

const MEMORY: Program = Program {
    name: "cases",
    counted: "cases-counted",
};

/// It is there if a group of it was asked for.
const DATABASE: Program = Program {
    name: "database-cases",
    counted: "database-cases-counted",
};

/// The group of round trips, which a program of its own counts.
pub const ROUND_TRIPS: &str = "database-round-trips";

/// The exact figures of what the baseline keeps: instructions, allocations and sizes of what needs
/// no database, and the round trips that a program counts, which may be one of a build that is not
/// optimised.
///
/// # Errors
/// If a program fails.
pub fn exact(output: &Path, round_trips: &Path) -> Result<Vec<Row>> {
    let mut cases = list(MEMORY.name)?;
    cases.retain(|case| case.kept);
    let mut rows = figures(&MEMORY, cases, output)?;
    rows.extend(trips(round_trips)?);
    Ok(rows)
}

/// What the program counts that knows how.
///
/// # Errors
/// If it fails.
pub fn trips(program: &Path) -> Result<Vec<Row>> {
    eprintln!("bench: {ROUND_TRIPS}");
    ask_at(program, &["rows", ROUND_TRIPS])
}

/// All figures of all groups that are wanted.
///
/// # Errors
/// If a program fails.
pub fn everything(output: &Path, wanted: impl Fn(&str) -> bool) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for program in [MEMORY, DATABASE] {
        if !path(program.name)?.exists() {
            continue;
        }
        let listed: Vec<_> = list(program.name)?
            .into_iter()
            .filter(|row| wanted(&row.group))
            .collect();
        let mut groups: Vec<_> = listed.iter().map(|row| row.group.clone()).collect();
        groups.dedup();
        // A group that measures by itself is listed without a name.
        let cases = listed.into_iter().filter(|row| !row.name.is_empty());
        let first = rows.len();
        rows.extend(figures(&program, cases.collect(), output)?);
        for group in groups {
            eprintln!("bench: {group}: wall time");
            merge(&mut rows, first, ask(program.name, &["rows", &group])?);
        }
    }
    Ok(rows)
}

/// Adds figures to the rows they belong to, and rows that are not there yet.
fn merge(rows: &mut Vec<Row>, first: usize, more: Vec<Row>) {
    for new in more {
        let known = rows[first..].iter_mut().find(|row| row.id() == new.id());
        match known {
            Some(row) => row.figures.extend(new.figures),
            None => rows.push(new),
        }
    }
}

/// Instructions, allocations and sizes.
fn figures(program: &Program, mut cases: Vec<Row>, output: &Path) -> Result<Vec<Row>> {
    if cases.is_empty() {
        return Ok(cases);
    }
    eprintln!(
        "bench: {}: instructions of {} cases",
        program.name,
        cases.len()
    );
    let folder = output.join("gungraun").join(program.name);
    let instructions = valgrind::instructions(&path(program.name)?, &cases, &folder)?;
    eprintln!("bench: {}: allocations and sizes", program.name);
    let ids: Vec<_> = cases.iter().map(Row::id).collect();
    let mut arguments = vec!["sizes"];
    arguments.extend(ids.iter().map(String::as_str));
    let sizes = ask(program.counted, &arguments)?;
    let sizes: BTreeMap<_, _> = sizes.iter().map(|row| (row.id(), &row.figures)).collect();
    for case in &mut cases {
        case.figures.remove(program::CALLS);
        let id = case.id();
        if let Some(sizes) = sizes.get(&id) {
            case.figures
                .extend(sizes.iter().map(|(k, v)| (k.clone(), *v)));
        }
        if let Some(own) = instructions.get(&id) {
            case.figures.insert(row::INSTRUCTIONS.to_owned(), *own);
            let beside = format!("{}/{}", case.group, case.beside);
            if let Some(other) = instructions.get(&beside).filter(|_| beside != id) {
                case.figures.insert(row::OVER.to_owned(), own - other);
            }
        }
    }
    Ok(cases)
}

fn list(program: &str) -> Result<Vec<Row>> {
    ask(program, &["list"])
}

/// Runs a program and reads the rows that it prints; what it says goes to stderr.
fn ask(program: &str, arguments: &[&str]) -> Result<Vec<Row>> {
    ask_at(&path(program)?, arguments)
}

fn ask_at(program: &Path, arguments: &[&str]) -> Result<Vec<Row>> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        let program = program.display();
        return Err(format!("{program} {}: {}", arguments.join(" "), output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// A program beside this one.
fn path(program: &str) -> Result<PathBuf> {
    Ok(env::current_exe()?.with_file_name(program))
}
