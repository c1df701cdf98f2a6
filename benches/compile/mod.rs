//! What the attribute costs the compiler: generated crates of many methods, each with and without.
//!
//! A method awaits five times. What is told of a way to write it is what it takes above the same
//! method without anything: milliseconds of the compiler's processor time in `cargo check` and in
//! `cargo build --release`, and bytes of the program's text.

mod crates;
mod host;
mod source;
pub mod timed;

pub use host::Host;

use crate::{Result, Row};
use host::Cost;
use source::VARIANTS;

/// The name of this group.
pub const GROUP: &str = "compile";
/// Every crate is compiled so often; the least time counts, as others only add to it.
const ROUNDS: usize = 2;

/// The rows.
///
/// # Errors
/// If a crate cannot be generated or built.
pub fn rows(host: &Host, methods: u32) -> Result<Vec<Row>> {
    for variant in &VARIANTS {
        eprintln!(
            "bench: {GROUP}: {}: dependencies, and a first look",
            variant.name
        );
        host.generate(variant, methods)?;
        host.compile(variant)?;
    }
    let mut best = [Cost::MOST; VARIANTS.len()];
    for round in 1..=ROUNDS {
        for (variant, best) in VARIANTS.iter().zip(&mut best) {
            eprintln!(
                "bench: {GROUP}: {}: round {round} of {ROUNDS}",
                variant.name
            );
            *best = best.least(host.compile(variant)?);
        }
    }
    let [plain, ..] = best;
    let of_method = |cost: Cost| {
        let methods = f64::from(methods);
        let check = (cost.check - plain.check) * 1e3 / methods;
        let release = (cost.release - plain.release) * 1e3 / methods;
        (check, release, (cost.text - plain.text) / methods)
    };
    let mut rows: Vec<_> = VARIANTS
        .iter()
        .zip(best)
        .skip(1)
        .map(|(variant, cost)| {
            let (check, release, text) = of_method(cost);
            Row::new(GROUP, variant.name)
                .with("check ms", check)
                .with("release ms", release)
                .with("text bytes", text)
        })
        .collect();
    rows.push(crates::row(host)?);
    Ok(rows)
}
