//! The code's list, the document's and the fields agree.

use std::collections::BTreeSet;

use crate::config::{Config, VARIABLES};

fn fields() -> serde_json::Map<String, serde_json::Value> {
    let serde_json::Value::Object(sections) = serde_json::to_value(Config::default()).unwrap()
    else {
        panic!("sections");
    };
    let mut fields = serde_json::Map::new();
    for (section, values) in sections {
        for (name, value) in values.as_object().expect("fields") {
            fields.insert(format!("{section}.{name}"), value.clone());
        }
    }
    fields
}

#[test]
fn every_field_has_a_variable_and_no_variable_is_without_one() {
    let set: BTreeSet<_> = VARIABLES.iter().flat_map(|v| v.fields).copied().collect();
    let there: BTreeSet<_> = fields().into_iter().map(|(name, _)| name).collect();
    assert_eq!(set, there.iter().map(String::as_str).collect());
}

#[test]
fn the_document_lists_what_the_code_knows() {
    let fields = fields();
    let rows: Vec<String> = VARIABLES
        .iter()
        .map(|variable| {
            let names: Vec<_> = variable.fields.iter().map(|f| format!("`{f}`")).collect();
            let default = &fields[variable.fields[0]];
            let default = default
                .as_str()
                .map_or_else(|| default.to_string(), str::to_owned);
            format!(
                "| `{}` | {} | {default} | {} | {} |",
                variable.name,
                names.join(", "),
                variable.kind.unit(),
                variable.meaning
            )
        })
        .collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");
    let document = std::fs::read_to_string(path).expect("docs/configuration.md");
    let listed: Vec<&str> = document
        .lines()
        .filter(|line| {
            let cell = line.strip_prefix("| `");
            cell.is_some_and(|cell| cell.starts_with(|c: char| c.is_ascii_uppercase()))
        })
        .collect();
    assert_eq!(
        listed,
        rows,
        "docs/configuration.md should list:\n{}",
        rows.join("\n")
    );
}
