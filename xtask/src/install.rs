//! Installs database servers and programs that are missing.

use std::process::Command;

use crate::locate::Engine;
use crate::step::{Failure, Steps, succeeds};

/// A package may start its service at once; the tests start servers of their own, so that is
/// forbidden unless the machine has rules of its own about it.
const SCRIPT: &str = r#"
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -q -o DPkg::Lock::Timeout=300 update
apt-get -q -o DPkg::Lock::Timeout=300 install --yes --no-install-recommends "$@"
"#;

/// Makes sure that the engines are there, or says which packages are missing.
pub(crate) fn missing(steps: &mut Steps, engines: &[Engine]) -> Result<(), Failure> {
    let missing = || {
        engines
            .iter()
            .flat_map(|engine| engine.missing())
            .collect::<Vec<_>>()
    };
    let found = missing();
    if found.is_empty() {
        return Ok(());
    }
    for engine in &found {
        println!("xtask: {engine}");
    }
    let packages: Vec<_> = found.iter().map(|engine| engine.package).collect();
    let advice = "Install what is missing, or leave it out: cargo xtask test --engine sqlite";
    install(steps, &packages, advice)?;
    match missing().first() {
        None => Ok(()),
        Some(engine) => Err(Failure::new(format!(
            "after installing {}: {engine}",
            engine.package
        ))),
    }
}

/// Makes sure that a program is there.
pub(crate) fn program(
    steps: &mut Steps,
    program: &str,
    package: &'static str,
) -> Result<(), Failure> {
    if succeeds(program, &["--version"]) {
        return Ok(());
    }
    install(steps, &[package], "Install it by hand.")
}

/// The dashboard's packages: its chart library, and what checks it.
const DASHBOARD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../resilient-admin/dashboard");

/// Makes sure that the browser is there, and the packages that its tests need.
pub(crate) fn browser(steps: &mut Steps) -> Result<(), Failure> {
    program(steps, "chromium", "chromium")?;
    program(steps, "chromedriver", "chromium-driver")?;
    program(steps, "npm", "npm")?;
    // Fails if one is missing, or has another version than the lock file says.
    if succeeds("npm", &["ls", "--prefix", DASHBOARD]) {
        return Ok(());
    }
    let mut command = Command::new("npm");
    command.args(["ci", "--no-audit", "--no-fund", "--prefix", DASHBOARD]);
    steps.run("packages of the dashboard", command)
}

/// Makes sure that the parser of Prometheus' Python client is there, by which exported text is
/// read; Debian's own Python has Debian's packages.
pub(crate) fn parser(steps: &mut Steps) -> Result<(), Failure> {
    let check = ["-c", "import prometheus_client.openmetrics.parser"];
    let pythons = ["/usr/bin/python3", "python3"];
    if pythons.iter().any(|python| succeeds(python, &check)) {
        return Ok(());
    }
    let packages = ["python3", "python3-prometheus-client"];
    install(steps, &packages, "Install them by hand.")
}

fn install(steps: &mut Steps, packages: &[&str], advice: &str) -> Result<(), Failure> {
    let mut command = as_root().ok_or_else(|| {
        Failure::new(format!(
            "cannot install {packages}: that needs apt-get, and root or sudo without a password. \
             {advice}",
            packages = packages.join(" and "),
        ))
    })?;
    command
        .args(["sh", "-euc", SCRIPT, "install"])
        .args(packages);
    steps.run("install", command)
}

/// The start of a command that runs as root, where packages can be installed at all.
fn as_root() -> Option<Command> {
    let shell = |script| succeeds("sh", &["-c", script]);
    if !shell("command -v apt-get") {
        None
    } else if shell("[ \"$(id -u)\" = 0 ]") {
        Some(Command::new("env"))
    } else if succeeds("sudo", &["-n", "true"]) {
        let mut sudo = Command::new("sudo");
        sudo.arg("-n");
        Some(sudo)
    } else {
        None
    }
}
