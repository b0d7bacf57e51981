//! The `OpenAPI` document, made from one table of routes and parameters.

mod export;
mod page;
mod promql;
mod schemas;
mod shapes;

use serde_json::{Map, Value, json};

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
const LIST: &[&str] = &["container_id", "start", "end", "priority", "limit", "cursor"];
const ALERTS: &[&str] =
    &["id", "start", "end", "priority", "state", "source", "kind", "rule", "q", "limit", "cursor"];

const DRY_RUN: &[&str] = &["dry_run"];
const TRIAGE: &[&str] = &["id", "dry_run"];
const QUARANTINE: &[&str] = &["id", "item", "dry_run"];

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
    get(
        "/api/hbt/{id}/diff",
        "What one snapshot of a profile has and another has not",
        &["id", "from", "to"],
        "Diff",
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
        media: "text/html",
        ..get("/api/docs", "This document for people", &[], "Plain", &[500, 503])
    },
    change(
        "post",
        "/api/alerts/{id}/ack",
        "Somebody is on it: it asks for attention again only when it gets worse",
        TRIAGE,
        "Text",
        "Triaged",
    ),
    change("post", "/api/alerts/{id}/note", "Adds a remark", TRIAGE, "Text", "Triaged"),
    change(
        "post",
        "/api/alerts/{id}/assign",
        "Says whose it is; nobody's without a name",
        TRIAGE,
        "Assignment",
        "Triaged",
    ),
    change("post", "/api/alerts/{id}/resolve", "It is dealt with", TRIAGE, "Text", "Triaged"),
    change("post", "/api/alerts/{id}/reopen", "It is not", TRIAGE, "Text", "Triaged"),
    change(
        "post",
        "/api/alerts/{id}/suppress",
        "Keeps it, or all of its rule, container or identity, quiet until a time",
        TRIAGE,
        "Suppressing",
        "Triaged",
    ),
    change(
        "post",
        "/api/alerts/{id}/promote",
        "Adds its behaviour to the profile; a dry run tells what else that lets through",
        TRIAGE,
        "Promoting",
        "Triaged",
    ),
    change(
        "post",
        "/api/alerts/{id}/undo",
        "Takes the last action of a person back, and all that came of it",
        TRIAGE,
        "Nothing",
        "Triaged",
    ),
    change(
        "post",
        "/api/alerts/bulk",
        "Does one thing to several alerts, to each for itself",
        DRY_RUN,
        "Bulk",
        "BulkDone",
    ),
    get(
        "/api/suppressions",
        "Suppressions, newest first, also those that have ended",
        &[],
        "Suppressions",
        &[400, 500, 503],
    ),
    change(
        "post",
        "/api/suppressions",
        "Keeps alerts of a fingerprint, rule, container or identity quiet until a time",
        DRY_RUN,
        "NewSuppression",
        "Done",
    ),
    change(
        "delete",
        "/api/suppressions/{id}",
        "Ends a suppression: its alerts are as before",
        TRIAGE,
        "Nothing",
        "Done",
    ),
    get(
        "/api/maintenance",
        "Maintenance windows, latest first",
        &[],
        "Maintenance",
        &[400, 500, 503],
    ),
    change(
        "post",
        "/api/maintenance",
        "Holds the notifications of containers from a time to a time; alerts are recorded",
        DRY_RUN,
        "NewMaintenance",
        "DryRun",
    ),
    change(
        "delete",
        "/api/maintenance/{id}",
        "Ends a maintenance window",
        TRIAGE,
        "Nothing",
        "DryRun",
    ),
    get(
        "/api/audit",
        "Who did what, newest first",
        &["limit", "cursor"],
        "Audit",
        &[400, 500, 503],
    ),
    get(
        "/api/hbt/{id}/quarantine",
        "Dangerous behaviour that was seen while learning, and what was decided",
        &["id"],
        "Quarantine",
        &[400, 404, 409, 503],
    ),
    change(
        "post",
        "/api/hbt/{id}/quarantine/{item}/accept",
        "Takes it as the container's own work",
        QUARANTINE,
        "Nothing",
        "DryRun",
    ),
    change(
        "post",
        "/api/hbt/{id}/quarantine/{item}/reject",
        "Keeps it from ever being taken as the container's own work",
        QUARANTINE,
        "Nothing",
        "DryRun",
    ),
    change(
        "post",
        "/api/hbt/{id}/relearn",
        "Learns a profile anew; what people have decided stays",
        TRIAGE,
        "Nothing",
        "Operated",
    ),
    change(
        "post",
        "/api/hbt/{id}/freeze",
        "Ends a profile's learning and lets nothing change it",
        TRIAGE,
        "Nothing",
        "Operated",
    ),
    change(
        "post",
        "/api/hbt/{id}/unfreeze",
        "Lets a frozen profile go on",
        TRIAGE,
        "Nothing",
        "Operated",
    ),
    change(
        "post",
        "/api/hbt/{id}/split",
        "Undoes a merge: its members are nodes again, and stay apart",
        TRIAGE,
        "Splitting",
        "Split",
    ),
    change(
        "delete",
        "/api/hbt/{id}",
        "Forgets a profile with everything; its alerts are resolved",
        TRIAGE,
        "Nothing",
        "Operated",
    ),
    Operation {
        method: "post",
        body: Some("Events"),
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
        ..get("/metrics", "Prometheus' text format or OpenMetrics", &[], "Plain", &[500, 503])
    },
];

/// The document as a page for people.
pub(crate) fn page() -> Result<String, std::fmt::Error> {
    page::page(&document())
}

/// The `OpenAPI` document of every route.
pub fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for operation in OPERATIONS.iter().chain(&export::OPERATIONS) {
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
        "components": { "schemas": schemas::all() },
    })
}

fn describe(operation: &Operation) -> Value {
    let parameters: Vec<Value> = operation.parameters.iter().map(|name| parameter(name)).collect();
    let good = if operation.body == Some("Events") { "202" } else { "200" };
    let schema = json!({ "$ref": format!("#/components/schemas/{}", operation.answer) });
    let content = if operation.answer == "Rows" {
        export::rows()
    } else {
        json!({ operation.media: { "schema": schema } })
    };
    let mut responses = json!({ good: { "description": "The answer", "content": content } });
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
    let place = if matches!(name, "id" | "item") { "path" } else { "query" };
    json!({ "name": name, "in": place, "required": place == "path", "description": about, "schema": schema })
}
