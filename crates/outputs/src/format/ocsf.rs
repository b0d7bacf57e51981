//! Open Cybersecurity Schema Framework 1.3, class "detection finding",
//! <https://schema.ocsf.io/1.3.0/classes/detection_finding>.

use hanabi_detect::{AlertSource, AlertState};
use hanabi_event::{EventTime, Priority};
use serde_json::{Value, json};

use super::without_empty;
use crate::notice::{Cause, Notice};

const CATEGORY: u32 = 2;
const CLASS: u32 = 2004;

pub(super) fn ocsf(notice: &Notice, text: &str, link: &str) -> Value {
    // Create, update or close.
    let activity = match (notice.event, notice.notifications) {
        (Cause::Ended, _) => 3,
        (Cause::Raised, 2..) => 2,
        (Cause::Raised | Cause::Test, _) => 1,
    };
    let analytic = match notice.source {
        AlertSource::Hanabi => (2, "Behavioral"),
        AlertSource::Falco => (1, "Rule"),
    };
    let attacks: Vec<Value> = notice
        .mitre
        .iter()
        .map(|technique| json!({ "technique": { "uid": technique }, "version": "14.1" }))
        .collect();
    let executable = json!({ "path": notice.executable, "name": notice.process, "type_id": 1 });
    without_empty(json!({
        "activity_id": activity,
        "category_uid": CATEGORY,
        "class_uid": CLASS,
        "type_uid": CLASS * 100 + activity,
        "time": milliseconds(notice.last_seen),
        "severity_id": severity(notice.priority),
        "status_id": status(notice.state),
        "message": text,
        "count": notice.count,
        "is_alert": true,
        "risk_score": (100.0 * notice.score).round() as u32,
        "metadata": {
            "version": "1.3.0",
            "uid": notice.uuid(),
            "product": { "name": "Hanabi", "vendor_name": "Hanabi" },
        },
        "finding_info": {
            "uid": notice.id, "title": notice.summary, "types": [notice.kind], "src_url": link,
            "analytic": { "name": notice.rule, "type_id": analytic.0, "type": analytic.1 },
            "attacks": attacks,
            "first_seen_time": milliseconds(notice.first_seen),
            "last_seen_time": milliseconds(notice.last_seen),
            "related_events_count": notice.count,
        },
        "resources": [{
            "type": "container", "uid": notice.container_id, "name": notice.container_name,
            "namespace": notice.namespace, "group": { "name": notice.identity },
        }],
        "evidences": [{
            "process": {
                "name": notice.process, "cmd_line": notice.command_line,
                "file": if notice.executable.is_empty() { Value::Null } else { executable },
                "parent_process": { "name": notice.parent },
                "container": {
                    "uid": notice.container_id, "name": notice.container_name,
                    "image": { "name": notice.image }, "pod_uuid": "",
                },
            },
            "data": { "token": notice.token, "value": notice.value, "expected": notice.expected },
        }],
        "device": {
            "hostname": notice.host,
            // Unknown: what runs containers may be anything.
            "type_id": if notice.host.is_empty() { Value::Null } else { 0.into() },
        },
    }))
}

fn milliseconds(time: EventTime) -> u64 {
    time / 1_000_000
}

fn severity(priority: Priority) -> u8 {
    match priority {
        Priority::Debug | Priority::Informational => 1,
        Priority::Notice => 2,
        Priority::Warning => 3,
        Priority::Error => 4,
        Priority::Critical | Priority::Alert => 5,
        Priority::Emergency => 6,
    }
}

fn status(state: AlertState) -> u8 {
    match state {
        AlertState::Open => 1,
        AlertState::Acknowledged => 2,
        AlertState::Suppressed => 3,
        AlertState::Promoted | AlertState::Resolved => 4,
    }
}
