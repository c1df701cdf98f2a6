//! The `OpenAPI` document, made of the list of endpoints and the types' schemas.
//!
//! The schemas come from `schemars`: `OpenAPI` 3.1 takes JSON Schema as it is, and what is
//! serialised, not only what is read, decides what a schema requires.

use std::sync::LazyLock;

use resilient_core::health::HealthEvent;
use schemars::{Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use crate::{
    Access, Problem,
    diagnostics::Wanted,
    endpoint::{About, Answers, ENDPOINTS, Endpoint},
    live::snapshot::{LiveSnapshot, Missed},
    problem::PROBLEM_JSON,
    reports::JSON,
};

/// The document.
pub(crate) static DOCUMENT: LazyLock<Value> = LazyLock::new(document);

fn document() -> Value {
    let mut settings = SchemaSettings::draft2020_12().for_serialize();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut generator = settings.into_generator();
    let mut paths = Map::new();
    for endpoint in ENDPOINTS {
        let operation = operation(endpoint, &mut generator);
        let path = json!({ (endpoint.method): operation });
        paths.insert(endpoint.path.to_owned(), path);
    }
    // What event streams carry, each by the name of its event.
    let events = [
        generator.subschema_for::<LiveSnapshot>(),
        generator.subschema_for::<HealthEvent>(),
        generator.subschema_for::<Missed>(),
    ];
    let names = ["snapshot", "health", "lagged"];
    if let Some(operation) = paths.get_mut("/admin/database/events") {
        let by_name: Map<String, Value> = names
            .into_iter()
            .zip(events)
            .map(|(name, schema)| (name.to_owned(), schema.to_value()))
            .collect();
        operation["get"]["x-events"] = Value::Object(by_name);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "resilient admin",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "How databases do. Numbers have their unit in their name. Objects may \
                            get more members, and enumerations more values.",
        },
        "servers": [{ "url": "." }],
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer" },
            },
        },
    })
}

fn operation(endpoint: &Endpoint, generator: &mut SchemaGenerator) -> Value {
    let content = match endpoint.answers {
        Answers::Json(schema) => {
            let schema = schema(generator);
            json!({ (JSON): { "schema": schema } })
        }
        Answers::AnyJson => json!({ (JSON): { "schema": { "type": "object" } } }),
        Answers::Text(media_type) => json!({ (media_type): { "schema": { "type": "string" } } }),
        Answers::Events => json!({ "text/event-stream": { "schema": { "type": "string" } } }),
    };
    let mut responses = Map::new();
    let good = json!({ "description": "As asked.", "content": content });
    responses.insert("200".to_owned(), good);
    let problem = generator.subschema_for::<Problem>();
    for status in errors(endpoint) {
        let mut content = json!({ (PROBLEM_JSON): { "schema": problem } });
        // Whoever may read is told how each database does.
        if let (503, "/readyz", Answers::Json(schema)) = (status, endpoint.path, endpoint.answers) {
            let schema: Schema = schema(generator);
            content[JSON] = json!({ "schema": schema });
        }
        let known = http::StatusCode::from_u16(status).ok();
        let description = known.and_then(|known| known.canonical_reason());
        let response = json!({ "description": description, "content": content });
        responses.insert(status.to_string(), response);
    }
    let mut operation = json!({
        "operationId": endpoint.path.trim_start_matches('/').replace(['/', '-', '.'], "_"),
        "summary": endpoint.summary,
        "responses": responses,
        "x-permission": permission(endpoint.access),
    });
    if endpoint.access > Access::None {
        operation["security"] = json!([{ "bearer": [] }]);
    }
    let which = match endpoint.about {
        About::Process => None,
        About::OneOrFirst => Some("Which database; the first by default."),
        About::OneOrAll => Some("Which database; all of them by default."),
    };
    if let Some(which) = which {
        operation["parameters"] = json!([{
            "name": "database",
            "in": "query",
            "description": which,
            "schema": { "type": "string" },
        }]);
    }
    if endpoint.method == "post" {
        let wanted = generator.subschema_for::<Wanted>();
        operation["requestBody"] = json!({ "content": { (JSON): { "schema": wanted } } });
    }
    operation
}

/// What a permission is called.
pub(crate) fn permission(access: Access) -> &'static str {
    match access {
        Access::None => "none",
        Access::Read => "read",
        Access::Act => "act",
    }
}

/// The statuses of problems that it can answer.
fn errors(endpoint: &Endpoint) -> Vec<u16> {
    let mut all = endpoint.errors.to_vec();
    if endpoint.about != About::Process {
        all.extend([400, 404]);
    }
    if endpoint.access > Access::None {
        all.push(401);
    }
    if endpoint.access > Access::Read {
        all.push(403);
    }
    all.sort_unstable();
    all
}
