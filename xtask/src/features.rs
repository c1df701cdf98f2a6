//! Checks the adapter with feature sets that nothing else in the workspace builds it with.

use crate::step::{self, Failure, Steps};

const PACKAGE: [&str; 3] = ["--package", "resilient-sea-orm", "--no-default-features"];

/// Each engine alone, none at all, and what depends on engines by way of a feature.
const SETS: [&str; 9] = [
    "",
    "mock",
    "runtime-tokio,sqlx-sqlite",
    "runtime-tokio,sqlx-postgres",
    "runtime-tokio,sqlx-mysql",
    "macros,runtime-tokio,schema-sync",
    "macros,runtime-tokio,schema-sync,entity-registry,sqlx-sqlite",
    "runtime-tokio,sqlx-postgres,testing,migration",
    "runtime-tokio,sqlx-sqlite,openmetrics",
];

const DRIVERS: [&str; 3] = ["sqlx-sqlite", "sqlx-postgres", "sqlx-mysql"];

/// Lints every set, and looks for drivers that were not asked for.
pub(crate) fn check(steps: &mut Steps) -> Result<(), Failure> {
    for driver in DRIVERS {
        only(driver)?;
    }
    // In a folder of their own: they would push out what the whole workspace is built with.
    let target = step::target_folder()?.join("features");
    for set in SETS {
        let mut command = step::cargo(&["clippy"]);
        command
            .args(PACKAGE)
            .args(["--features", set, "--target-dir"])
            .arg(&target)
            .args(["--", "-D", "warnings"]);
        steps.run("features", command)?;
    }
    Ok(())
}

/// Fails if a build for one driver compiles another.
fn only(driver: &str) -> Result<(), Failure> {
    let mut command = step::cargo(&["tree", "--prefix", "none", "--edges", "normal,build"]);
    command.args(PACKAGE).args(["--features", driver]);
    let output = command
        .output()
        .map_err(|error| Failure::new(format!("cargo tree: {error}")))?;
    let tree = String::from_utf8_lossy(&output.stdout);
    let has = |driver: &str| {
        tree.lines()
            .any(|line| line.split(' ').next() == Some(driver))
    };
    if !output.status.success() || !has(driver) {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(Failure::new(format!("no {driver} in cargo tree: {text}")));
    }
    match DRIVERS
        .into_iter()
        .find(|other| *other != driver && has(other))
    {
        None => Ok(()),
        Some(other) => Err(Failure::new(format!(
            "feature {driver} alone also compiles {other}; see `cargo tree --invert {other}`"
        ))),
    }
}
