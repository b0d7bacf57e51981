//! The `OpenAPI` document, made from one table of routes and parameters.

mod auth;
mod export;
mod operations;
mod page;
mod promql;
mod schemas;
mod shapes;

use serde_json::{Map, Value, json};

use crate::auth::is_open;

/// A route as the document has it. A test holds this table against the router.
pub(crate) struct Operation {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    summary: &'static str,
    parameters: &'static [&'static str],
    answer: &'static str,
    media: &'static str,
    /// The schema of its body; none for a route that takes none.
    body: Option<&'static str>,
    /// Statuses beside the good one; all are problems.
    pub(crate) problems: &'static [u16],
}

const JSON: &str = "application/json";
/// No media type: the answer is another protocol.
const WEBSOCKET: &str = "websocket";

const fn get(
    path: &'static str,
    summary: &'static str,
    parameters: &'static [&'static str],
    answer: &'static str,
    problems: &'static [u16],
) -> Operation {
    Operation {
        method: "get",
        path,
        summary,
        parameters,
        answer,
        media: JSON,
        body: None,
        problems,
    }
}

/// A change: JSON in, JSON out, and the engine may say no.
const fn change(
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    parameters: &'static [&'static str],
    body: &'static str,
    answer: &'static str,
) -> Operation {
    Operation {
        method,
        body: Some(body),
        ..get(path, summary, parameters, answer, &[400, 404, 409, 413, 415, 500, 503])
    }
}

/// The document as a page for people.
pub(crate) fn page() -> Result<String, std::fmt::Error> {
    page::page(&document())
}

/// The `OpenAPI` document of every route.
pub fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for operation in
        operations::OPERATIONS.iter().chain(auth::OPERATIONS).chain(&export::OPERATIONS)
    {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method] = describe(operation);
    }
    promql::add(&mut paths);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Hanabi",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Times are RFC 3339; parameters take whole nanoseconds, too.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": paths,
        "security": auth::requirement(),
        "components": { "schemas": schemas::all(), "securitySchemes": auth::schemes() },
    })
}

fn describe(operation: &Operation) -> Value {
    let parameters: Vec<Value> = operation.parameters.iter().map(|name| parameter(name)).collect();
    let good = match (operation.body, operation.media) {
        (Some("Events"), _) => "202",
        (_, WEBSOCKET) => "101",
        _ => "200",
    };
    let schema = json!({ "$ref": format!("#/components/schemas/{}", operation.answer) });
    let content = if operation.answer == "Rows" {
        export::rows()
    } else if operation.media == WEBSOCKET {
        json!({})
    } else {
        json!({ operation.media: { "schema": schema } })
    };
    let mut responses = json!({ good: { "description": "The answer", "content": content } });
    // A wrong Host, nobody and too many are refused everywhere, and a method on its own path is never 405.
    for status in operation.problems.iter().chain([&401, &403, &429]) {
        let problem = json!({ "schema": { "$ref": "#/components/schemas/Problem" } });
        responses[status.to_string()] = json!({
            "description": "A problem",
            "content": { "application/problem+json": problem },
        });
    }
    let mut described = json!({
        "operationId": operation_id(operation),
        "summary": operation.summary,
        "parameters": parameters,
        "responses": responses,
    });
    if is_open(&operation.method.to_uppercase(), operation.path) {
        described["security"] = json!([]);
    }
    match operation.body {
        None => {}
        Some("Events") => {
            let event = json!({ "schema": { "type": ["object", "array"] } });
            let lines = json!({ "schema": { "type": "string" } });
            described["requestBody"] = json!({
                "required": true,
                "content": { JSON: event, "application/x-ndjson": lines },
            });
        }
        Some(body) => {
            let schema = json!({ "$ref": format!("#/components/schemas/{body}") });
            let required = body.starts_with("New") || matches!(body, "Bulk");
            described["requestBody"] =
                json!({ "required": required, "content": { JSON: { "schema": schema } } });
        }
    }
    described
}

fn operation_id(operation: &Operation) -> String {
    let words = operation.path.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    format!("{}_{}", operation.method, words.join("_"))
}

fn parameter(name: &str) -> Value {
    let time =
        json!({ "type": "string", "examples": ["2026-01-01T00:00:00Z", "1767225600000000000"] });
    let word = |words: &[&str]| json!({ "type": "string", "enum": words });
    let text = json!({ "type": "string", "maxLength": 2048 });
    let (schema, about) = match name {
        "id" => (
            json!({ "type": "string", "minLength": 1 }),
            "Full id, short id, identity or name, in this order",
        ),
        "source_id" => (
            json!({ "type": "string", "minLength": 1 }),
            "The id of a source as the list has it; its slashes are written %2F",
        ),
        "name" => (text, "The name of an output, as configured"),
        "item" => (text, "The id of a quarantined behaviour"),
        "dry_run" => {
            (json!({ "type": "boolean" }), "Changes nothing; the answer tells what would change")
        }
        "container_id" => (text, "Full id, short id, identity or name of a container"),
        "start" => (time, "From this time on"),
        "end" => (time, "Before this time"),
        "at" => (time, "The newest snapshot not younger than this"),
        "from" => (time, "The newest snapshot not younger than this; it must be given"),
        "to" => (time, "The same, of the later tree; the present one by default"),
        "format" => (word(&["json", "ndjson", "csv"]), "The file's format; json by default"),
        "lang" => (word(&["en", "zh"]), "Its language; en by default"),
        "limit" => (json!({ "type": "integer", "minimum": 1, "maximum": 1000 }), "Rows of a page"),
        "depth" => {
            (json!({ "type": "integer", "minimum": 0, "maximum": 60 }), "Levels below the node")
        }
        "priority" => (
            word(&hanabi_event::Priority::ALL.map(hanabi_event::Priority::as_str)),
            "This priority and higher ones",
        ),
        "window" => (word(&["5m", "15m", "1h", "24h"]), "How far back; 15m by default"),
        "branch" => (word(&["process", "network", "file"]), "Only this branch"),
        "stats" => (json!({ "type": "boolean" }), "With the numbers of all that match"),
        "category" => (text, "process, network, file or unknown"),
        "state" => {
            (text, "open, acknowledged, suppressed, promoted, resolved; several with commas")
        }
        "source" => (text, "hanabi or falco"),
        "kind" => (text, "A kind of alert, such as new_process"),
        "rule" => (text, "A rule by its exact name"),
        "type" => (text, "event, alert; several with commas"),
        "node" => (text, "A JSON pointer over the keys of children: only the tree below that node"),
        "last_event_id" => (text, "Go on after this message, as the header Last-Event-ID does"),
        "cursor" => (text, "next_cursor of the page before"),
        _ => (text, "Text to look for, in any case"),
    };
    let name = if name == "source_id" { "id" } else { name };
    let place = if matches!(name, "id" | "item" | "name") { "path" } else { "query" };
    json!({ "name": name, "in": place, "required": place == "path", "description": about, "schema": schema })
}
