//! Elastic Common Schema, <https://www.elastic.co/guide/en/ecs/8.11/ecs-field-reference.html>.

use hanabi_event::{Priority, time::format_time};
use serde_json::{Value, json};

use super::{split_image, state_word, without_empty};
use crate::notice::{Cause, Notice};

pub(super) fn ecs(notice: &Notice, text: &str, link: &str) -> Value {
    let (repository, tag) = split_image(&notice.image);
    // `event.type` is a closed set in which `start` and `end` are states of what goes on.
    let phase = match notice.event {
        Cause::Raised => "start",
        Cause::Ended => "end",
        Cause::Test => "info",
    };
    without_empty(json!({
        "@timestamp": format_time(notice.last_seen),
        "ecs": { "version": "8.11.0" },
        "message": text,
        "tags": ["hanabi"],
        "event": {
            "kind": "alert", "category": ["intrusion_detection"], "type": [phase],
            "id": notice.uuid(), "module": "hanabi", "dataset": "hanabi.alerts",
            "provider": "hanabi", "action": notice.kind, "reason": notice.summary,
            "severity": severity(notice.priority), "risk_score": 100.0 * notice.score,
            "start": format_time(notice.first_seen), "end": format_time(notice.last_seen),
            "url": link,
        },
        "rule": { "name": notice.rule, "id": notice.fingerprint },
        "host": { "name": notice.host, "hostname": notice.host },
        "container": {
            "id": notice.container_id, "name": notice.container_name,
            "image": { "name": repository, "tag": [tag] },
        },
        "orchestrator": {
            "namespace": notice.namespace,
            "resource": { "name": notice.pod, "type": if notice.pod.is_empty() { "" } else { "pod" } },
        },
        "process": {
            "name": notice.process, "executable": notice.executable,
            "command_line": notice.command_line, "parent": { "name": notice.parent },
        },
        "threat": {
            "framework": if notice.mitre.is_empty() { "" } else { "MITRE ATT&CK" },
            "technique": { "id": notice.mitre },
        },
        "hanabi": {
            "id": notice.id, "state": state_word(notice.state), "identity": notice.identity,
            "count": notice.count, "token": notice.token, "value": notice.value,
            "expected": notice.expected, "incident": notice.incident,
        },
    }))
}

/// ECS leaves the scale to the source; this one rises with the priority, in steps for rules.
fn severity(priority: Priority) -> u8 {
    match priority {
        Priority::Debug | Priority::Informational => 10,
        Priority::Notice => 30,
        Priority::Warning => 50,
        Priority::Error => 70,
        Priority::Critical => 85,
        Priority::Alert | Priority::Emergency => 100,
    }
}
