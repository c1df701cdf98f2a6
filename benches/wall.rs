//! Wall time, side by side: rounds in which each case has its turn.

use std::time::{Duration, Instant};

use crate::{Case, Result, Row, Subject, row};

const ROUNDS: usize = 151;
/// How long one turn should take: short, so that others on the machine disturb some turns and not
/// all of them.
const TURN: Duration = Duration::from_micros(500);
const MOST_CALLS: u32 = 100_000;

struct Turn {
    case: Case,
    subject: Box<dyn Subject>,
    calls: u32,
    /// Nanoseconds of a call, by round.
    rounds: Vec<f64>,
}

/// The median times of cases of one group, and their ratios to what each stands beside.
///
/// # Errors
/// If a case cannot be made ready.
pub(crate) fn measure(cases: &[Case]) -> Result<Vec<Row>> {
    let mut turns = Vec::new();
    for case in cases {
        let mut subject = (case.make)()?;
        turns.push(Turn {
            calls: calls(subject.as_mut(), case.calls),
            case: *case,
            subject,
            rounds: Vec::with_capacity(ROUNDS),
        });
    }
    for round in 0..ROUNDS {
        // From another case on each time, so that none always follows the same one.
        for n in 0..turns.len() {
            let at = (n + round) % turns.len();
            let turn = &mut turns[at];
            let start = Instant::now();
            turn.subject.run(turn.calls);
            let time = start.elapsed().as_secs_f64() * 1e9;
            turn.rounds.push(time / f64::from(turn.calls));
        }
    }
    Ok(turns.iter().map(|turn| figures(turn, &turns)).collect())
}

/// How many calls fill a turn.
fn calls(subject: &mut dyn Subject, warm_up: u32) -> u32 {
    let warm_up = warm_up.min(100);
    subject.run(warm_up);
    let start = Instant::now();
    subject.run(warm_up);
    let one = start.elapsed().as_secs_f64() / f64::from(warm_up);
    let mut calls = 1;
    while calls < MOST_CALLS && f64::from(calls) * one < TURN.as_secs_f64() {
        calls *= 2;
    }
    calls
}

fn figures(turn: &Turn, turns: &[Turn]) -> Row {
    let row = Row::new(turn.case.group, turn.case.name)
        .with(row::NANOSECONDS, median(turn.rounds.clone()));
    match turns
        .iter()
        .find(|other| other.case.name == turn.case.beside)
    {
        Some(other) if other.case.name != turn.case.name => {
            let pairs = turn.rounds.iter().zip(&other.rounds);
            row.with(
                row::WALL,
                median(pairs.map(|(own, bare)| own / bare).collect()),
            )
        }
        _ => row,
    }
}

/// The middle one; 0 of none.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}
