//! The README names the tests that prove its guarantees: they exist.
#![allow(missing_docs, clippy::unwrap_used)]

use std::{fs, path::Path};

#[test]
fn every_test_that_the_readme_names_exists() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(tests.join("../README.md")).unwrap();
    let mut named = 0;
    for name in readme.split('`').skip(1).step_by(2) {
        let Some((file, test)) = name.split_once("::") else {
            continue;
        };
        let path = tests.join(format!("integration/{file}.rs"));
        let Ok(source) = fs::read_to_string(&path) else {
            continue;
        };
        assert!(
            source.contains(&format!("fn {test}(")),
            "{name} is not there"
        );
        named += 1;
    }
    assert!(named > 20, "only {named} are named");
}
