//! The schemas of the document.

use serde_json::{Map, Value, json};

/// Every schema by its name.
pub(super) fn all() -> Value {
    let mut all = answers();
    for more in [done(), bodies(), super::promql::schemas()] {
        if let (Some(all), Value::Object(more)) = (all.as_object_mut(), more) {
            all.extend(more);
        }
    }
    all
}

/// An object that has all of these fields.
fn object(fields: &[(&str, Value)]) -> Value {
    let properties: Map<String, Value> =
        fields.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    let required: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

/// An object that has these fields and no others, only the required ones for sure.
fn body(fields: &[(&str, Value)], required: &[&str]) -> Value {
    let mut schema = object(fields);
    schema["required"] = json!(required);
    schema["additionalProperties"] = false.into();
    schema
}

/// What changes answer, and the lists of what was decided.
fn done() -> Value {
    let list = json!({ "type": "array", "items": { "type": "object" } });
    let count = json!({ "type": "integer", "minimum": 0 });
    let text = json!({ "type": "string" });
    let dry_run = ("dry_run", json!({ "type": "boolean" }));
    let alerts = ("alerts", count.clone());
    let alert = ("alert", json!({ "type": ["object", "null"] }));
    let nodes = ("nodes", count.clone());
    let (refused, done) = (("refused", list.clone()), ("done", count));
    let members = ("members", json!({ "type": "array", "items": { "type": "string" } }));
    let cursor = ("next_cursor", json!({ "type": ["string", "null"] }));
    let (identity, phase) = (("identity", text.clone()), ("phase", text.clone()));
    json!({
        "DryRun": object(std::slice::from_ref(&dry_run)),
        "Done": object(&[dry_run.clone(), alerts.clone()]),
        "Triaged": object(&[dry_run.clone(), alerts.clone(), alert]),
        "BulkDone": object(&[dry_run.clone(), done, alerts, refused]),
        "Operated": object(&[dry_run.clone(), identity.clone(), phase]),
        "Split": object(&[dry_run, identity.clone(), members, nodes]),
        "Suppressions": object(&[("suppressions", list.clone())]),
        "Maintenance": object(&[("maintenance", list.clone())]),
        "Tokens": object(&[("tokens", list.clone())]),
        "MadeToken": object(&[("id", text.clone()), ("token", text.clone())]),
        "Revoked": object(&[("id", text.clone())]),
        "LoggedOut": object(&[("ended", json!({ "type": "boolean" }))]),
        "Me": object(&[("name", text.clone()), ("role", text.clone()),
            ("scope", json!({ "type": "object" })), ("allowed", json!({ "type": "array" }))]),
        "Audit": object(&[("audit", list.clone()), cursor]),
        "Quarantine": object(&[identity, ("quarantine", list)]),
    })
}

/// What changes take.
fn bodies() -> Value {
    let text = json!({ "type": "string" });
    let scope = (
        "scope",
        json!({ "type": "string", "enum": ["fingerprint", "rule", "container", "identity"] }),
    );
    let expires = ("expires", text.clone());
    let expires_in = ("expires_in", json!({ "type": "integer", "minimum": 1 }));
    let note = ("note", text.clone());
    let path = json!({
        "type": "string", "enum": ["literal", "generalised"], "default": "literal",
    });
    let pointer = json!({ "type": "string", "pattern": "^/" });
    let ids = json!({
        "type": "array", "items": { "type": "string" }, "minItems": 1,
        "maxItems": crate::command::BULK_MAX,
    });
    let suppressing = [scope.clone(), expires.clone(), expires_in.clone(), ("text", text.clone())];
    let suppression = [scope, ("value", text.clone()), expires, expires_in, note.clone()];
    let (container, start) = (("container", text.clone()), ("start", text.clone()));
    let patterns = json!({ "type": "array", "items": text });
    let held = body(&[("namespaces", patterns.clone()), ("containers", patterns)], &[]);
    let roles = crate::auth::Role::ALL.map(crate::auth::Role::as_str);
    let token = [
        ("name", text.clone()),
        ("role", json!({ "type": "string", "enum": roles })),
        ("scope", held),
        ("expires", text.clone()),
        ("expires_in", json!({ "type": "integer", "minimum": 1 })),
    ];
    let window = [container, start, ("end", text.clone()), note];
    json!({
        "NewToken": body(&token, &["name", "role"]),
        "NewSession": body(&[("token", text.clone())], &["token"]),
        "Nothing": body(&[], &[]),
        "Text": body(&[("text", text.clone())], &[]),
        "Assignment": body(&[("to", text)], &[]),
        "Suppressing": body(&suppressing, &[]),
        "Splitting": body(&[("node", pointer)], &["node"]),
        "Promoting": body(&[("path", path)], &[]),
        "NewSuppression": body(&suppression, &["scope", "value"]),
        "NewMaintenance": body(&window, &["container", "start", "end"]),
        "Bulk": {
            "type": "object",
            "required": ["ids", "action"],
            "description": "The fields of the action beside these two",
            "properties": {
                "ids": ids,
                "action": { "type": "string", "enum": crate::routes::ACTIONS },
            },
        },
    })
}

/// What the reading routes answer.
fn answers() -> Value {
    let any = json!({ "type": "object" });
    let list = json!({ "type": "array", "items": { "type": "object" } });
    let count = json!({ "type": "integer", "minimum": 0 });
    let time = json!({ "type": ["string", "null"] });
    let text = json!({ "type": "string" });
    let cursor = ("next_cursor", json!({ "type": ["string", "null"] }));
    json!({
        "Object": any,
        "Plain": text,
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
        "TreeNode": object(&[("name", text.clone()), ("type", text.clone()), ("events_count", count.clone()),
            ("metadata", any.clone()),
            ("children", json!({ "type": "object", "additionalProperties": { "$ref": "#/components/schemas/TreeNode" } }))]),
        "History": object(&[("identity", text.clone()), ("snapshots", list.clone())]),
        "Diff": object(&[("identity", text.clone()), ("from", time.clone()), ("to", time.clone()),
            ("added", list.clone()), ("removed", list.clone()), ("left_out", count.clone())]),
        "Sources": object(&[("sources", list.clone()), ("totals", any.clone())]),
        "Rejected": object(&[("rejected", list), ("totals", any.clone())]),
        "Envelope": object(&[("type", json!({ "type": "string", "enum": ["event", "alert", "heartbeat"] })),
            ("ts", text.clone()), ("container", json!({ "type": ["string", "null"] })), ("payload", any)]),
        "Problem": object(&[("type", text.clone()), ("title", text.clone()), ("status", json!({ "type": "integer" })), ("detail", text)]),
    })
}
