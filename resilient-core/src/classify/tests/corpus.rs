//! Every entry of the reference corpus, `tests/corpus/faults.jsonl` of the workspace.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::disagreements::DISAGREEMENTS;
use super::*;
use crate::fault::Fault;

const CORPUS: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../tests/corpus/faults.jsonl"
));

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Fields {
    constraint: Option<String>,
    table: Option<String>,
    column: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    id: String,
    backend: Backend,
    engine: Engine,
    code: Option<serde_json::Value>,
    sqlstate: Option<String>,
    severity: Option<String>,
    message: String,
    detail: Option<String>,
    hint: Option<String>,
    routine: Option<String>,
    #[serde(default)]
    fields: Fields,
    #[serde(default)]
    phase: Phase,
    source: Option<String>,
    kind: FaultKind,
    #[serde(default)]
    accept: Vec<FaultKind>,
    effect: Effect,
    constraint: Option<String>,
    table: Option<String>,
    #[serde(default)]
    columns: Vec<String>,
}

fn entries() -> Vec<Entry> {
    CORPUS
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e} in {line}")))
        .collect()
}

impl Entry {
    fn code(&self) -> String {
        match &self.code {
            Some(serde_json::Value::String(code)) => code.clone(),
            Some(code) => code.to_string(),
            None => String::new(),
        }
    }

    fn classify(&self) -> Fault {
        let code = self.code();
        let mut report = ErrorReport::new(self.backend, &code, &self.message)
            .engine(self.engine)
            .phase(self.phase);
        for (value, set) in [
            (&self.sqlstate, ErrorReport::sqlstate as Setter<'_>),
            (&self.severity, ErrorReport::severity),
            (&self.detail, ErrorReport::detail),
            (&self.hint, ErrorReport::hint),
            (&self.routine, ErrorReport::routine),
            (&self.fields.constraint, ErrorReport::constraint),
            (&self.fields.table, ErrorReport::table),
            (&self.fields.column, ErrorReport::column),
        ] {
            if let Some(value) = value {
                report = set(report, value);
            }
        }
        report.classify()
    }

    /// The fields in which the classifier says something else.
    ///
    /// A violation must not name more than the corpus does; other errors may.
    fn differs(&self) -> Vec<(&'static str, String)> {
        let fault = self.classify();
        let strict = self.kind.constraint_kind().is_some();
        let mut found = Vec::new();
        let mut compare = |field, same: bool, got: String| {
            if !same {
                found.push((field, got));
            }
        };
        let kind = fault.kind();
        compare(
            "kind",
            kind == self.kind || self.accept.contains(&kind),
            kind.to_string(),
        );
        let effect = fault.effect();
        compare("effect", effect == self.effect, effect.to_string());
        for (field, expected, got) in [
            ("constraint", self.constraint.as_deref(), fault.constraint()),
            ("table", self.table.as_deref(), fault.table()),
        ] {
            let same = expected == got || (expected.is_none() && !strict);
            compare(field, same, format!("{got:?}"));
        }
        let columns = fault.columns();
        let same = columns == self.columns || (self.columns.is_empty() && !strict);
        compare("columns", same, format!("{columns:?}"));
        found
    }
}

type Setter<'a> = fn(ErrorReport<'a>, &'a str) -> ErrorReport<'a>;

/// Every entry agrees, or is listed; every listed entry still disagrees.
#[test]
fn every_entry_agrees_or_is_a_listed_disagreement() {
    let listed: BTreeSet<(&str, &str)> = DISAGREEMENTS
        .iter()
        .flat_map(|d| d.ids.iter().map(|id| (*id, d.field)))
        .collect();
    let entries = entries();
    let mut seen = BTreeSet::new();
    let mut unlisted = Vec::new();
    for entry in &entries {
        for (field, got) in entry.differs() {
            if listed.contains(&(entry.id.as_str(), field)) {
                seen.insert((entry.id.as_str(), field));
            } else {
                unlisted.push(format!("{} {field}: {got}\n    {entry:?}", entry.id));
            }
        }
    }
    assert!(
        unlisted.is_empty(),
        "{} unlisted disagreements:\n{}",
        unlisted.len(),
        unlisted.join("\n")
    );
    let healed: Vec<_> = listed.difference(&seen).collect();
    assert!(healed.is_empty(), "listed, but they agree: {healed:?}");
    let differing: BTreeSet<&str> = seen.iter().map(|(id, _)| *id).collect();
    assert_eq!(entries.len(), 976);
    println!(
        "{} of {} agree",
        entries.len() - differing.len(),
        entries.len()
    );
}

/// A reason is a sentence, and no entry is listed twice for one field.
#[test]
fn disagreements_are_reasoned_and_unique() {
    let mut seen = BTreeSet::new();
    for disagreement in DISAGREEMENTS {
        assert!(disagreement.reason.len() > 40, "{}", disagreement.reason);
        assert!(!disagreement.ids.is_empty());
        for id in disagreement.ids {
            assert!(seen.insert((id, disagreement.field)), "{id} twice");
        }
    }
}

/// Codes that reach the wrong backend's table are no reason to panic, and only errors of the
/// client side come without a code.
#[test]
fn a_report_without_optional_context_never_panics() {
    for entry in entries() {
        for backend in [Backend::Postgres, Backend::MySql, Backend::Sqlite] {
            let _ = ErrorReport::new(backend, &entry.code(), &entry.message).classify();
        }
        assert!(
            entry.source.is_none() || entry.code().is_empty(),
            "{}",
            entry.id
        );
    }
}
