//! Which crates a host of SeaORM builds only because of us.

use std::collections::BTreeSet;

use super::{GROUP, Host, source, timed};
use crate::{Result, Row};

const OURS: &str = "resilient-";

/// The row of dependencies: how many crates are new, how many of those are ours, and, if this
/// machine has compiled them here, the share of the compiler's time that they took.
pub(super) fn row(host: &Host) -> Result<Row> {
    let without = tree(host, "host-without", None)?;
    let with = tree(host, "host-with", Some(&host.adapter()))?;
    let new: BTreeSet<_> = with.difference(&without).collect();
    let ours = new.iter().filter(|name| name.starts_with(OURS)).count();
    for name in &new {
        eprintln!("bench: {GROUP}: new: {name}");
    }
    #[allow(clippy::cast_precision_loss, reason = "hundreds")]
    let mut row = Row::new(GROUP, "dependencies")
        .with("crates without", without.len() as f64)
        .with("new crates", new.len() as f64)
        .with("of them ours", ours as f64);
    let crate_names: BTreeSet<_> = new.iter().map(|name| crate_name(name)).collect();
    let known: BTreeSet<_> = with.iter().map(|name| crate_name(name)).collect();
    let times = timed::read(&host.times())?;
    let sum = |names: &BTreeSet<String>| -> f64 {
        let of = times.iter().filter(|(name, _)| names.contains(name));
        of.map(|(_, seconds)| seconds).sum()
    };
    let (own, all) = (sum(&crate_names), sum(&known));
    // Only a first build compiles SeaORM.
    if times.iter().any(|(name, _)| name == "sea_orm") {
        row = row.with("share of time", own / all);
    }
    Ok(row)
}

/// The packages that a host builds, with their versions.
fn tree(host: &Host, name: &str, adapter: Option<&str>) -> Result<BTreeSet<String>> {
    host.write(name, &source::host(name, adapter), "fn main() {}\n")?;
    let arguments = [
        "tree",
        "--edges",
        "normal,build",
        "--prefix",
        "none",
        "--no-dedupe",
    ];
    let text = host.cargo(name, &arguments)?;
    let package = |line: &str| {
        let mut words = line.split(' ');
        Some(format!("{} {}", words.next()?, words.next()?))
    };
    let packages = text
        .lines()
        .filter(|line| !line.is_empty())
        .filter_map(package);
    Ok(packages
        .filter(|package| !package.starts_with(name))
        .collect())
}

/// The name by which the compiler knows a package.
fn crate_name(package: &str) -> String {
    let name = package.split(' ').next().unwrap_or(package);
    name.replace('-', "_")
}
