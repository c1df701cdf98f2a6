//! What the compiler says, with the real runtime, to each file below this folder.
//!
//! `TRYBUILD=overwrite cargo test --package resilient-ui-tests` writes the expected texts anew.

#[test]
fn ui() {
    let cases = trybuild::TestCases::new();
    cases.pass("pass/*.rs");
    for topic in [
        "arguments",
        "blocks",
        "conflicts",
        "constraints",
        "errors",
        "faults",
        "functions",
        "items",
        "options",
        "soft_delete",
        "values",
    ] {
        cases.compile_fail(format!("{topic}/*.rs"));
    }
}
