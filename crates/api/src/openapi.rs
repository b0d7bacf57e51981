//! The `OpenAPI` document, made from one table of routes and parameters.

use serde_json::{Map, Value, json};

/// A route as the document has it. A test holds this table against the router.
pub(crate) struct Operation {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    summary: &'static str,
    parameters: &'static [&'static str],
    answer: &'static str,
    media: &'static str,
    /// Statuses beside the good one; all are problems.
    pub(crate) problems: &'static [u16],
}

const JSON: &str = "application/json";
const LIST: &[&str] = &["container_id", "start", "end", "priority", "limit", "cursor"];
const ALERTS: &[&str] =
    &["id", "start", "end", "priority", "state", "source", "kind", "rule", "q", "limit", "cursor"];

const fn get(
    path: &'static str,
    summary: &'static str,
    parameters: &'static [&'static str],
    answer: &'static str,
    problems: &'static [u16],
) -> Operation {
    Operation { method: "get", path, summary, parameters, answer, media: JSON, problems }
}

/// Every route but the page's own files.
pub(crate) const OPERATIONS: &[Operation] = &[
    get(
        "/api/containers",
        "Containers by name, with phase, learning progress, rate and open alerts",
        &["container_id", "q", "priority", "limit", "cursor"],
        "Containers",
        &[400, 404, 409, 503],
    ),
    get(
        "/api/containers/{id}",
        "One container, its profile and the learning numbers of each branch",
        &["id"],
        "Container",
        &[400, 404, 409, 503],
    ),
    get(
        "/api/containers/{id}/logs",
        "Events of a container, newest first",
        &["id", "start", "end", "priority", "category", "q", "limit", "cursor"],
        "Logs",
        &[400, 404, 409, 500, 503],
    ),
    get(
        "/api/containers/{id}/alerts",
        "Alerts of a container, last seen newest first, with their numbers on the first page",
        ALERTS,
        "Alerts",
        &[400, 404, 409, 500, 503],
    ),
    get(
        "/api/alerts",
        "Alerts, last seen newest first",
        &[
            "container_id",
            "start",
            "end",
            "priority",
            "state",
            "source",
            "kind",
            "rule",
            "q",
            "stats",
            "limit",
            "cursor",
        ],
        "Alerts",
        &[400, 404, 409, 500, 503],
    ),
    get("/api/alerts/{id}", "One alert with its evidence", &["id"], "Alert", &[400, 404, 500, 503]),
    get(
        "/api/incidents",
        "Incidents, last seen newest first",
        LIST,
        "Incidents",
        &[400, 404, 409, 500, 503],
    ),
    get(
        "/api/incidents/{id}",
        "One incident with its alerts",
        &["id"],
        "Incident",
        &[400, 404, 500, 503],
    ),
    get(
        "/api/overview",
        "Rates, distributions, alert posture and loss in a window",
        &["window"],
        "Overview",
        &[400, 500, 503],
    ),
    get(
        "/api/hbt/{id}",
        "The behaviour tree of a profile, or a part of it",
        &["id", "branch", "depth", "node", "q", "at"],
        "TreeNode",
        &[400, 404, 409, 500, 503],
    ),
    get(
        "/api/hbt/{id}/history",
        "The stored snapshots of a profile, newest first",
        &["id", "start", "end", "limit"],
        "History",
        &[400, 404, 409, 500, 503],
    ),
    Operation {
        media: "text/event-stream",
        ..get(
            "/api/stream",
            "Events and alerts as they happen",
            &["container_id", "type", "priority", "category", "last_event_id"],
            "Envelope",
            &[400, 404, 409, 503],
        )
    },
    Operation {
        media: "text/event-stream",
        ..get(
            "/api/stream/{id}",
            "Events and alerts of a container as they happen",
            &["id", "type", "priority", "category", "last_event_id"],
            "Envelope",
            &[400, 404, 409, 503],
        )
    },
    get(
        "/api/sources",
        "Where events come from, and what became of every line",
        &[],
        "Sources",
        &[400, 503],
    ),
    get(
        "/api/ingest/rejected",
        "Lines that were no events, newest first",
        &["limit"],
        "Rejected",
        &[400, 503],
    ),
    get(
        "/api/config",
        "The effective configuration without its secrets",
        &[],
        "Object",
        &[400, 503],
    ),
    get("/api/openapi.json", "This document", &[], "Object", &[503]),
    Operation {
        method: "post",
        ..get(
            "/ingest/falco",
            "Takes one Falco event, an array or lines of them; plain or gzip",
            &[],
            "Accepted",
            &[400, 403, 413, 415, 429, 503],
        )
    },
    get("/healthz", "The process answers", &[], "Object", &[503]),
    get("/livez", "The process answers", &[], "Object", &[503]),
    get("/readyz", "Stored state is back", &[], "Object", &[503]),
    Operation {
        media: "text/plain",
        ..get("/metrics", "Prometheus' text format or OpenMetrics", &[], "Text", &[500, 503])
    },
];

/// The document.
pub(crate) fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for operation in OPERATIONS {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method] = describe(operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Hanabi",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Times are RFC 3339; parameters take whole nanoseconds, too.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": paths,
        "components": { "schemas": schemas() },
    })
}

fn describe(operation: &Operation) -> Value {
    let parameters: Vec<Value> = operation.parameters.iter().map(|name| parameter(name)).collect();
    let good = if operation.method == "post" { "202" } else { "200" };
    let schema = json!({ "$ref": format!("#/components/schemas/{}", operation.answer) });
    let mut responses = json!({
        good: { "description": "The answer", "content": { operation.media: { "schema": schema } } },
    });
    // A wrong Host is refused everywhere, and a method on its own path is never 405.
    for status in operation.problems.iter().chain([&403]) {
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
    if operation.method == "post" {
        let event = json!({ "schema": { "type": ["object", "array"] } });
        let lines = json!({ "schema": { "type": "string" } });
        described["requestBody"] = json!({
            "required": true,
            "content": { JSON: event, "application/x-ndjson": lines },
        });
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
        "container_id" => (text, "Full id, short id, identity or name of a container"),
        "start" => (time, "From this time on"),
        "end" => (time, "Before this time"),
        "at" => (time, "The newest snapshot not younger than this"),
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
    let place = if name == "id" { "path" } else { "query" };
    json!({ "name": name, "in": place, "required": place == "path", "description": about, "schema": schema })
}

fn schemas() -> Value {
    let object = |fields: &[(&str, Value)]| {
        let properties: Map<String, Value> =
            fields.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
        let required: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
        json!({ "type": "object", "properties": properties, "required": required })
    };
    let any = json!({ "type": "object" });
    let list = json!({ "type": "array", "items": { "type": "object" } });
    let count = json!({ "type": "integer", "minimum": 0 });
    let time = json!({ "type": ["string", "null"] });
    let text = json!({ "type": "string" });
    let cursor = ("next_cursor", json!({ "type": ["string", "null"] }));
    json!({
        "Object": any,
        "Text": text,
        "Accepted": object(&[("accepted", count.clone())]),
        "Containers": object(&[("generated", time.clone()), ("total", count.clone()), ("containers", list.clone()), cursor.clone()]),
        "Container": object(&[("container", any.clone()), ("profile", json!({ "type": ["object", "null"] }))]),
        "Logs": object(&[("events", list.clone()), cursor.clone(), ("scanned_until", time.clone())]),
        "Alerts": object(&[("alerts", list.clone()), cursor.clone()]),
        "Alert": object(&[("id", text.clone()), ("fingerprint", text.clone()), ("priority", text.clone()), ("summary", any.clone())]),
        "Incidents": object(&[("incidents", list.clone()), cursor]),
        "Incident": object(&[("incident", any.clone()), ("alerts", list.clone())]),
        "Overview": object(&[("generated", time.clone()), ("events", any.clone()), ("alerts", any.clone()),
            ("containers", any.clone()), ("totals", any.clone()), ("lost", count.clone()), ("sources", list.clone())]),
        "TreeNode": object(&[("name", text.clone()), ("type", text.clone()), ("events_count", count),
            ("metadata", any.clone()),
            ("children", json!({ "type": "object", "additionalProperties": { "$ref": "#/components/schemas/TreeNode" } }))]),
        "History": object(&[("identity", text.clone()), ("snapshots", list.clone())]),
        "Sources": object(&[("sources", list.clone()), ("totals", any.clone())]),
        "Rejected": object(&[("rejected", list), ("totals", any.clone())]),
        "Envelope": object(&[("type", json!({ "type": "string", "enum": ["event", "alert", "heartbeat"] })),
            ("ts", text.clone()), ("container", json!({ "type": ["string", "null"] })), ("payload", any)]),
        "Problem": object(&[("type", text.clone()), ("title", text.clone()), ("status", json!({ "type": "integer" })), ("detail", text)]),
    })
}
