//! The parser of Prometheus' Python client, which is strict about `OpenMetrics`.

use std::{
    collections::BTreeMap,
    io::Write as _,
    process::{Command, Stdio},
};

use serde_json::Value;

/// Debian's own Python first: only that one has Debian's packages.
const PYTHONS: [&str; 2] = ["/usr/bin/python3", "python3"];
const MODULE: &str = "import prometheus_client.openmetrics.parser";

/// A family as the parser understood it.
#[derive(Debug)]
pub struct Family {
    pub kind: String,
    pub unit: String,
    pub help: String,
    /// Names and labels, with their values.
    pub samples: Vec<(String, BTreeMap<String, String>, f64)>,
}

impl Family {
    /// The value of the sample with these labels and maybe others.
    #[track_caller]
    pub fn value(&self, sample: &str, labels: &[(&str, &str)]) -> f64 {
        let mut found = self.samples.iter().filter(|(name, all, _)| {
            let has = |(key, value): &(&str, &str)| all.get(*key).is_some_and(|v| v == value);
            name == sample && labels.iter().all(has)
        });
        let value = found.next().map(|(.., value)| *value);
        assert!(found.next().is_none(), "several {sample} {labels:?}");
        value.unwrap_or_else(|| panic!("no {sample} {labels:?} in {self:?}"))
    }
}

fn python() -> &'static str {
    let has_it = |python: &&&str| {
        let check = Command::new(python).args(["-c", MODULE]).output();
        check.is_ok_and(|output| output.status.success())
    };
    PYTHONS.iter().find(has_it).expect(
        "Python's prometheus_client is not installed: apt-get install python3-prometheus-client, \
         or run cargo xtask test, which does",
    )
}

/// Parses the text; panics with what the parser has against it.
pub fn parse(text: &str) -> BTreeMap<String, Family> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/exporters/parser.py");
    let mut child = Command::new(python())
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("Python starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    // It reads everything before it writes.
    stdin.write_all(text.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}\n{text}");
    let all: Vec<Value> = serde_json::from_slice(&output.stdout).expect("it writes JSON");
    let families = all.iter().map(|family| {
        let word = |key: &str| family[key].as_str().expect(key).to_owned();
        let parsed = Family {
            kind: word("kind"),
            unit: word("unit"),
            help: word("help"),
            samples: family["samples"]
                .as_array()
                .expect("samples")
                .iter()
                .map(|sample| {
                    (
                        sample["name"].as_str().expect("a name").to_owned(),
                        serde_json::from_value(sample["labels"].clone()).expect("labels"),
                        sample["value"].as_str().expect("a value").parse().unwrap(),
                    )
                })
                .collect(),
        };
        (word("name"), parsed)
    });
    families.collect()
}
