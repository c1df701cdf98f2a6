//! Answers beside the document that describes them.

use jsonschema::Validator;
use serde_json::{Value, json};

/// The schemas of a router, closed: what they do not mention must not be there.
#[derive(Debug)]
pub struct Document(pub Value);

impl Document {
    pub fn of(mut document: Value) -> Self {
        let schemas = document["components"]["schemas"].as_object_mut();
        for schema in schemas.expect("schemas").values_mut() {
            close(schema);
        }
        Self(document)
    }

    /// The schema of an answer.
    pub fn answer(&self, method: &str, path: &str, status: u16, media_type: &str) -> Validator {
        let operation = &self.0["paths"][path][method.to_lowercase()];
        let content = &operation["responses"][status.to_string()]["content"];
        let schema = &content[media_type]["schema"];
        assert!(
            schema.is_object(),
            "{method} {path} {status} {media_type}: not described"
        );
        self.validator(schema)
    }

    /// The schema of an event of a stream.
    pub fn event(&self, name: &str) -> Validator {
        let events = &self.0["paths"]["/admin/database/events"]["get"]["x-events"];
        assert!(events[name].is_object(), "{name}: not described");
        self.validator(&events[name])
    }

    fn validator(&self, schema: &Value) -> Validator {
        let whole = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "allOf": [schema],
            "components": self.0["components"],
        });
        jsonschema::validator_for(&whole).expect("a schema")
    }
}

/// Asserts that a value is as its schema says.
#[track_caller]
pub fn fits(validator: &Validator, value: &Value, what: &str) {
    let errors: Vec<String> = validator
        .iter_errors(value)
        .map(|error| format!("{} at {}", error, error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{what}: {errors:#?}\n{value:#}");
}

/// Objects have no members but those that are described.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.contains_key("properties") && !members.contains_key("additionalProperties") {
                members.insert("unevaluatedProperties".to_owned(), Value::Bool(false));
            }
            members.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}
