//! Lists as files. Their bodies are rows in the format asked for, which a schema cannot say.

use serde_json::{Value, json};

use super::{Operation, get};

const ALERTS: &[&str] =
    &["format", "container_id", "start", "end", "priority", "state", "source", "kind", "rule", "q"];
const LOGS: &[&str] = &["format", "container_id", "start", "end", "priority", "category", "q"];
const PROBLEMS: &[u16] = &[400, 404, 409, 500, 503];

pub(super) const OPERATIONS: [Operation; 4] = [
    get("/api/export/alerts", "Alerts that match, as a file", ALERTS, "Rows", PROBLEMS),
    get("/api/export/logs", "Events that match, newest first, as a file", LOGS, "Rows", PROBLEMS),
    get(
        "/api/export/hbt",
        "The trees as they are, of one profile or of all, as a file; a node a row as CSV",
        &["format", "container_id"],
        "Rows",
        PROBLEMS,
    ),
    Operation {
        media: "text/markdown",
        ..get(
            "/api/export/report",
            "A period in words; the last day where none is given",
            &["start", "end", "lang"],
            "Plain",
            &[400, 500, 503],
        )
    },
];

/// The body of a file of rows, by its format.
pub(super) fn rows() -> Value {
    let text = json!({ "schema": { "type": "string" } });
    let list = json!({ "schema": { "type": "array", "items": { "type": "object" } } });
    json!({ "application/json": list, "application/x-ndjson": text, "text/csv": text })
}
