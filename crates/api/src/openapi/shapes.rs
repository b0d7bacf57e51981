//! What containers, alerts, events and their like look like: the parts that answers are made of.

use hanabi_event::{Category, Priority};
use serde_json::{Map, Value, json};

use super::schemas::object;

/// A reference to another schema.
pub(super) fn of(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// A list of these.
pub(super) fn list(items: &Value) -> Value {
    json!({ "type": "array", "items": items })
}

/// Numbers by name.
pub(super) fn counts() -> Value {
    json!({ "type": "object", "additionalProperties": count() })
}

pub(super) fn text() -> Value {
    json!({ "type": "string" })
}

pub(super) fn count() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

pub(super) fn time() -> Value {
    json!({ "type": ["string", "null"], "description": "RFC 3339; null for never" })
}

fn number() -> Value {
    json!({ "type": "number" })
}

fn flag() -> Value {
    json!({ "type": "boolean" })
}

fn any() -> Value {
    json!({ "type": "object", "additionalProperties": true })
}

fn words(words: &[&str]) -> Value {
    json!({ "type": "string", "enum": words })
}

fn either(schema: &Value) -> Value {
    json!({ "oneOf": [schema, { "type": "null" }] })
}

/// Fields of one schema, from names and schemas.
fn fields(groups: &[(&[&str], Value)]) -> Value {
    let all: Vec<(&str, Value)> = groups
        .iter()
        .flat_map(|(names, schema)| names.iter().map(|name| (*name, schema.clone())))
        .collect();
    object(&all)
}

/// The same, and fields that are not always there.
fn with_optional(mut schema: Value, optional: &[(&str, Value)]) -> Value {
    for (name, of) in optional {
        schema["properties"][*name] = of.clone();
    }
    schema
}

/// Every part by its name.
pub(super) fn all() -> Value {
    let mut all = Map::new();
    for more in [closed_sets(), containers(), alerts(), events(), decisions(), trees()] {
        if let Value::Object(more) = more {
            all.extend(more);
        }
    }
    all.into()
}

fn closed_sets() -> Value {
    json!({
        "Priority": words(&Priority::ALL.map(Priority::as_str)),
        "Category": words(&Category::ALL.map(Category::as_str)),
        "AlertState": words(&["open", "acknowledged", "suppressed", "promoted", "resolved"]),
        "Phase": words(&hanabi_profile::Phase::ALL.map(hanabi_profile::Phase::as_str)),
        "SuppressionScope": words(&["fingerprint", "rule", "container", "identity"]),
        "Summary": fields(&[(&["en", "zh"], text())]),
    })
}

fn containers() -> Value {
    json!({
        "BranchProgress": fields(&[
            (&["branch"], text()),
            (&["events", "paths", "singletons", "incidences"], count()),
            (&["unseen"], number()),
        ]),
        "Learning": fields(&[
            (&["progress"], number()),
            (&["waiting_for"], list(&text())),
            (&["branches"], list(&of("BranchProgress"))),
            (&["partial"], flag()),
        ]),
        "ContainerRow": fields(&[
            (&["id", "short_id", "name", "image", "repository", "tag", "host", "namespace", "pod",
                "identity"], text()),
            (&["phase"], of("Phase")),
            (&["learning"], of("Learning")),
            (&["events"], count()),
            (&["events_per_second"], number()),
            (&["first_event", "last_event"], time()),
            (&["open_alerts"], counts()),
        ]),
        "Profile": fields(&[
            (&["identity"], text()),
            (&["phase"], of("Phase")),
            (&["learning"], of("Learning")),
            (&["nodes", "events", "deviations"], count()),
            (&["first_seen", "last_seen"], time()),
            (&["revisions"], list(&text())),
            (&["diffs"], list(&of("RevisionDiff"))),
        ]),
        "RevisionDiff": fields(&[
            (&["image", "parent"], text()),
            (&["since", "until"], time()),
            (&["additions"], list(&of("Addition"))),
            (&["additions_total"], count()),
        ]),
        "Addition": fields(&[
            (&["kind", "process", "token"], text()),
            (&["count"], count()),
            (&["first_seen"], time()),
        ]),
        "IngestTotals": fields(&[
            (&["received", "modelled", "pending"], count()),
            (&["ignored", "rejected", "dropped"], counts()),
        ]),
        "Source": fields(&[
            (&["id", "kind", "state", "detail"], text()),
            (&["received", "bytes", "dropped", "errors", "reconnects", "positions_lost",
                "behind_bytes"], count()),
            (&["last_event"], time()),
            (&["lag_seconds"], number()),
        ]),
        "SourceChange": fields(&[(&["id", "state", "detail"], text())]),
        "Output": fields(&[
            (&["name", "kind", "to", "format", "detail"], text()),
            (&["state"], words(&["running", "failing"])),
            (&["delivered", "retries", "refused", "dropped", "waiting", "spool_bytes"], count()),
            (&["last_delivery"], time()),
        ]),
        "RejectedLine": fields(&[(&["source", "reason", "sample"], text()), (&["received"], time())]),
    })
}

fn alerts() -> Value {
    let mut all = alert_parts();
    all["AlertRow"] = with_optional(
        fields(&[
            (
                &[
                    "id",
                    "fingerprint",
                    "rule",
                    "host",
                    "identity",
                    "kind",
                    "phase",
                    "incident",
                    "assignee",
                ],
                text(),
            ),
            (&["state"], of("AlertState")),
            (&["source"], words(&["hanabi", "falco"])),
            (&["priority"], of("Priority")),
            (&["score"], number()),
            (&["score_parts"], list(&of("ScorePart"))),
            (&["container"], of("AlertContainer")),
            (&["containers"], list(&of("AlertContainer"))),
            (&["containers_total", "count", "notifications"], count()),
            (&["k8s"], fields(&[(&["namespace", "pod"], text())])),
            (&["path"], of("AlertPath")),
            (&["expected"], list(&of("Expected"))),
            (&["nearest"], either(&of("Nearest"))),
            (&["evidence"], list(&of("Evidence"))),
            (&["lineage"], list(&of("LineageEntry"))),
            (&["mitre"], list(&text())),
            (&["first_seen", "last_seen"], time()),
            (&["activity"], list(&of("Activity"))),
            (&["samples"], list(&any())),
            (&["summary"], of("Summary")),
            (&["history"], list(&of("AlertAction"))),
            (&["held"], flag()),
        ]),
        &[],
    );
    all["IncidentRow"] = fields(&[
        (&["id", "identity"], text()),
        (&["container"], of("AlertContainer")),
        (&["priority"], of("Priority")),
        (&["alerts"], list(&text())),
        (&["alerts_total", "count"], count()),
        (&["first_seen", "last_seen"], time()),
        (&["summary"], of("Summary")),
    ]);
    all
}

fn alert_parts() -> Value {
    let action = fields(&[(&["at"], time()), (&["by", "action", "text"], text())]);
    let optional = [
        ("reference", text()),
        ("state_before", of("AlertState")),
        ("assignee_before", text()),
        ("undone", flag()),
    ];
    json!({
        "AlertContainer": fields(&[
            (&["id", "name", "host", "pod", "image"], text()),
            (&["count"], count()),
            (&["last_seen"], time()),
        ]),
        "AlertPath": fields(&[(&["learned"], list(&text())), (&["token", "raw"], text())]),
        "Expected": fields(&[(&["token"], text()), (&["count"], count())]),
        "Nearest": fields(&[(&["token"], text()), (&["similarity", "threshold"], number())]),
        "ScorePart": fields(&[(&["name"], text()), (&["value"], number())]),
        "Evidence": fields(&[
            (&["kind", "process", "token"], text()),
            (&["score"], number()),
            (&["count"], count()),
        ]),
        "LineageEntry": fields(&[
            (&["name", "executable", "command_line"], text()),
            (&["pid"], json!({ "type": ["integer", "null"] })),
        ]),
        "Activity": fields(&[
            (&["start", "first"], time()),
            (&["count"], count()),
            (&["max_priority"], of("Priority")),
        ]),
        "AlertAction": with_optional(action, &optional),
        "AlertStep": fields(&[(&["start", "end"], time()), (&["opened", "active"], count())]),
        "AlertStats": fields(&[
            (&["alerts", "occurrences"], count()),
            (&["by_rule", "by_priority", "by_state", "by_source"], counts()),
            (&["over_time"], list(&of("AlertStep"))),
        ]),
    })
}

fn events() -> Value {
    json!({
        "LogRow": fields(&[
            (&["time"], time()),
            (&["container_id", "container_name", "identity", "host", "rule", "call", "process",
                "command_line", "object", "outcome"], text()),
            (&["category"], of("Category")),
            (&["priority"], of("Priority")),
            (&["count"], count()),
            (&["deviation"], json!({ "type": ["string", "null"] })),
            (&["raw"], json!({ "type": ["object", "null"], "additionalProperties": true })),
        ]),
        "NameCount": fields(&[(&["name"], text()), (&["events"], count())]),
        "OverviewPoint": fields(&[
            (&["start"], time()),
            (&["events"], count()),
            (&["by_category", "by_priority"], counts()),
        ]),
        "OverviewEvents": fields(&[
            (&["window"], text()),
            (&["start", "end"], time()),
            (&["covered_seconds", "events", "point_seconds"], count()),
            (&["events_per_second"], number()),
            (&["by_category", "by_priority"], counts()),
            (&["series"], list(&of("OverviewPoint"))),
            (&["top_rules", "top_containers"], list(&of("NameCount"))),
        ]),
        "OverviewAlerts": fields(&[
            (&["open"], count()),
            (&["open_by_priority", "open_by_rule"], counts()),
            (&["window"], either(&of("AlertStats"))),
        ]),
        "OverviewContainers": fields(&[
            (&["total"], count()),
            (&["by_phase"], counts()),
            (&["events_per_second"], number()),
        ]),
    })
}

fn decisions() -> Value {
    json!({
        "Suppression": fields(&[
            (&["id", "value", "by", "note"], text()),
            (&["scope"], of("SuppressionScope")),
            (&["created", "expires"], time()),
            (&["active"], flag()),
        ]),
        "MaintenanceWindow": fields(&[
            (&["id", "container", "by", "note"], text()),
            (&["start", "end", "created"], time()),
            (&["active"], flag()),
        ]),
        "AuditEntry": fields(&[
            (&["sequence"], count()),
            (&["at"], time()),
            (&["by", "action", "object", "outcome", "address", "request"], text()),
            (&["detail"], json!({})),
        ]),
        "QuarantineItem": fields(&[
            (&["id", "rule", "what", "by"], text()),
            (&["seconds"], count()),
            (&["accepted", "rejected"], flag()),
        ]),
        "Scope": fields(&[(&["namespaces", "containers"], list(&text()))]),
        "Me": fields(&[
            (&["name", "role", "kind"], text()),
            (&["scope"], of("Scope")),
            (&["authentication"], words(&["none", "required"])),
            // In a session only: what its changes carry in `x-csrf-token`.
            (&["csrf"], json!({ "type": ["string", "null"] })),
            (&["allowed"], list(&text())),
        ]),
        "TokenRow": token(),
        "MadeToken": made_token(),
        "BulkRefusal": fields(&[(&["id", "reason"], text())]),
    })
}

fn trees() -> Value {
    json!({
        "Snapshot": fields(&[(&["time"], time()), (&["nodes", "events", "bytes"], count())]),
        "RestorePoint": fields(&[
            (&["time"], time()),
            (&["reason"], of("PointReason")),
            (&["phase"], of("Phase")),
            (&["revision"], text()),
            (&["nodes", "events", "bytes"], count()),
        ]),
        "PointReason": words(&["learned", "revision", "daily", "rollback"]),
        "Difference": fields(&[
            (&["pointer", "type"], text()),
            (&["events_count", "nodes"], count()),
        ]),
    })
}

/// A token in lists.
fn token() -> Value {
    fields(&[
        (&["id", "name", "role", "created_by"], text()),
        (&["scope"], of("Scope")),
        (&["created", "expires", "last_used"], time()),
        (&["active"], flag()),
    ])
}

/// The one answer that has the token itself.
fn made_token() -> Value {
    let mut made = token();
    made["properties"]["token"] = text();
    made
}
