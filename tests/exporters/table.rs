//! The table in `docs/metrics.md` says what the list says.

use std::fmt::Write as _;

use resilient_sea_orm::metrics::instrument::{self, Kind};

use crate::grafana::docs;

/// The table as it should be.
fn table() -> String {
    let mut table =
        "| metric | kind | labels | what it says |\n| --- | --- | --- | --- |\n".to_owned();
    for metric in instrument::ALL {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Histogram => "histogram",
            _ => "gauge",
        };
        let labels = metric
            .labels
            .iter()
            .map(|l| format!("`{}`", l.replace('.', "_")));
        let labels: Vec<_> = labels.collect();
        let (name, labels) = (metric.exposed(), labels.join(", "));
        writeln!(table, "| `{name}` | {kind} | {labels} | {} |", metric.help).unwrap();
    }
    table
}

/// Set `RESILIENT_BLESS` to write the table anew.
#[test]
fn the_documented_names_are_the_exported_ones() {
    let (found, expected) = (docs("metrics.md"), table());
    if std::env::var_os("RESILIENT_BLESS").is_some() {
        let start = found.find("| metric |").expect("a table");
        let end = found[start..].find("\n\n").expect("its end") + start + 1;
        let new = format!("{}{expected}{}", &found[..start], &found[end..]);
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md");
        std::fs::write(path, new).unwrap();
        return;
    }
    assert!(
        found.contains(&expected),
        "the table in docs/metrics.md should be:\n{expected}"
    );
}
