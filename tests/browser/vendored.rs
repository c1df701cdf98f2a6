//! The chart library's files are those of its package.

use std::{
    fs,
    path::{Path, PathBuf},
};

use support::TestResult;

fn dashboard() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../resilient-admin/dashboard")
}

/// A file of an installed package.
pub fn package(path: &str) -> TestResult<PathBuf> {
    let file = dashboard().join("node_modules").join(path);
    if file.is_file() {
        return Ok(file);
    }
    let advice =
        "`cargo xtask test` installs it, and so does: npm ci --prefix resilient-admin/dashboard";
    Err(format!("no `{path}` among the packages of the dashboard; {advice}").into())
}

#[test]
fn they_are_those_that_the_lock_file_names() -> TestResult {
    let read = |path: PathBuf| fs::read(&path).map_err(|e| format!("{}: {e}", path.display()));
    let lock = read(dashboard().join("package-lock.json"))?;
    let lock: serde_json::Value = serde_json::from_slice(&lock)?;
    let installed: serde_json::Value =
        serde_json::from_slice(&read(package("uplot/package.json")?)?)?;
    let locked = &lock["packages"]["node_modules/uplot"]["version"];
    assert_eq!(installed["version"], *locked, "run npm ci");
    for (vendored, original) in [
        ("uPlot.iife.min.js", "uplot/dist/uPlot.iife.min.js"),
        ("uPlot.min.css", "uplot/dist/uPlot.min.css"),
        ("uPlot.LICENSE", "uplot/LICENSE"),
    ] {
        let here = read(dashboard().join("vendor").join(vendored))?;
        let there = read(package(original)?)?;
        assert!(here == there, "{vendored} is another one: npm run vendor");
    }
    Ok(())
}

/// Every file that the page may ask for is served: the page's own links and imports.
#[test]
fn every_file_of_the_page_is_served() -> TestResult {
    let list = fs::read_to_string(dashboard().join("../src/assets.rs"))?;
    let mut checked = 0;
    for folder in ["", "vendor"] {
        for entry in fs::read_dir(dashboard().join(folder))? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            let path = if folder.is_empty() {
                name
            } else {
                format!("{folder}/{name}")
            };
            let kind = Path::new(&path).extension().and_then(|kind| kind.to_str());
            if matches!(kind, Some("js" | "css" | "svg" | "LICENSE")) {
                assert!(
                    list.contains(&format!("\"{path}\"")),
                    "{path} is not in assets.rs"
                );
                checked += 1;
            }
        }
    }
    assert!(checked > 10, "{checked} files");
    Ok(())
}
