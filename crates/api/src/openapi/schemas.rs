//! The schemas of the document.

use serde_json::{Map, Value, json};

use super::shapes::{self, count, counts, list, of, text, time};

/// Every schema by its name.
pub(super) fn all() -> Value {
    let mut all = answers();
    for more in [done(), bodies(), shapes::all(), super::promql::schemas()] {
        if let (Some(all), Value::Object(more)) = (all.as_object_mut(), more) {
            all.extend(more);
        }
    }
    all
}

/// An object that has all of these fields.
pub(super) fn object(fields: &[(&str, Value)]) -> Value {
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
    let dry_run = ("dry_run", json!({ "type": "boolean" }));
    let alerts = ("alerts", count());
    let alert = ("alert", json!({ "oneOf": [of("AlertRow"), { "type": "null" }] }));
    let (refused, done) = (("refused", list(&of("BulkRefusal"))), ("done", count()));
    let cursor = ("next_cursor", json!({ "type": ["string", "null"] }));
    let (identity, phase) = (("identity", text()), ("phase", text()));
    let mut triaged = object(&[dry_run.clone(), alerts.clone(), alert]);
    for (name, schema, about) in [
        ("suppression", json!({ "type": "object" }), "What a suppression came to"),
        ("nodes", count(), "Nodes that a promotion adds"),
        ("accepts", count(), "Dangerous behaviours that a promotion accepts"),
        ("lets_through", list(&text()), "What else a promotion lets through, the first of it"),
        ("lets_through_total", count(), "How much that is"),
        ("undone", text(), "The action that an undo took back"),
    ] {
        triaged["properties"][name] = schema;
        triaged["properties"][name]["description"] = about.into();
    }
    json!({
        "DryRun": object(std::slice::from_ref(&dry_run)),
        "Done": object(&[dry_run.clone(), alerts.clone()]),
        "Triaged": triaged,
        "BulkDone": object(&[dry_run.clone(), done, alerts, refused]),
        "Operated": object(&[dry_run.clone(), identity.clone(), phase.clone()]),
        "SourceDone": object(&[dry_run.clone(), ("source", of("SourceChange"))]),
        "RolledBack": object(&[dry_run.clone(), identity.clone(), phase, ("to", time()),
            ("reason", of("PointReason")), ("revision", text()), ("nodes_before", count()),
            ("nodes_after", count()), ("brought_back", list(&of("Difference"))),
            ("given_up", list(&of("Difference"))), ("left_out", count()), ("undo", time())]),
        "Split": object(&[dry_run, identity.clone(), ("members", list(&text())), ("nodes", count())]),
        "Suppressions": object(&[("suppressions", list(&of("Suppression")))]),
        "Maintenance": object(&[("maintenance", list(&of("MaintenanceWindow")))]),
        "OutputTested": object(&[("name", text()), ("delivered", json!({ "type": "boolean" })),
            ("detail", text())]),
        "Tokens": object(&[("tokens", list(&of("TokenRow")))]),
        "Revoked": object(&[("id", text()), ("revoked", json!({ "type": "boolean" }))]),
        "LoggedOut": object(&[("ended", json!({ "type": "boolean" }))]),
        "Audit": object(&[("audit", list(&of("AuditEntry"))), cursor]),
        "Quarantine": object(&[identity, ("quarantine", list(&of("QuarantineItem")))]),
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
        "Assignment": body(&[("to", text.clone())], &[]),
        "Suppressing": body(&suppressing, &[]),
        "Splitting": body(&[("node", pointer)], &["node"]),
        "RollingBack": body(&[("to", text.clone()), ("revision", text.clone())], &[]),
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
    let any = json!({ "type": "object", "additionalProperties": true });
    let cursor = ("next_cursor", json!({ "type": ["string", "null"] }));
    let profile = json!({ "oneOf": [of("Profile"), { "type": "null" }] });
    let mut alerts = object(&[("alerts", list(&of("AlertRow"))), cursor.clone()]);
    alerts["properties"]["stats"] = of("AlertStats");
    json!({
        "Object": any,
        "Plain": text(),
        "Accepted": object(&[("accepted", count())]),
        "Containers": object(&[("generated", time()), ("total", count()),
            ("containers", list(&of("ContainerRow"))), cursor.clone()]),
        "Container": object(&[("container", of("ContainerRow")), ("profile", profile)]),
        "Logs": object(&[("events", list(&of("LogRow"))), cursor.clone(), ("scanned_until", time())]),
        "Alerts": alerts,
        "Alert": of("AlertRow"),
        "Incidents": object(&[("incidents", list(&of("IncidentRow"))), cursor]),
        "Incident": object(&[("incident", of("IncidentRow")), ("alerts", list(&of("AlertRow")))]),
        "Overview": object(&[("generated", time()), ("events", of("OverviewEvents")),
            ("alerts", of("OverviewAlerts")), ("containers", of("OverviewContainers")),
            ("totals", of("IngestTotals")), ("lost", count()),
            ("degraded", list(&text())), ("sources", list(&of("Source")))]),
        "TreeNode": object(&[("name", text()), ("type", text()), ("events_count", count()),
            ("metadata", any.clone()),
            ("children", json!({ "type": "object", "additionalProperties": of("TreeNode") }))]),
        "History": object(&[("identity", text()), ("snapshots", list(&of("Snapshot"))),
            ("restore_points", list(&of("RestorePoint")))]),
        "Diff": object(&[("identity", text()), ("from", time()), ("to", time()),
            ("added", list(&of("Difference"))), ("removed", list(&of("Difference"))),
            ("left_out", count())]),
        "Outputs": object(&[("outputs", list(&of("Output")))]),
        "Sources": object(&[("sources", list(&of("Source"))), ("totals", of("IngestTotals"))]),
        "Dashboards": object(&[("dashboards", list(&of("Dashboard")))]),
        "Dashboard": object(&[("name", text()), ("url", text())]),
        "Rejected": object(&[("rejected", list(&of("RejectedLine"))), ("totals", counts())]),
        "Envelope": object(&[("type", json!({ "type": "string", "enum": ["event", "alert", "heartbeat"] })),
            ("ts", text()), ("container", json!({ "type": ["string", "null"] })), ("payload", any)]),
        "Problem": object(&[("type", text()), ("title", text()), ("status", json!({ "type": "integer" })), ("detail", text())]),
    })
}
